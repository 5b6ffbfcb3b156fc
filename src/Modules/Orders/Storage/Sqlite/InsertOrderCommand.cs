using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>Writes an order and its idempotency key, on the writer's thread.</summary>
internal sealed class InsertOrderCommand(
    OrderWrites writes, OrderCounts counts, Order order, ReservationId reservation, byte[]? fingerprint,
    IdempotencyKey? key)
    : WriteCommand<PlaceResult>
{
    protected override WriteResult<PlaceResult> Run()
    {
        if (!writes.TryInsert(order, reservation.Number, fingerprint))
            return WriteResult.Rollback(PlaceResult.OrderIdInUse);
        return writes.Keys.TryAdd(key, order.Id, Timestamp.FromMilliseconds(order.CreatedAt))
            ? WriteResult.Commit(PlaceResult.Placed)
            : WriteResult.Rollback(PlaceResult.KeyInUse);
    }

    protected override void Committed(PlaceResult answer) => counts.Add(order.Status, 1);
}
