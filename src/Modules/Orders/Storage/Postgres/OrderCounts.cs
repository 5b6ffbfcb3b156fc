using Shop.Platform.Data.Postgres;

namespace Shop.Orders.Storage.Postgres;

/// <summary>
/// Counts the orders in each status, in a slot of its own for each host: counting a million orders takes too long, and
/// with one number all hosts would wait for each other.
/// </summary>
internal sealed class OrderCounts
{
    private const int Slots = 64;

    private readonly int _slot = Random.Shared.Next(Slots);

    /// <summary>
    /// Adds orders that come to a status, or leave it. This locks a row, so it comes last in a transaction.
    /// </summary>
    public void Add(PostgresTransaction transaction, IReadOnlyDictionary<string, long> byStatus)
    {
        string[] statuses = [.. byStatus.Keys.Order(StringComparer.Ordinal)];
        transaction.Add("""
            INSERT INTO order_counts AS c (status, slot, orders)
            SELECT status, $3, orders FROM unnest($1, $2) AS added (status, orders)
            ON CONFLICT (status, slot) DO UPDATE SET orders = c.orders + excluded.orders
            """,
            PostgresTransaction.Parameter(statuses),
            PostgresTransaction.Parameter(statuses.Select(status => byStatus[status]).ToArray()),
            PostgresTransaction.Parameter(_slot));
    }
}
