using Shop.Platform.Data.Sqlite;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>
/// How many orders there are in each status, counted at the start and then kept in memory: counting a million takes too
/// long.
/// </summary>
internal sealed class OrderCounts
{
    private readonly long[] _orders = new long[OrderStatus.All.Count];

    public OrderCounts(Database database)
    {
        foreach ((string status, long orders) in database.Rows(
            "SELECT status, count(*) FROM orders GROUP BY status", static row => (row.GetString(0), row.GetInt64(1))))
        {
            Add(status, orders);
        }
    }

    /// <summary>The orders in each status.</summary>
    public IReadOnlyDictionary<string, long> ByStatus =>
        OrderStatus.All.ToDictionary(status => status, status => Of(status), StringComparer.Ordinal);

    /// <summary>The orders in a status, or in all of them.</summary>
    public long Of(string? status) =>
        status is null ? OrderStatus.All.Sum(Of) : Volatile.Read(ref _orders[OrderStatus.IndexOf(status)]);

    /// <summary>Counts orders that have come to a status, or have left it, once that is committed.</summary>
    public void Add(string status, long orders) => Interlocked.Add(ref _orders[OrderStatus.IndexOf(status)], orders);
}
