using System.Globalization;
using Shop.Inventory.Contracts;
using Shop.Platform;
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
        if (writes.Find(id) is not { } found) return Refuse(ChangeStatusOutcome.NotFound);
        (long seq, Order order, ReservationId reservation) = found;
        if (writes.Keys.FindUncommitted(key, now) is { } kept)
        {
            if (!kept.IsSame) return Refuse(ChangeStatusOutcome.KeyReused);
            // The status is that of the request, and the rest of an order never changes: only the time is kept.
            long then = long.Parse(kept.Answer, CultureInfo.InvariantCulture);
            return Refuse(ChangeStatusOutcome.Replayed, order.WithStatus(status, then));
        }

        if (order.Status == status)
        {
            if (key is not null) writes.KeepForKey(id, now);
            return Commit(new ChangeStatusResult(ChangeStatusOutcome.Unchanged, order));
        }

        if (!OrderStatus.Changes.Contains((order.Status, status))) return Refuse(ChangeStatusOutcome.NotAllowed, order);

        Order changed = order.WithStatus(status, now.ToMilliseconds(notBefore: order.UpdatedAt));
        writes.SetStatus(seq, status, changed.UpdatedAt);
        if (OrderStatus.MovesStock(status)) writes.AddStockChange(id, status);
        return Commit(new ChangeStatusResult(ChangeStatusOutcome.Changed, changed, order, reservation));
    }

    protected override void Committed(ChangeStatusResult answer)
    {
        if (answer.Before is not { } before) return;
        counts.Add(status, 1);
        counts.Add(before.Status, -1);
    }

    private static WriteResult<ChangeStatusResult> Refuse(ChangeStatusOutcome outcome, Order? order = null) =>
        WriteResult.Rollback(new ChangeStatusResult(outcome, order));

    private WriteResult<ChangeStatusResult> Commit(ChangeStatusResult result)
    {
        writes.Keys.Add(key, result.Order!.UpdatedAt.ToString(CultureInfo.InvariantCulture), now);
        return WriteResult.Commit(result);
    }
}
