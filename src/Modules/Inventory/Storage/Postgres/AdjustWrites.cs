using System.Globalization;
using Npgsql;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>Changes what is on hand. The level after the change is kept for the request's key.</summary>
internal sealed class AdjustWrite(MovementKind kind, string productId, long quantity, IdempotencyKey? key)
    : PostgresWrite<AdjustResult>
{
    public string ProductId => productId;

    public IdempotencyKey? Key => key;

    /// <returns>The answer that is to be kept for the key; null if nothing was changed.</returns>
    public string? Decide(StockLedger ledger, IdempotencyRecords kept, DateTime now)
    {
        if (kept.Of(key) is { } answer)
        {
            Refuse(answer.IsSame
                ? new AdjustResult(AdjustOutcome.Replayed, long.Parse(answer.Answer, CultureInfo.InvariantCulture))
                : new AdjustResult(AdjustOutcome.KeyReused));
            return null;
        }

        if (ledger.AvailableOf(productId) is not { } before)
        {
            Refuse(new AdjustResult(AdjustOutcome.UnknownProduct));
            return null;
        }

        if (ledger.Append(kind, productId, quantity, null, now) is not { } after)
        {
            Refuse(new AdjustResult(AdjustOutcome.TooLittleStock, before));
            return null;
        }

        Commit(new AdjustResult(AdjustOutcome.Adjusted, after.Available));
        return after.Available.ToString(CultureInfo.InvariantCulture);
    }
}

/// <summary>Changes of what is on hand.</summary>
internal sealed class AdjustWrites(PostgresIdempotencyKeys keys, Func<DateTime> now)
    : PostgresWriteKind<AdjustWrite, AdjustResult>
{
    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<AdjustWrite> writes, CancellationToken end)
    {
        DateTime time = now();
        StockLedger.AddLock(transaction, writes.Select(static write => write.ProductId));
        keys.AddFind(transaction, writes.Select(static write => write.Key), time);
        var ledger = new StockLedger();
        IdempotencyRecords kept;
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            await ledger.ReadAsync(reader, end);
            await reader.NextResultAsync(end);
            kept = await keys.ReadRecordsAsync(reader, end);
        }

        var answers = new List<(IdempotencyKey Key, string Answer)>();
        foreach (AdjustWrite write in writes)
        {
            if (write.Decide(ledger, kept, time) is not { } answer || write.Key is not { } key) continue;
            kept.Add(key, answer);
            answers.Add((key, answer));
        }

        ledger.AddChanges(transaction);
        keys.AddRecords(transaction, answers, time);
    }
}
