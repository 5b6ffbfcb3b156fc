using Npgsql;
using Shop.Platform;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>
/// Finds the orders of earlier, equal requests: by their idempotency keys, and by the ids that clients chose.
/// </summary>
internal sealed class OrderKeys(PostgresDatabase database, OrderQueries queries)
{
    /// <summary>Keeps an order for as long as a key that is bound to it now.</summary>
    public static void AddKeep(PostgresTransaction transaction, string id, DateTime now) =>
        transaction.Add("UPDATE orders SET kept_until = greatest(kept_until, $2) WHERE id = $1",
            PostgresTransaction.Parameter(id),
            PostgresTransaction.Parameter((now + IdempotencyKey.Retention).ToMilliseconds()));

    public async ValueTask<ReplayResult> ReplayAsync(
        IdempotencyKey? key, string? orderId, byte[] fingerprint, DateTime now)
    {
        if (key is not null && await database.Keys.FindAsync(key, now) is { } kept)
        {
            if (!kept.IsSame) return new ReplayResult(ReplayOutcome.KeyReused);
            return await queries.FindAsync(kept.Answer) is { } placed
                ? new ReplayResult(ReplayOutcome.Replayed, placed)
                : new ReplayResult(ReplayOutcome.OrderDeleted, OrderId: kept.Answer);
        }

        if (orderId is null || await queries.FindFingerprintAsync(orderId) is not { Exists: true } found)
            return new ReplayResult(ReplayOutcome.New);
        if (!found.Fingerprint.AsSpan().SequenceEqual(fingerprint))
            return new ReplayResult(ReplayOutcome.OrderIdReused);
        if (key is not null)
        {
            bool? isBound = await BindAsync(key, orderId, now);
            if (isBound is null) return new ReplayResult(ReplayOutcome.New);
            // If the key was used in between, its record decides.
            if (isBound == false) return await ReplayAsync(key, orderId, fingerprint, now);
        }

        // It may have been deleted in between.
        return await queries.FindAsync(orderId) is { } order
            ? new ReplayResult(ReplayOutcome.Replayed, order)
            : new ReplayResult(ReplayOutcome.New);
    }

    /// <summary>Binds a key to an order that a request without it has placed.</summary>
    /// <returns>False if the key is bound already, null if the order does not exist.</returns>
    private Task<bool?> BindAsync(IdempotencyKey key, string orderId, DateTime now) =>
        database.Writes.RunAsync<bool?>(async (transaction, end) =>
        {
            database.Keys.AddFind(transaction, [key], now);
            transaction.Add("SELECT 1 FROM orders WHERE id = $1", PostgresTransaction.Parameter(orderId));
            IdempotencyRecords kept;
            bool exists;
            await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
            {
                kept = await database.Keys.ReadRecordsAsync(reader, end);
                await reader.NextResultAsync(end);
                exists = await reader.ReadAsync(end);
            }

            if (!exists) return null;
            if (kept.Of(key) is not null) return false;
            AddKeep(transaction, orderId, now);
            database.Keys.AddRecords(transaction, [(key, orderId)], now);
            return true;
        });
}
