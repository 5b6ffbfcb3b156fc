using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>Changes the status of an order, on the writer's thread.</summary>
internal sealed class ChangeStatusCommand(
    OrderWrites writes, OrderCounts counts, string id, string status, IdempotencyKey? key, DateTime now)
    : WriteCommand<ChangeStatusResult>
{
    protected override WriteResult<ChangeStatusResult> Run()
    {
        // Whatever the key is bound to, the order was deleted.
        if (writes.Find(id) is not { } found)
            return WriteResult.Rollback(new ChangeStatusResult(ChangeStatusOutcome.NotFound));
        ChangeStatusResult result =
            found.Order.Change(status, writes.Keys.FindUncommitted(key, now), now, found.Reservation);
        switch (result.Outcome)
        {
            case ChangeStatusOutcome.Changed:
                writes.SetStatus(found.Seq, status, result.Order!.UpdatedAt);
                if (OrderStatus.MovesStock(status)) writes.AddStockChange(id, status);
                break;
            case ChangeStatusOutcome.Unchanged:
                if (key is not null) writes.KeepForKey(id, now);
                break;
            default:
                return WriteResult.Rollback(result);
        }

        writes.Keys.Add(key, result.Answer, now);
        return WriteResult.Commit(result);
    }

    protected override void Committed(ChangeStatusResult answer)
    {
        if (answer.Before is not { } before) return;
        counts.Add(status, 1);
        counts.Add(before.Status, -1);
    }
}
