using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>The reads of the store, each on its caller's thread, by a read-only connection from the pool.</summary>
[DapperAot]
internal sealed class OrderQueries(Database database, SegmentedTable table, OrderCounts counts)
{
    private const string OrderColumns = """
        o.seq AS Seq, o.id AS Id, o.customer_id AS CustomerId, o.status AS Status, o.total_cents AS TotalCents,
        o.created_at AS CreatedAt, o.updated_at AS UpdatedAt
        """;

    private const string HeaderColumns = """
        o.id AS Id, o.customer_id AS CustomerId, o.status AS Status,
        (SELECT count(*) FROM order_lines l WHERE l.order_seq = o.seq)
            + (SELECT count(*) FROM order_items i WHERE i.order_seq = o.seq) AS Lines,
        o.total_cents AS TotalCents, o.created_at AS CreatedAt, o.updated_at AS UpdatedAt
        """;

    private const string SelectLines = """
        SELECT order_seq AS Seq, product_id AS ProductId, name AS Name, quantity AS Quantity,
        unit_price_cents AS UnitPriceCents
        FROM lines_of_orders
        """;

    // The view would be read from end to end for a list that a parameter holds.
    private const string SelectLinesOfMany = """
        SELECT l.order_seq AS Seq, l.product_id AS ProductId, l.name AS Name, l.quantity AS Quantity,
            l.unit_price_cents AS UnitPriceCents, l.line AS Line
        FROM json_each(@list) wanted CROSS JOIN order_lines l ON l.order_seq = wanted.value
        UNION ALL
        SELECT i.order_seq, s.product_id, s.name, i.quantity, s.unit_price_cents, i.line
        FROM json_each(@list) wanted CROSS JOIN order_items i ON i.order_seq = wanted.value
        CROSS JOIN product_snapshots s ON s.number = i.snapshot
        ORDER BY Seq, Line
        """;

    /// <summary>
    /// Orders whose lines are read at once. A page that is full before its last order has read at most so many orders
    /// in vain.
    /// </summary>
    private const int OrdersAtOnce = 32;

    public Order? Find(string id) => database.Read(connection =>
    {
        OrderRow? row = connection.QuerySingleOrDefault<OrderRow>(
            $"SELECT {OrderColumns} FROM orders o WHERE o.id = @id", new { id });
        return row is not null && WithLines(connection, [row], 1).Orders is [var order] ? order : null;
    });

    public IReadOnlyList<OrderEvent> Events(string orderId) => database.Read<IReadOnlyList<OrderEvent>>(connection =>
    [
        .. connection.Query<EventRow>("""
            SELECT @created AS Status, created_at AS At, 0 AS Number FROM orders WHERE id = @orderId
            UNION ALL
            SELECT e.status, e.at, e.number FROM orders o JOIN order_events e ON e.order_seq = o.seq
            WHERE o.id = @orderId
            ORDER BY Number
            """, new { orderId, created = OrderStatus.Created }).Select(row => new OrderEvent(row.Status, row.At)),
    ]);

    /// <summary>The fingerprint of an order; null if the client did not choose its id.</summary>
    public (bool Exists, byte[]? Fingerprint) FindFingerprint(string orderId) => database.Read(connection =>
    {
        FingerprintRow? row = connection.QuerySingleOrDefault<FingerprintRow>(
            "SELECT fingerprint AS Fingerprint FROM orders WHERE id = @orderId", new { orderId });
        return (row is not null, row?.Fingerprint);
    });

    public OrderPage List(OrderFilter filter, long? before, long limit, CancellationToken end) => database.Read(
        connection =>
        {
            OrderRow[] rows = Rows(connection, OrderColumns, filter, before, limit + 1,
                (sql, wanted) => connection.Query<OrderRow>(sql, wanted));
            (IReadOnlyList<Order> orders, long? next) = WithLines(connection, rows, limit);
            bool areAll = before is null && next is null;
            RowTotal total = UsesSegments(filter)
                ? Paging.Count(orders.Count, areAll, atMost => Count(connection, filter, atMost))
                : new RowTotal(counts.Of(filter.Status));
            return new OrderPage(orders, next, total);
        }, end);

    public IReadOnlyList<OrderHeader> ListNewest(OrderFilter filter, long limit, CancellationToken end) =>
        database.Read(
        connection => Rows(connection, HeaderColumns, filter, null, limit,
            (sql, wanted) => connection.Query<OrderHeader>(sql, wanted)), end);

    /// <summary>Orders in a status with numbers after this one, in the order of their numbers.</summary>
    public IReadOnlyList<OrderAge> ListByAge(string status, long after, int limit) => database.Read(
        connection => connection.Query<OrderAge>("""
            SELECT id AS Id, seq AS Seq, created_at AS CreatedAt, updated_at AS UpdatedAt FROM orders
            WHERE status = @status AND seq > @after ORDER BY seq LIMIT @limit
            """, new { status, after, limit }).ToArray());

    public IReadOnlySet<string> FindExisting(IReadOnlyCollection<string> orderIds) => database.Read(connection =>
    {
        string ids = JsonSerializer.Serialize(orderIds, OrdersJson.Default.IReadOnlyCollectionString);
        return connection.Query<string>(
            "SELECT id FROM orders WHERE id IN (SELECT value FROM json_each(@ids))", new { ids })
            .ToHashSet(StringComparer.Ordinal);
    });

    /// <summary>Those of these reservations that an order was placed with.</summary>
    public IReadOnlySet<ReservationId> WithOrders(IReadOnlyList<ReservationId> reservations) => database.Read(
        connection =>
        {
            string ids = JsonSerializer.Serialize(
                [.. reservations.Select(reservation => reservation.OrderId)],
                OrdersJson.Default.IReadOnlyCollectionString);
            return connection.Query<ReservationId>("""
                SELECT id AS OrderId, reservation AS Number FROM orders WHERE id IN (SELECT value FROM json_each(@ids))
                """, new { ids }).Intersect(reservations).ToHashSet();
        });

    public IReadOnlyList<StockChange> PendingStockChanges() =>
    [
        .. database.Rows(
            "SELECT p.order_id, o.reservation, p.status FROM pending_stock p JOIN orders o ON o.id = p.order_id",
            static row => new StockChange(new ReservationId(row.GetString(0), row.GetInt64(1)), row.GetString(2))),
    ];

    private static bool UsesSegments(OrderFilter filter) =>
        filter.CustomerId is not null || filter.ProductId is not null;

    private static SegmentQueries InSegments(string select, OrderFilter filter, string rest = "") => new(
        string.Concat(select, " FROM orders o WHERE o.seq >= @SegmentStart", Conditions(filter), rest),
        string.Concat(select, " FROM ", Index(filter), " CROSS JOIN orders o ON o.seq = i.order_seq WHERE true",
            Conditions(filter), rest));

    private static string Index(OrderFilter filter) => filter.CustomerId is not null
        ? "run CROSS JOIN orders_by_customer i ON i.run = run.n AND i.customer_id = @CustomerId"
        : "run CROSS JOIN orders_by_product i ON i.run = run.n AND i.product_id = @ProductId";

    private static string Conditions(OrderFilter filter) => string.Concat(
        filter.Status is null ? "" : " AND o.status = @Status",
        filter.CustomerId is null ? "" : " AND o.customer_id = @CustomerId",
        filter.ProductId is null
            ? ""
            : " AND EXISTS (SELECT 1 FROM lines_of_orders l WHERE l.order_seq = o.seq AND l.product_id = @ProductId)");

    private static (IReadOnlyList<Order> Orders, long? Next) WithLines(
        SqliteConnection connection, OrderRow[] rows, long limit)
    {
        var orders = new List<Order>();
        long bytes = 0, last = 0;
        foreach (OrderRow[] some in rows.Take((int)limit).Chunk(OrdersAtOnce))
        {
            ILookup<long, LineRow> lines = Lines(connection, [.. some.Select(row => row.Seq).Order()]);
            foreach (OrderRow row in some)
            {
                if (!lines.Contains(row.Seq)) continue; // it was deleted between the two reads
                OrderLine[] ordered =
                [
                    .. lines[row.Seq].Select(
                        line => new OrderLine(line.ProductId, line.Name, line.Quantity, line.UnitPriceCents)),
                ];
                var order = new Order(
                    row.Id, row.CustomerId, row.Status, row.TotalCents, row.CreatedAt, row.UpdatedAt, ordered);
                bytes += order.JsonBytes;
                if (bytes > Paging.MaxBytes && orders.Count > 0) return (orders, last);
                orders.Add(order);
                last = row.Seq;
            }
        }

        return (orders, rows.Length > limit ? rows[(int)limit - 1].Seq : null);
    }

    private static ILookup<long, LineRow> Lines(SqliteConnection connection, long[] seqs)
    {
        // Most pages are of consecutive orders. Their lines are neighbours, and are found by one range.
        string list = JsonSerializer.Serialize(seqs, OrdersJson.Default.Int64Array);
        bool areNeighbours = seqs[^1] - seqs[0] == seqs.Length - 1;
        IEnumerable<LineRow> found = areNeighbours
            ? connection.Query<LineRow>(
                $"{SelectLines} WHERE order_seq BETWEEN @first AND @last ORDER BY order_seq, line",
                new { first = seqs[0], last = seqs[^1] })
            : connection.Query<LineRow>(SelectLinesOfMany, new { list });
        return found.ToLookup(line => line.Seq);
    }

    private TRow[] Rows<TRow>(
        SqliteConnection connection, string columns, OrderFilter filter, long? before, long limit,
        Func<string, Wanted, IEnumerable<TRow>> query)
    {
        const string NewestFirst = " AND o.seq < @Before ORDER BY o.seq DESC LIMIT @Limit";
        long bound = before ?? long.MaxValue;
        return UsesSegments(filter)
            ? SegmentedIndex.NewestFirst(
                InSegments($"SELECT {columns}", filter, NewestFirst), table.Numbers(connection), bound, limit,
                (sql, segment) => query(sql, Wanted.By(filter, bound, segment)))
            : [.. query($"SELECT {columns} FROM orders o WHERE true {Conditions(filter)} {NewestFirst}",
                Wanted.By(filter, bound, new SegmentBounds(Limit: limit)))];
    }

    /// <summary>Counts the orders of a customer or of a product, and stops at a bound.</summary>
    private long Count(SqliteConnection connection, OrderFilter filter, long atMost)
    {
        SegmentQueries sql = InSegments("SELECT 1", filter);
        // If one index alone has the answer, no order is read.
        if (filter.Status is null && (filter.CustomerId is null || filter.ProductId is null))
            sql = sql with { Indexed = $"SELECT 1 FROM {Index(filter)}" };
        return SegmentedIndex.Count(sql, table.Numbers(connection), atMost,
            (text, segment) => connection.ExecuteScalar<long>(text, Wanted.By(filter, long.MaxValue, segment)));
    }

    /// <summary>The parameters of a list.</summary>
    internal sealed record Wanted(
        string? Status, string? CustomerId, string? ProductId, long Before,
        long SegmentStart, long NewestSegment, long OldestSegment, long Limit)
    {
        public static Wanted By(OrderFilter filter, long before, SegmentBounds segment) => new(
            filter.Status, filter.CustomerId, filter.ProductId, before,
            segment.SegmentStart, segment.NewestSegment, segment.OldestSegment, segment.Limit);
    }

    internal sealed record EventRow(string Status, long At, long Number);

    internal sealed record FingerprintRow(byte[]? Fingerprint);

    internal sealed record OrderRow(
        long Seq, string Id, string CustomerId, string Status, long TotalCents, long CreatedAt, long UpdatedAt);

    internal sealed record LineRow(long Seq, string ProductId, string Name, long Quantity, long UnitPriceCents);
}
