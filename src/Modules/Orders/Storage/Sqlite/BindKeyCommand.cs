using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>
/// Binds an idempotency key to an order that a request without it has placed, on the writer's thread. The result is
/// false if the key is bound already, null if the order does not exist.
/// </summary>
internal sealed class BindKeyCommand(OrderWrites writes, IdempotencyKey key, string orderId, DateTime now)
    : WriteCommand<bool?>
{
    protected override WriteResult<bool?> Run()
    {
        if (!writes.KeepForKey(orderId, now)) return WriteResult.Rollback<bool?>(null);
        return writes.Keys.TryAdd(key, orderId, now)
            ? WriteResult.Commit<bool?>(true)
            : WriteResult.Rollback<bool?>(false);
    }
}
