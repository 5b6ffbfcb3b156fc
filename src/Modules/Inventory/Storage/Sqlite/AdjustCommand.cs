using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>Changes what is on hand. The level after the change is kept for the request's key.</summary>
internal sealed class AdjustCommand(
    SqliteStockStore store, MovementKind kind, string productId, long quantity, IdempotencyKey? key)
    : WriteCommand<AdjustResult>
{
    protected override WriteResult<AdjustResult> Run()
    {
        DateTime now = store.Now();
        if (store.Keys.FindUncommitted(key, now) is { } kept) return WriteResult.Rollback(AdjustResult.Of(kept));
        AdjustResult result = store.Ledger.Adjust(kind, productId, quantity, now);
        if (result.Outcome != AdjustOutcome.Adjusted) return WriteResult.Rollback(result);
        store.Keys.Add(key, result.Answer, now);
        return WriteResult.Commit(result);
    }
}
