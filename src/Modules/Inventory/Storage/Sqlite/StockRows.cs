using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>How the file has the rows of <see cref="StockTables"/>.</summary>
internal static class StockRows
{
    private const int Segment = SegmentedIndex.RowsPerSegment;

    // Movements after the checkpoint may not be in the rows of stock. Beside max(id) stand the columns of its row.
    public static TableStatements Stock { get; } = new("""
        SELECT s.product_id, coalesce(m.on_hand, s.on_hand), coalesce(m.reserved, s.reserved),
            coalesce(m.at, s.last_updated), s.is_retired
        FROM stock s LEFT JOIN (
            SELECT product_id, on_hand, reserved, at, max(id) FROM movements
            WHERE id > (SELECT newest_movement FROM stock_checkpoint) GROUP BY product_id) m USING (product_id)
        """);

    public static TableStatements ReservationCount { get; } = new("SELECT count(*) FROM reservations", Insert: []);

    public static TableStatements HeldUnits { get; } = new("""
        SELECT m.product_id, sum(m.quantity)
        FROM reservations r JOIN movements m ON m.id BETWEEN r.first_movement AND r.last_movement GROUP BY m.product_id
        """, Insert: []);

    public static IReadOnlyList<string> End { get; } =
    [
        "UPDATE stock_checkpoint SET newest_movement = (SELECT coalesce(max(id), 0) FROM movements)",
        $"""
        INSERT INTO movements_by_product (run, product_id, movement_id)
        SELECT id / {Segment}, product_id, id FROM movements
        WHERE id < (SELECT max(id) / {Segment} * {Segment} FROM movements) ORDER BY 1, 2, 3
        """,
    ];
}
