using Npgsql;
using Shop.Platform.Requests;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// The answers that a module keeps for the keys of its clients. They stand in the module's own schema, so a key is
/// committed with the change that it stands for, or neither is. A unique key decides between hosts: who loses reads
/// what the winner wrote.
/// </summary>
public sealed class PostgresIdempotencyKeys
{
    private const string FindRecords =
        "SELECT key, fingerprint, answer FROM idempotency_keys WHERE key = ANY ($1) AND at >= $2";

    private readonly PostgresDatabase _database;

    internal PostgresIdempotencyKeys(PostgresDatabase database) => _database = database;

    // In the transaction of a batch.
#pragma warning disable CA1822 // whose keys they are says the database

    /// <summary>Adds the question what is kept for keys; <see cref="ReadRecordsAsync"/> reads the answer.</summary>
    public void AddFind(PostgresTransaction transaction, IEnumerable<IdempotencyKey?> keys, DateTime now)
    {
        string[] texts = [.. keys.OfType<IdempotencyKey>().SelectMany(static key => key.Texts)];
        transaction.Add(FindRecords, PostgresTransaction.Parameter(texts), PostgresTransaction.Parameter(Oldest(now)));
    }

    /// <summary>Reads what <see cref="AddFind"/> has asked for, from the reader's present result.</summary>
    public async Task<IdempotencyRecords> ReadRecordsAsync(NpgsqlDataReader reader, CancellationToken end)
    {
        var kept = new IdempotencyRecords();
        while (await reader.ReadAsync(end))
            kept.Add(reader.GetString(0), (byte[])reader.GetValue(1), reader.GetString(2));
        return kept;
    }

    /// <summary>
    /// Adds answers for keys that have none. If another transaction has used one of the keys in between, the batch runs
    /// again.
    /// </summary>
    public void AddRecords(
        PostgresTransaction transaction, IReadOnlyList<(IdempotencyKey Key, string Answer)> answers, DateTime now)
    {
        if (answers.Count == 0) return;
        string[] keys = [.. answers.Select(static kept => kept.Key.Text)];
        // The purge comes once an hour, so a key that is too old may still be there.
        transaction.Add("DELETE FROM idempotency_keys WHERE key = ANY ($1) AND at < $2",
            PostgresTransaction.Parameter(keys), PostgresTransaction.Parameter(Oldest(now)));
        transaction.Add("""
            INSERT INTO idempotency_keys (key, fingerprint, answer, at)
            SELECT key, fingerprint, answer, $4 FROM unnest($1, $2, $3) AS kept (key, fingerprint, answer)
            """,
            PostgresTransaction.Parameter(keys),
            PostgresTransaction.Parameter(answers.Select(static kept => kept.Key.Fingerprint).ToArray()),
            PostgresTransaction.Parameter(answers.Select(static kept => kept.Answer).ToArray()),
            PostgresTransaction.Parameter(now.ToMilliseconds()));
    }

#pragma warning restore CA1822
    // Reads.

    /// <summary>What is kept for a key; null if nothing is.</summary>
    public async Task<IdempotencyRecord?> FindAsync(IdempotencyKey key, DateTime now)
    {
        string[] texts = [.. key.Texts];
        IdempotencyRecords kept = await _database.ReadAsync(async (connection, end) =>
        {
            await using var command = new NpgsqlCommand(FindRecords, connection);
            command.Parameters.Add(PostgresTransaction.Parameter(texts));
            command.Parameters.Add(PostgresTransaction.Parameter(Oldest(now)));
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(end);
            return await ReadRecordsAsync(reader, end);
        });
        return kept.Of(key);
    }

    /// <summary>Deletes the keys that are too old.</summary>
    internal Task PurgeAsync(DateTime now) => _database.DeleteOldAsync(
        "idempotency_keys", "key", "at < $1", PostgresTransaction.Parameter(Oldest(now)));

    private static long Oldest(DateTime now) => (now - IdempotencyKey.Retention).ToMilliseconds();
}

/// <summary>What is kept for the keys of a batch: what was read, and what its own writes have added since.</summary>
public sealed class IdempotencyRecords
{
    private readonly Dictionary<string, (byte[] Fingerprint, string Answer)> _byKey = new(StringComparer.Ordinal);

    /// <summary>What is kept for a key; null if nothing is, or there is no key.</summary>
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
