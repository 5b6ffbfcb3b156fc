using Npgsql;
using Shop.Platform.Requests;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// The answers that a module stores for idempotency keys. They are in the module's own schema, so a key is committed
/// together with its change, or neither is. A unique index decides between hosts: the loser reads what the winner
/// wrote.
/// </summary>
public sealed class PostgresIdempotencyKeys
{
    private const string FindRecords =
        "SELECT key, fingerprint, answer FROM idempotency_keys WHERE key = ANY ($1) AND at >= $2";

    private readonly PostgresDatabase _database;

    internal PostgresIdempotencyKeys(PostgresDatabase database) => _database = database;

    // In the transaction of a batch.
#pragma warning disable CA1822 // instance methods, because they belong to a database

    /// <summary>Adds a query for the records of keys; <see cref="ReadRecordsAsync"/> reads its result.</summary>
    public void AddFind(PostgresTransaction transaction, IEnumerable<IdempotencyKey?> keys, DateTime now)
    {
        string[] texts = [.. keys.OfType<IdempotencyKey>().SelectMany(static key => key.Texts)];
        transaction.Add(FindRecords, PostgresTransaction.Parameter(texts),
            PostgresTransaction.Parameter(IdempotencyKey.Oldest(now)));
    }

    /// <summary>Reads the result of <see cref="AddFind"/>, which must be the reader's current result.</summary>
    public async Task<IdempotencyRecords> ReadRecordsAsync(NpgsqlDataReader reader, CancellationToken end)
    {
        var kept = new IdempotencyRecords();
        while (await reader.ReadAsync(end))
            kept.Add(reader.GetString(0), (byte[])reader.GetValue(1), reader.GetString(2));
        return kept;
    }

    /// <summary>
    /// Stores answers for keys that have none. If another transaction has used one of the keys in between, the batch
    /// runs again.
    /// </summary>
    public void AddRecords(
        PostgresTransaction transaction, IReadOnlyList<(IdempotencyKey Key, string Answer)> answers, DateTime now)
    {
        if (answers.Count == 0) return;
        // The purge runs once an hour, so an expired key may still be there.
        transaction.Add("DELETE FROM idempotency_keys WHERE key = ANY ($1) AND at < $2",
            PostgresTransaction.Column(answers, static kept => kept.Key.Text),
            PostgresTransaction.Parameter(IdempotencyKey.Oldest(now)));
        transaction.Add("""
            INSERT INTO idempotency_keys (key, fingerprint, answer, at)
            SELECT key, fingerprint, answer, $4 FROM unnest($1, $2, $3) AS kept (key, fingerprint, answer)
            """,
            PostgresTransaction.Column(answers, static kept => kept.Key.Text),
            PostgresTransaction.Column(answers, static kept => kept.Key.Fingerprint),
            PostgresTransaction.Column(answers, static kept => kept.Answer),
            PostgresTransaction.Parameter(now.ToMilliseconds()));
    }

#pragma warning restore CA1822
    // Reads.

    /// <summary>The record of a key; null if there is none.</summary>
    public async Task<IdempotencyRecord?> FindAsync(IdempotencyKey key, DateTime now) =>
        (await _database.QueryAsync(FindRecords, ReadRecordsAsync, CancellationToken.None,
            PostgresTransaction.Parameter(key.Texts.ToArray()),
            PostgresTransaction.Parameter(IdempotencyKey.Oldest(now)))).Of(key);

    /// <summary>Deletes the keys that are too old.</summary>
    internal Task PurgeAsync(DateTime now) => _database.DeleteOldAsync(
        "idempotency_keys", "key", "at < $1", PostgresTransaction.Parameter(IdempotencyKey.Oldest(now)));
}

/// <summary>
/// The records of a batch's keys: those that were read, and those that its own writes have added since.
/// </summary>
public sealed class IdempotencyRecords
{
    private readonly Dictionary<string, (byte[] Fingerprint, string Answer)> _byKey = new(StringComparer.Ordinal);

    /// <summary>The record of a key; null if there is no record, or no key.</summary>
    public IdempotencyRecord? Of(IdempotencyKey? key)
    {
        if (key is null) return null;
        foreach (string text in key.Texts)
        {
            if (_byKey.TryGetValue(text, out (byte[] Fingerprint, string Answer) kept))
                return new IdempotencyRecord(key.IsBoundTo(kept.Fingerprint), kept.Answer);
        }

        return null;
    }

    /// <summary>Notes the answer of a write of this batch, for the writes after it.</summary>
    public void Add(IdempotencyKey key, string answer) => Add(key.Text, key.Fingerprint, answer);

    internal void Add(string key, byte[] fingerprint, string answer) => _byKey[key] = (fingerprint, answer);
}
