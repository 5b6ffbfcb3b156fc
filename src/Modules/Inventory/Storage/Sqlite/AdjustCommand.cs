using System.Globalization;
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
        if (store.Keys.FindUncommitted(key, now) is { } kept)
        {
            return WriteResult.Rollback(kept.IsSame
                ? new AdjustResult(AdjustOutcome.Replayed, long.Parse(kept.Answer, CultureInfo.InvariantCulture))
                : new AdjustResult(AdjustOutcome.KeyReused));
        }

        if (store.Ledger.AvailableOf(productId) is not { } before)
            return WriteResult.Rollback(new AdjustResult(AdjustOutcome.UnknownProduct));
        if (store.Ledger.Append(kind, productId, quantity, null, now) is not { } movement)
            return WriteResult.Rollback(new AdjustResult(AdjustOutcome.TooLittleStock, before));

        long available = movement.OnHand - movement.Reserved;
        store.Keys.Add(key, available.ToString(CultureInfo.InvariantCulture), now);
        return WriteResult.Commit(new AdjustResult(AdjustOutcome.Adjusted, available));
    }
}
