using Shop.Platform.Data;

namespace Shop.Orders.Storage.Postgres;

/// <summary>How the schema has the rows of <see cref="OrderTables"/>.</summary>
internal static class OrderRows
{
    // In the order in which files have them.
    public static TableStatements Orders { get; } = new("""
        SELECT id, seq, customer_id, status, total_cents, created_at, updated_at, fingerprint, reservation, changes,
            kept_until
        FROM orders ORDER BY seq
        """);

    public static TableStatements Lines { get; } = new("""
        SELECT l.order_id, l.line, l.product_id, l.name, l.quantity, l.unit_price_cents
        FROM order_lines l JOIN orders o ON o.id = l.order_id ORDER BY o.seq, l.line
        """);

    public static TableStatements Events { get; } = new("""
        SELECT e.order_id, e.number, e.status, e.at
        FROM order_events e JOIN orders o ON o.id = e.order_id ORDER BY o.seq, e.number
        """);

    public static TableStatements PendingStock { get; } = new(
        "SELECT order_id, reservation, status FROM pending_stock",
        ["INSERT INTO pending_stock (order_id, reservation, status, due_at) VALUES ($1, $2, $3, now())"]);

    public static TableStatements Newest { get; } = new(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orders_seq_seq",
        ["SELECT setval('orders_seq_seq', greatest($1, 1), $1 > 0)"]);

    public static TableStatements Counts { get; } = new(
        "SELECT status, sum(orders)::bigint FROM order_counts GROUP BY status HAVING sum(orders) <> 0",
        ["INSERT INTO order_counts (status, slot, orders) VALUES ($1, 0, $2)"]);

    public static IReadOnlyList<string> End { get; } =
        ["INSERT INTO reservations (order_id, number, has_order) SELECT id, reservation, true FROM orders"];
}
