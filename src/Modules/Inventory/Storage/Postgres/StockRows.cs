using Shop.Platform.Data;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>How the schema has the rows of <see cref="StockTables"/>.</summary>
internal static class StockRows
{
    /// <summary>
    /// In a file, the movements of a reservation have consecutive ids. In a schema, the movements of two reservations
    /// that are made at once may be mixed, if they have no product in common. So movements get new ids, by which those
    /// of each open reservation follow each other. The order of each product's movements stays, because a reservation
    /// holds the locks of all its products.
    /// </summary>
    private const string Ordered = """
        WITH held AS (
            SELECT m.id, m.order_id, min(m.id) OVER (PARTITION BY m.order_id) AS first
            FROM (SELECT id, order_id, row_number() OVER (PARTITION BY order_id ORDER BY id DESC) AS n
                FROM movements WHERE kind = 'reserved') m
            JOIN reservations r ON r.order_id = m.order_id AND m.n <= cardinality(r.product_ids)),
        places AS (
            SELECT m.id, row_number() OVER (ORDER BY coalesce(h.first, m.id), m.id) AS place
            FROM movements m LEFT JOIN held h USING (id)),
        ids AS (
            SELECT p.id AS old, i.id FROM places p
            JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM movements) i USING (place))
        """;

    public static TableStatements Movements { get; } = new($"""
        {Ordered}
        SELECT i.id, m.product_id, m.kind, m.quantity, m.order_id, m.at, m.on_hand, m.reserved
        FROM movements m JOIN ids i ON i.old = m.id ORDER BY i.id
        """);

    public static TableStatements Reservations { get; } = new($"""
        {Ordered}
        SELECT r.order_id, r.number, r.is_confirmed, min(i.id), max(i.id)
        FROM reservations r JOIN held h ON h.order_id = r.order_id JOIN ids i ON i.old = h.id
        GROUP BY r.order_id, r.number, r.is_confirmed
        """,
        [
            """
            INSERT INTO reservations (order_id, number, is_confirmed, product_ids, quantities)
            SELECT $1, $2, $3, array_agg(product_id ORDER BY id), array_agg(quantity ORDER BY id)
            FROM movements WHERE id BETWEEN $4 AND $5
            """,
        ]);

    public static TableStatements ReservationCount { get; } = new(
        "SELECT coalesce(sum(change), 0)::bigint FROM reservation_changes",
        ["INSERT INTO reservation_changes (change) VALUES ($1)"]);

    public static TableStatements HeldUnits { get; } = new("""
        SELECT product_id, sum(quantity)::bigint
        FROM reservations, unnest(product_ids, quantities) AS held (product_id, quantity) GROUP BY product_id
        """, Insert: []);

    public static IReadOnlyList<string> End { get; } =
    [
        """
        SELECT setval(pg_get_serial_sequence('movements', 'id'), greatest(newest, 1), newest > 0)
        FROM (SELECT greatest((SELECT coalesce(max(id), 0) FROM movements),
            (SELECT coalesce(max(last_movement), 0) FROM opening_balances)) AS newest) AS movement
        """,
    ];
}
