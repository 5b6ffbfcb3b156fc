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

    public AdjustResult Decide(StockLedger ledger, IdempotencyRecords kept, DateTime now)
    {
        AdjustResult result = kept.Of(key) is { } record
            ? AdjustResult.Of(record)
            : ledger.Adjust(kind, productId, quantity, now);
        if (result.Outcome == AdjustOutcome.Adjusted) Commit(result);
        else Refuse(result);
        return result;
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
            AdjustResult result = write.Decide(ledger, kept, time);
            if (result.Outcome != AdjustOutcome.Adjusted || write.Key is not { } key) continue;
            kept.Add(key, result.Answer);
            answers.Add((key, result.Answer));
        }

        ledger.AddChanges(transaction);
        keys.AddRecords(transaction, answers, time);
    }
}
