using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Platform.Requests;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// The answers that a module stores for idempotency keys. They are in the module's own database, so a key is committed
/// together with its change, or neither is. Only successful answers are stored: a refused request may be sent again
/// with the same key.
/// </summary>
[DapperAot]
public sealed class IdempotencyKeys
{
    /// <summary>The most keys that one write deletes, so that other writes do not wait long.</summary>
    internal const int MaxPurgedAtOnce = 500;

    internal const string Schema = """
        CREATE TABLE IF NOT EXISTS idempotency_keys (
            key         TEXT    NOT NULL PRIMARY KEY,
            fingerprint BLOB    NOT NULL,
            answer      TEXT    NOT NULL,
            at          INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (at);
        """;

    private readonly Database _database;
    private readonly Statement _find, _add, _forget, _purge;

    internal IdempotencyKeys(Database database)
    {
        _database = database;
        _find = database.Writes.Prepare("SELECT fingerprint, answer FROM idempotency_keys WHERE key = ?1 AND at >= ?2");
        _add = database.Writes.Prepare(
            "INSERT INTO idempotency_keys (key, fingerprint, answer, at) VALUES (?1, ?2, ?3, ?4)");
        _forget = database.Writes.Prepare("DELETE FROM idempotency_keys WHERE key = ?1 AND at < ?2");
        _purge = database.Writes.Prepare("""
            DELETE FROM idempotency_keys
            WHERE key IN (SELECT key FROM idempotency_keys WHERE at < ?1 ORDER BY at LIMIT ?2)
            """);
    }

    // Inside a write.

    /// <summary>Stores the answer for a key that <see cref="FindUncommitted"/> did not find.</summary>
    public void Add(IdempotencyKey? key, string answer, DateTime now)
    {
        if (!TryAdd(key, answer, now)) throw new InvalidOperationException("The key has an answer.");
    }

    /// <summary>Stores the answer for a key, if there is a key.</summary>
    /// <returns>False if the key has an answer already.</returns>
    public bool TryAdd(IdempotencyKey? key, string answer, DateTime now)
    {
        if (key is null) return true;
        try
        {
            Insert(key, answer, now);
        }
        catch (SqliteException exception) when (exception.SqliteErrorCode == raw.SQLITE_CONSTRAINT)
        {
            // The purge runs once an hour, so an expired key may still be there. Looking for it first, or an upsert,
            // would cost time in each order.
            if (_forget.Set(1, key.Text).Set(2, IdempotencyKey.Oldest(now)).Run() == 0) return false;
            Insert(key, answer, now);
        }

        return true;
    }

    /// <summary>The record of a key; null if there is no record, or no key.</summary>
    public IdempotencyRecord? FindUncommitted(IdempotencyKey? key, DateTime now)
    {
        if (key is null) return null;
        foreach (string text in key.Texts)
        {
            IdempotencyRecord? kept = _find.Set(1, text).Set(2, IdempotencyKey.Oldest(now))
                .First(row => new IdempotencyRecord(key.IsBoundTo(row.Bytes(0)), row.Text(1)));
            if (kept is not null) return kept;
        }

        return null;
    }

    // Reads.

    /// <summary>The record of a key; null if there is none.</summary>
    public IdempotencyRecord? Find(IdempotencyKey key, DateTime now) => _database.Read(connection =>
    {
        foreach (string text in key.Texts)
        {
            RecordRow? row = connection.QuerySingleOrDefault<RecordRow>("""
                SELECT fingerprint AS Fingerprint, answer AS Answer FROM idempotency_keys
                WHERE key = @text AND at >= @oldest
                """, new { text, oldest = IdempotencyKey.Oldest(now) });
            if (row is not null) return new IdempotencyRecord(key.IsBoundTo(row.Fingerprint), row.Answer);
        }

        return null;
    });

    /// <summary>Deletes the keys that are too old, a few in each write.</summary>
    public async Task PurgeAsync(DateTime now)
    {
        long oldest = IdempotencyKey.Oldest(now);
        int purged;
        do
        {
            // Other writes get their turn between two of these.
            purged = await _database.Writes.WriteAsync(() =>
                WriteResult.Commit(_purge.Set(1, oldest).Set(2, MaxPurgedAtOnce).Run()));
        }
        while (purged == MaxPurgedAtOnce);
    }

    private void Insert(IdempotencyKey key, string answer, DateTime now) =>
        _add.Set(1, key.Text).Set(2, key.Fingerprint).Set(3, answer).Set(4, now.ToMilliseconds()).Run();

    internal sealed record RecordRow(byte[] Fingerprint, string Answer);
}
