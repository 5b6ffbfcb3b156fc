using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>Checks the orders' data, and compares each order with its movements and reservations.</summary>
internal static class OrderConsistencyCheck
{
    public static IEnumerable<string> Differences(DatabaseFile file, StockConsistency stock) =>
        Alone(file).Concat(WithStock(file, stock));

    private static IEnumerable<string> Alone(DatabaseFile file)
    {
        // Not by the view of all lines: SQLite would read all of it for each order.
        string ofItems = HasItems(file)
            ? """
                (SELECT sum(i.quantity * s.unit_price_cents)
                FROM order_items i JOIN product_snapshots s ON s.number = i.snapshot WHERE i.order_seq = o.seq),
                """
            : "";
        foreach ((string id, long total, long lines) in file.Rows($"""
            SELECT o.id, o.total_cents, coalesce({ofItems}
                (SELECT sum(l.quantity * l.unit_price_cents) FROM order_lines l WHERE l.order_seq = o.seq), -1) AS lines
            FROM orders o WHERE lines <> o.total_cents
            """, static row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2))))
        {
            yield return lines < 0
                ? $"order {id} has no lines"
                : $"order {id} has a total of {total} cents, but its lines make {lines}";
        }

        foreach ((string id, string status, string last) in file.Rows("""
            SELECT o.id, o.status, coalesce(
                (SELECT e.status FROM order_events e WHERE e.order_seq = o.seq ORDER BY e.number DESC LIMIT 1),
                'created') AS last
            FROM orders o WHERE last <> o.status
            """, static row => (row.GetString(0), row.GetString(1), row.GetString(2))))
        {
            yield return $"order {id} is {status}, but its last event says {last}";
        }

        foreach ((string id, string status) in file.Rows("""
            SELECT p.order_id, p.status FROM pending_stock p LEFT JOIN orders o ON o.id = p.order_id
            WHERE o.id IS NULL OR NOT (p.status = o.status OR (p.status = 'shipped' AND o.status = 'delivered'))
            """, static row => (row.GetString(0), row.GetString(1))))
        {
            yield return $"the stock is to follow order {id} to {status}, but the order is not so";
        }

        foreach (string difference in Indexes(file)) yield return difference;
        if (!file.Has("idempotency_keys", "answer") || Deleted(file) > 0) yield break;
        // An order as it was placed is kept by its id, a change of its status by its time.
        foreach (string key in file.Rows("""
            SELECT k.key FROM idempotency_keys k WHERE k.answer GLOB '*[^0-9]*'
            AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = k.answer)
            """, static row => row.GetString(0)))
        {
            yield return $"the idempotency key '{key}' stands for an order that is not there";
        }
    }

    private static IEnumerable<string> Indexes(DatabaseFile file)
    {
        const int Segment = SegmentedIndex.RowsPerSegment;
        // The newest segment has no index yet.
        string indexed = $"(SELECT coalesce(max(seq), 0) / {Segment} * {Segment} FROM orders)";
        (string Difference, string Sql)[] counts =
        [
            ("orders are not in the index by customer", $"""
                SELECT count(*) FROM orders o WHERE o.seq < {indexed} AND NOT EXISTS (
                    SELECT 1 FROM orders_by_customer i
                    WHERE i.run = o.seq / {Segment} AND i.customer_id = o.customer_id AND i.order_seq = o.seq)
                """),
            ("order lines are not in the index by product", $"""
                SELECT count(*) FROM {LinesOf(file)} l WHERE l.order_seq < {indexed} AND NOT EXISTS (
                    SELECT 1 FROM orders_by_product i
                    WHERE i.run = l.order_seq / {Segment} AND i.product_id = l.product_id AND i.order_seq = l.order_seq)
                """),
            ("entries of the index by customer belong to no order", """
                SELECT count(*) FROM orders_by_customer i
                WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.seq = i.order_seq)
                """),
            ("entries of the index by product belong to no order", """
                SELECT count(*) FROM orders_by_product i
                WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.seq = i.order_seq)
                """),
        ];
        foreach ((string difference, string sql) in counts)
        {
            if (file.Number(sql) is > 0 and var count) yield return $"{count} {difference}";
        }
    }

    // A backup may be of a version that kept name and price with each line.
    private static bool HasItems(DatabaseFile file) => file.Has("order_items", "snapshot");

    private static string LinesOf(DatabaseFile file) => HasItems(file) ? "lines_of_orders" : "order_lines";

    /// <summary>How many orders have been deleted because they were old: movements of some may still be
    /// there.</summary>
    private static long Deleted(DatabaseFile file) =>
        file.Has("retention", "orders_deleted") ? file.Number("SELECT orders_deleted FROM retention") : 0;

    // Three lists in the order of the ids, walked side by side.
    private static IEnumerable<string> WithStock(DatabaseFile file, StockConsistency stock)
    {
        bool someWereDeleted = Deleted(file) > 0;
        using IEnumerator<Ordered> orders = ByOrder(Lines(file)).GetEnumerator();
        using IEnumerator<IGrouping<string, OrderUnits>> moves = Grouped(stock.Moved()).GetEnumerator();
        using IEnumerator<(string OrderId, bool IsConfirmed)> held = stock.Held().GetEnumerator();
        bool hasOrder = orders.MoveNext(), hasMoves = moves.MoveNext(), hasHeld = held.MoveNext();
        while (hasOrder || hasMoves || hasHeld)
        {
            string id = Least(
                hasOrder ? orders.Current.Id : null, hasMoves ? moves.Current.Key : null,
                hasHeld ? held.Current.OrderId : null);
            Ordered? order = hasOrder && orders.Current.Id == id ? orders.Current : null;
            OrderUnits[] units = hasMoves && moves.Current.Key == id ? [.. moves.Current] : [];
            bool? isConfirmed = hasHeld && held.Current.OrderId == id ? held.Current.IsConfirmed : null;
            string? difference = order is null
                ? WithoutOrder(units, isConfirmed, someWereDeleted)
                : With(order, units, isConfirmed, someWereDeleted);
            if (difference is not null) yield return $"order {id} {difference}";
            if (order is not null) hasOrder = orders.MoveNext();
            if (units.Length > 0) hasMoves = moves.MoveNext();
            if (isConfirmed is not null) hasHeld = held.MoveNext();
        }
    }

    private static string? WithoutOrder(OrderUnits[] units, bool? isConfirmed, bool someWereDeleted)
    {
        if (isConfirmed == true) return "is not there, but a reservation is held for it";
        if (isConfirmed == false) return null; // the next start releases it
        if (units.Any(unit => unit.Held != 0)) return "is not there, and its movements don't add up to zero";
        return !someWereDeleted && units.Any(unit => unit.Shipped > 0)
            ? "is not there, but its units were shipped"
            : null;
    }

    private static string? With(Ordered order, OrderUnits[] units, bool? isConfirmed, bool someWereDeleted)
    {
        // The change is still in the outbox, and the next start applies it: until then the stock holds the units.
        bool isOpen = OrderStatus.Open.Contains(order.Status) || (order.Pending is not null && isConfirmed is not null);
        if (isOpen && isConfirmed is null) return $"is {order.Status}, but holds no units";
        if (!isOpen && isConfirmed is not null) return $"is {order.Status}, but still holds units";
        var moved = units.ToDictionary(unit => unit.ProductId, StringComparer.Ordinal);
        foreach ((string productId, long quantity) in order.Lines)
        {
            OrderUnits unit = moved.GetValueOrDefault(productId);
            moved.Remove(productId);
            if (unit.Held != (isOpen ? quantity : 0))
            {
                return $"is {order.Status}, and {unit.Held} units of {productId} are held for it; "
                    + $"its lines say {quantity}";
            }

            // An id that was used again after its order was deleted has the movements of both.
            long shipped = order.Status is OrderStatus.Shipped or OrderStatus.Delivered && !isOpen ? quantity : 0;
            if (unit.Shipped < shipped || (unit.Shipped > shipped && !someWereDeleted))
            {
                return $"is {order.Status}, and {unit.Shipped} units of {productId} were shipped; "
                    + $"its lines say {quantity}";
            }
        }

        OrderUnits further = moved.Values.FirstOrDefault(
            unit => unit.Held != 0 || (unit.Shipped != 0 && !someWereDeleted));
        return further.ProductId is { } other
            ? $"has moved units of {other}, which none of its lines names"
            : null;
    }

    private static IEnumerable<OrderedLine> Lines(DatabaseFile file) => file.Rows($"""
        SELECT o.id, o.status, (SELECT p.status FROM pending_stock p WHERE p.order_id = o.id), l.product_id, l.quantity
        FROM orders o JOIN {LinesOf(file)} l ON l.order_seq = o.seq ORDER BY o.id
        """, static row => new OrderedLine(
            row.GetString(0), row.GetString(1), row.IsDBNull(2) ? null : row.GetString(2),
            row.GetString(3), row.GetInt64(4)));

    private static IEnumerable<Ordered> ByOrder(IEnumerable<OrderedLine> lines)
    {
        Ordered? order = null;
        foreach ((string id, string status, string? pending, string productId, long quantity) in lines)
        {
            if (order?.Id != id)
            {
                if (order is not null) yield return order;
                order = new Ordered(id, status, pending);
            }

            order.Lines[productId] = order.Lines.GetValueOrDefault(productId) + quantity;
        }

        if (order is not null) yield return order;
    }

    private static IEnumerable<IGrouping<string, OrderUnits>> Grouped(IEnumerable<OrderUnits> units)
    {
        var same = new List<OrderUnits>();
        foreach (OrderUnits unit in units)
        {
            if (same.Count > 0 && same[0].OrderId != unit.OrderId)
            {
                yield return same.GroupBy(each => each.OrderId, StringComparer.Ordinal).Single();
                same.Clear();
            }

            same.Add(unit);
        }

        if (same.Count > 0) yield return same.GroupBy(each => each.OrderId, StringComparer.Ordinal).Single();
    }

    private static string Least(params ReadOnlySpan<string?> ids)
    {
        string? least = null;
        foreach (string? id in ids)
        {
            if (id is not null && (least is null || string.CompareOrdinal(id, least) < 0)) least = id;
        }

        return least!;
    }

    private readonly record struct OrderedLine(
        string Id, string Status, string? Pending, string ProductId, long Quantity);

    private sealed record Ordered(string Id, string Status, string? Pending)
    {
        public Dictionary<string, long> Lines { get; } = new(StringComparer.Ordinal);
    }
}
