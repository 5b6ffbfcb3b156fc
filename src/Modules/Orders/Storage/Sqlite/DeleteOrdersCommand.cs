using Shop.Platform.Data.Sqlite;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>Deletes orders of one status, on the writer's thread. The result is how many were deleted.</summary>
internal sealed class DeleteOrdersCommand(
    OrderWrites writes, OrderCounts counts, string status, OrderAge[] orders, DateTime now)
    : WriteCommand<int>
{
    protected override WriteResult<int> Run() => WriteResult.Commit(writes.Delete(orders, now));

    protected override void Committed(int answer) => counts.Add(status, -answer);
}
