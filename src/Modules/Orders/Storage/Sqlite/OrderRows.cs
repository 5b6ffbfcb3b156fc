using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>How the file has the rows of <see cref="OrderTables"/>.</summary>
internal static class OrderRows
{
    private const int Segment = SegmentedIndex.RowsPerSegment;

    // The greatest number that an order ever had: its segment is not complete, and so has no index yet.
    private const string NewestNumber = "(SELECT newest_order FROM retention)";

    public static TableStatements Orders { get; } = new("""
        SELECT o.id, o.seq, o.customer_id, o.status, o.total_cents, o.created_at, o.updated_at, o.fingerprint,
            o.reservation,
            coalesce((SELECT max(e.number) FROM order_events e WHERE e.order_seq = o.seq), 0),
            coalesce((SELECT k.until FROM kept_orders k WHERE k.order_seq = o.seq), 0)
        FROM orders o ORDER BY o.seq
        """,
        [
            """
            INSERT INTO orders
                (id, seq, customer_id, status, total_cents, created_at, updated_at, fingerprint, reservation)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            """,
            "INSERT INTO kept_orders (order_seq, until) SELECT ?2, ?11 WHERE ?11 > 0",
        ]);

    public static TableStatements Lines { get; } = new("""
        SELECT o.id, l.line, l.product_id, l.name, l.quantity, l.unit_price_cents
        FROM lines_of_orders l JOIN orders o ON o.seq = l.order_seq
        """,
        [
            "INSERT OR IGNORE INTO product_snapshots (product_id, name, unit_price_cents) VALUES (?3, ?4, ?6)",
            """
            INSERT INTO order_items (order_seq, line, snapshot, quantity)
            SELECT o.seq, ?2, s.number, ?5 FROM orders o CROSS JOIN product_snapshots s
            WHERE o.id = ?1 AND s.product_id = ?3 AND s.name = ?4 AND s.unit_price_cents = ?6
            """,
        ]);

    public static TableStatements Events { get; } = new(
        "SELECT o.id, e.number, e.status, e.at FROM order_events e JOIN orders o ON o.seq = e.order_seq",
        ["INSERT INTO order_events (order_seq, number, status, at) SELECT seq, ?2, ?3, ?4 FROM orders WHERE id = ?1"]);

    public static TableStatements PendingStock { get; } = new(
        "SELECT p.order_id, o.reservation, p.status FROM pending_stock p JOIN orders o ON o.id = p.order_id",
        ["INSERT INTO pending_stock (order_id, status) VALUES (?1, ?3)"]);

    // Numbers have no gap but for orders that were deleted.
    public static TableStatements Newest { get; } = new(
        "SELECT max(newest_order, (SELECT coalesce(max(seq), 0) FROM orders)) FROM retention",
        ["UPDATE retention SET newest_order = ?1, orders_deleted = ?1 - (SELECT count(*) FROM orders)"]);

    public static TableStatements Counts { get; } =
        new("SELECT status, count(*) FROM orders GROUP BY status", Insert: []);

    public static IReadOnlyList<string> End { get; } =
    [
        $"""
        INSERT INTO orders_by_customer (run, customer_id, order_seq)
        SELECT seq / {Segment}, customer_id, seq FROM orders WHERE seq < {NewestNumber} / {Segment} * {Segment}
        ORDER BY 1, 2, 3
        """,
        $"""
        INSERT INTO orders_by_product (run, product_id, order_seq)
        SELECT DISTINCT order_seq / {Segment}, product_id, order_seq FROM lines_of_orders
        WHERE order_seq < {NewestNumber} / {Segment} * {Segment} ORDER BY 1, 2, 3
        """,
    ];
}
