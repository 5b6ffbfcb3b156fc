using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>
/// Checks the stock in a file: it keeps a few numbers for each product in memory, and reads the rest row by row.
/// </summary>
internal static class StockConsistencyQueries
{
    public static IEnumerable<string> Differences(DatabaseFile file)
    {
        var products = new Dictionary<string, Product>(StringComparer.Ordinal);
        foreach ((string id, Product opening) in OpeningBalances(file)) products[id] = opening;
        foreach (string difference in Movements(file, products)) yield return difference;
        foreach (string difference in Levels(file, products)) yield return difference;
        foreach (string difference in Reservations(file, products)) yield return difference;
        foreach (string difference in Index(file)) yield return difference;
    }

    public static IEnumerable<OrderUnits> Moved(DatabaseFile file) => file.Rows("""
        SELECT order_id, product_id,
               sum(CASE kind WHEN 'reserved' THEN quantity ELSE 0 END),
               sum(CASE kind WHEN 'released' THEN quantity ELSE 0 END),
               sum(CASE kind WHEN 'shipped' THEN quantity ELSE 0 END)
        FROM movements WHERE order_id IS NOT NULL GROUP BY order_id, product_id ORDER BY order_id, product_id
        """, static row => new OrderUnits(row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3),
            row.GetInt64(4)));

    public static IEnumerable<(string OrderId, bool IsConfirmed)> Held(DatabaseFile file) =>
        file.Rows("SELECT order_id, is_confirmed FROM reservations ORDER BY order_id",
            static row => (row.GetString(0), row.GetBoolean(1)));

    public static IEnumerable<string> Products(DatabaseFile file) =>
        file.Rows("SELECT product_id FROM stock ORDER BY product_id", static row => row.GetString(0));

    private static IEnumerable<(string Id, Product Opening)> OpeningBalances(DatabaseFile file) =>
        file.Has("opening_balances", "product_id")
        ? file.Rows("SELECT product_id, on_hand, reserved, last_movement FROM opening_balances",
            static row => (row.GetString(0), new Product
            {
                OnHand = row.GetInt64(1),
                Reserved = row.GetInt64(2),
                Newest = row.GetInt64(3),
                Compacted = row.GetInt64(3),
            }))
        : [];

    // Each movement says what the figures were after it. Movements before the last compacted one have gaps between
    // them.
    private static IEnumerable<string> Movements(DatabaseFile file, Dictionary<string, Product> products)
    {
        foreach ((long id, string productId, string kindName, long quantity, long onHand, long reserved) in file.Rows(
            "SELECT id, product_id, kind, quantity, on_hand, reserved FROM movements ORDER BY id",
            static row => (row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetInt64(4),
                row.GetInt64(5))))
        {
            if (MovementKind.Find(kindName) is not { } kind)
            {
                yield return $"movement {id} of {productId} has an unknown kind: {kindName}";
                continue;
            }

            if (!products.TryGetValue(productId, out Product? product)) products[productId] = product = new Product();
            product.OnHand += kind.OnHandSign * quantity;
            product.Reserved += kind.ReservedSign * quantity;
            product.Newest = Math.Max(id, product.Newest);
            if (id <= product.Compacted || (product.OnHand == onHand && product.Reserved == reserved)) continue;
            yield return $"movement {id} of {productId} says {onHand} on hand and {reserved} reserved, "
                + $"but the movements up to it make {product.OnHand} and {product.Reserved}";
            (product.OnHand, product.Reserved) = (onHand, reserved); // each difference is named once
        }
    }

    // Rows are written after the movements, and up to the checkpoint they must be the same.
    private static IEnumerable<string> Levels(DatabaseFile file, Dictionary<string, Product> products)
    {
        long checkpoint = file.Number("SELECT newest_movement FROM stock_checkpoint");
        foreach ((string id, long onHand, long reserved) in file.Rows("SELECT product_id, on_hand, reserved FROM stock",
            static row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2))))
        {
            if (!products.TryGetValue(id, out Product? product)) products[id] = product = new Product();
            product.HasStock = true;
            if (product.Newest <= checkpoint && (product.OnHand, product.Reserved) != (onHand, reserved))
                yield return $"the level of {id} is {onHand} on hand and {reserved} reserved, "
                    + $"but its movements make {product.OnHand} and {product.Reserved}";
        }

        foreach ((string id, Product product) in products)
        {
            if (!product.HasStock) yield return $"{id} has movements, but no stock";
            if (product.Reserved < 0 || product.OnHand < product.Reserved)
                yield return $"{id} has {product.OnHand} on hand and {product.Reserved} reserved";
        }
    }

    private static IEnumerable<string> Reservations(DatabaseFile file, Dictionary<string, Product> products)
    {
        foreach (string orderId in file.Rows("""
            SELECT r.order_id FROM reservations r
            WHERE coalesce((SELECT min(m.order_id IS r.order_id AND m.kind = 'reserved') FROM movements m
            WHERE m.id BETWEEN r.first_movement AND r.last_movement), 0) = 0
            """, static row => row.GetString(0)))
        {
            yield return $"the reservation of order {orderId} names movements that are not its own";
        }

        foreach ((string id, long held) in file.Rows("""
            SELECT m.product_id, sum(m.quantity)
            FROM reservations r JOIN movements m ON m.id BETWEEN r.first_movement AND r.last_movement
            GROUP BY m.product_id
            """, static row => (row.GetString(0), row.GetInt64(1))))
        {
            if (products.TryGetValue(id, out Product? product)) product.Held = held;
        }

        foreach ((string id, Product product) in products)
        {
            if (product.Held != product.Reserved)
                yield return $"{product.Reserved} units of {id} are reserved, but reservations hold {product.Held}";
        }
    }

    private static IEnumerable<string> Index(DatabaseFile file)
    {
        const int Rows = SegmentedIndex.RowsPerSegment;
        long missing = file.Number($"""
            SELECT count(*) FROM movements m
            WHERE m.id < (SELECT coalesce(max(id), 0) / {Rows} * {Rows} FROM movements)
            AND NOT EXISTS (SELECT 1 FROM movements_by_product i
                WHERE i.run = m.id / {Rows} AND i.product_id = m.product_id AND i.movement_id = m.id)
            """);
        long dangling = file.Number("""
            SELECT count(*) FROM movements_by_product i
            WHERE NOT EXISTS (SELECT 1 FROM movements m WHERE m.id = i.movement_id AND m.product_id = i.product_id)
            """);
        if (missing > 0) yield return $"{missing} movements are not in the index by product";
        if (dangling > 0) yield return $"the index by product has {dangling} movements that are not there";
    }

    private sealed class Product
    {
        public long OnHand { get; set; }

        public long Reserved { get; set; }

        public long Held { get; set; }

        public long Newest { get; set; }

        public long Compacted { get; init; }

        public bool HasStock { get; set; }
    }
}
