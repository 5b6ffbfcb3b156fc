using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>Every SQL statement of the module. What stands under "inside a write" runs on the writer's thread alone.</summary>
[DapperAot]
internal sealed class OrderStore(Database database)
{
    private const string OrderColumns = """
        o.seq AS Seq, o.id AS Id, o.customer_id AS CustomerId, o.status AS Status, o.total_cents AS TotalCents,
        o.created_at AS CreatedAt, o.updated_at AS UpdatedAt
        """;

    private const string SelectLines = """
        SELECT order_seq AS Seq, product_id AS ProductId, name AS Name, quantity AS Quantity, unit_price_cents AS UnitPriceCents FROM lines_of_orders
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

    /// <summary>Orders whose lines are read at once: so many more than a page has room for may be read in vain.</summary>
    private const int OrdersAtOnce = 32;

    private readonly ProductSnapshotStore _snapshots = FollowedBy(database.Writes);

    private readonly Statement _insert = database.Writes.Prepare("""
        INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, fingerprint, reservation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        """);

    private readonly Statement _insertLine = database.Writes.Prepare(
        "INSERT INTO order_items (order_seq, line, snapshot, quantity) VALUES (?1, ?2, ?3, ?4)");

    private readonly Statement _indexByCustomer = database.Writes.Prepare($"""
        INSERT INTO orders_by_customer (run, customer_id, order_seq)
        SELECT seq / {SegmentedIndex.RowsPerSegment}, customer_id, seq FROM orders
        WHERE seq >= ?1 - {SegmentedIndex.RowsPerSegment} AND seq < ?1 ORDER BY customer_id, seq
        """);

    // A product may stand in several lines. DISTINCT would say so too, at twice the cost.
    private readonly Statement _indexByProduct = database.Writes.Prepare($"""
        INSERT OR IGNORE INTO orders_by_product (run, product_id, order_seq)
        SELECT order_seq / {SegmentedIndex.RowsPerSegment}, product_id, order_seq FROM lines_of_orders
        WHERE order_seq >= ?1 - {SegmentedIndex.RowsPerSegment} AND order_seq < ?1 ORDER BY product_id, order_seq
        """);

    private readonly Statement _insertEvent = database.Writes.Prepare("""
        INSERT INTO order_events (order_seq, number, status, at)
        VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM order_events WHERE order_seq = ?1), ?2, ?3)
        """);

    private readonly Statement _find = database.Writes.Prepare(
        "SELECT seq, customer_id, status, total_cents, created_at, updated_at, reservation FROM orders WHERE id = ?1");

    private readonly Statement _lines = database.Writes.Prepare(
        "SELECT product_id, name, quantity, unit_price_cents FROM lines_of_orders WHERE order_seq = ?1 ORDER BY line");

    private readonly Statement _setStatus = database.Writes.Prepare("UPDATE orders SET status = ?2, updated_at = ?3 WHERE seq = ?1");
    private readonly Statement _addPending = database.Writes.Prepare("INSERT INTO pending_stock (order_id, status) VALUES (?1, ?2)");
    private readonly Statement _removePending = database.Writes.Prepare("DELETE FROM pending_stock WHERE order_id = ?1");

    private readonly Statement _mayGo = database.Writes.Prepare("""
        SELECT 1 FROM orders o WHERE o.seq = ?1
        AND NOT EXISTS (SELECT 1 FROM pending_stock p WHERE p.order_id = o.id)
        AND NOT EXISTS (SELECT 1 FROM kept_orders k WHERE k.order_seq = o.seq AND k.until >= ?2)
        """);

    // In this order: each is found by what the next deletes.
    private readonly Statement[] _deletions =
    [
        database.Writes.Prepare($"""
            DELETE FROM orders_by_product WHERE run = ?1 / {SegmentedIndex.RowsPerSegment} AND order_seq = ?1
            AND product_id IN (SELECT product_id FROM lines_of_orders WHERE order_seq = ?1)
            """),
        database.Writes.Prepare($"""
            DELETE FROM orders_by_customer WHERE run = ?1 / {SegmentedIndex.RowsPerSegment} AND order_seq = ?1
            AND customer_id = (SELECT customer_id FROM orders WHERE seq = ?1)
            """),
        database.Writes.Prepare("DELETE FROM order_lines WHERE order_seq = ?1"),
        database.Writes.Prepare("DELETE FROM order_items WHERE order_seq = ?1"),
        database.Writes.Prepare("DELETE FROM order_events WHERE order_seq = ?1"),
        database.Writes.Prepare("DELETE FROM kept_orders WHERE order_seq = ?1"),
        database.Writes.Prepare("DELETE FROM orders WHERE seq = ?1"),
    ];

    private readonly Statement _noteDeleted = database.Writes.Prepare(
        "UPDATE retention SET orders_deleted = orders_deleted + ?1, newest_order = max(newest_order, ?2)");

    private readonly Statement _keepUntil = database.Writes.Prepare("""
        INSERT INTO kept_orders (order_seq, until) SELECT seq, ?2 FROM orders WHERE id = ?1
        ON CONFLICT (order_seq) DO UPDATE SET until = max(until, excluded.until)
        """);

    private readonly Statement _renumber = database.Writes.Prepare("UPDATE orders SET seq = ?2 WHERE seq = ?1");

    private long _newestDeleted = database.Rows("SELECT newest_order FROM retention", static row => row.GetInt64(0)).Single();

    /// <summary>The group commit.</summary>
    public GroupCommitWriter Writes => database.Writes;

    /// <summary>The answers that are kept for the keys of clients.</summary>
    public IdempotencyKeys Keys => database.Keys;

    // Inside a write.

    public void Insert(Order order, long reservation, byte[]? fingerprint)
    {
        long seq = _insert.Set(1, order.Id).Set(2, order.CustomerId).Set(3, order.Status).Set(4, order.TotalCents)
            .Set(5, order.CreatedAt).Set(6, order.UpdatedAt).Set(7, fingerprint).Set(8, reservation).Insert();
        if (seq <= _newestDeleted) seq = Renumber(seq);
        for (int i = 0; i < order.Lines.Count; i++)
        {
            OrderLine line = order.Lines[i];
            _insertLine.Set(1, seq).Set(2, i).Set(3, _snapshots.NumberOf(line)).Set(4, line.Quantity).Run();
        }

        if (!SegmentedIndex.StartsSegment(seq)) return;
        _indexByCustomer.Set(1, seq).Run();
        _indexByProduct.Set(1, seq).Run();
    }

    public (long Seq, Order Order, ReservationId Reservation)? FindForChange(string id)
    {
        (long Seq, Order Order, ReservationId Reservation)? found = _find.Set(1, id).First(row => ((long, Order, ReservationId)?)(row.Number(0),
            new Order(id, row.Text(1), row.Text(2), row.Number(3), row.Number(4), row.Number(5), []), new ReservationId(id, row.Number(6))));
        if (found is not { } order) return null;
        IReadOnlyList<OrderLine> lines = _lines.Set(1, order.Seq).All(static row => new OrderLine(row.Text(0), row.Text(1), row.Number(2), row.Number(3)));
        return order with { Order = order.Order with { Lines = lines } };
    }

    public void SetStatus(long seq, string status, long now)
    {
        _setStatus.Set(1, seq).Set(2, status).Set(3, now).Run();
        _insertEvent.Set(1, seq).Set(2, status).Set(3, now).Run();
    }

    /// <summary>An order is not deleted before a time.</summary>
    /// <returns>Whether the order is there.</returns>
    public bool KeepUntil(string orderId, DateTime until) => _keepUntil.Set(1, orderId).Set(2, until.ToMilliseconds()).Run() > 0;

    /// <summary>Deletes orders, but those whose stock has yet to follow, and those that are kept for a key.</summary>
    /// <returns>How many are gone.</returns>
    public int Delete(IReadOnlyList<long> seqs, DateTime now)
    {
        int deleted = 0;
        foreach (long seq in seqs)
        {
            if (!_mayGo.Set(1, seq).Set(2, now.ToMilliseconds()).First(static _ => true)) continue;
            foreach (Statement deletion in _deletions) deletion.Set(1, seq).Run();
            // If the write is undone, the order is still there, and so the next has a greater number anyway.
            _newestDeleted = Math.Max(seq, _newestDeleted);
            deleted++;
        }

        if (deleted > 0) _noteDeleted.Set(1, deleted).Set(2, _newestDeleted).Run();
        return deleted;
    }

    public void AddPending(string orderId, string status) => _addPending.Set(1, orderId).Set(2, status).Run();

    public void RemovePending(string orderId) => _removePending.Set(1, orderId).Run();

    // Reads.

    public Order? Find(string id)
    {
        using SqliteConnection connection = database.OpenRead();
        OrderRow? row = connection.QuerySingleOrDefault<OrderRow>($"SELECT {OrderColumns} FROM orders o WHERE o.id = @id", new { id });
        return row is not null && WithLines(connection, [row], 1).Rows is [(_, var order)] ? order : null;
    }

    /// <summary>The orders newest first, from before one on: so many at most, and as many as a page has room for.</summary>
    public PageOf<(long Seq, Order Order)> List(OrderFilter filter, long? before, long limit, CancellationToken end) =>
        database.Read(connection => WithLines(connection, Rows(connection, OrderColumns, filter, before, limit + 1, (sql, wanted) => connection.Query<OrderRow>(sql, wanted)), limit), end);

    /// <summary>The newest orders without their lines, newest first.</summary>
    public IReadOnlyList<OrderHead> Newest(OrderFilter filter, long limit, CancellationToken end) => database.Read(connection => Rows(connection, """
        o.id AS Id, o.customer_id AS CustomerId, o.status AS Status,
        (SELECT count(*) FROM order_lines l WHERE l.order_seq = o.seq) + (SELECT count(*) FROM order_items i WHERE i.order_seq = o.seq) AS Lines,
        o.total_cents AS TotalCents, o.created_at AS CreatedAt, o.updated_at AS UpdatedAt
        """, filter, null, limit, (sql, wanted) => connection.Query<OrderHead>(sql, wanted)), end);

    /// <summary>Counts the orders of a customer or of a product, and stops at a bound.</summary>
    public long Count(OrderFilter filter, long atMost, CancellationToken end) => database.Read(connection =>
    {
        SegmentQueries sql = InSegments("SELECT 1", filter);
        // If the index alone has the answer, no order is looked at.
        if (filter.HasOneKeyAlone) sql = sql with { Indexed = $"SELECT 1 FROM {Index(filter)}" };
        return SegmentedIndex.Count(sql, Numbers(connection), atMost,
            (text, segment) => connection.ExecuteScalar<long>(text, Wanted.By(filter, long.MaxValue, segment)));
    }, end);

    public IReadOnlyDictionary<string, long> CountByStatus() =>
        database.Rows("SELECT status, count(*) FROM orders GROUP BY status", static row => (Status: row.GetString(0), Orders: row.GetInt64(1)))
            .ToDictionary(row => row.Status, row => row.Orders, StringComparer.Ordinal);

    /// <summary>What became of an order and when, oldest first; nothing where there is no such order.</summary>
    public IReadOnlyList<(string Status, long At)> Events(string orderId)
    {
        using SqliteConnection connection = database.OpenRead();
        return [.. connection.Query<EventRow>("""
            SELECT @created AS Status, created_at AS At, 0 AS Number FROM orders WHERE id = @orderId
            UNION ALL
            SELECT e.status, e.at, e.number FROM orders o JOIN order_events e ON e.order_seq = o.seq WHERE o.id = @orderId
            ORDER BY Number
            """, new { orderId, created = OrderStatus.Created }).Select(row => (row.Status, row.At))];
    }

    /// <summary>The content of the order that has this id; the fingerprint is null where the shop made the id.</summary>
    public (bool Exists, byte[]? Fingerprint) FindId(string orderId)
    {
        using SqliteConnection connection = database.OpenRead();
        FingerprintRow? row = connection.QuerySingleOrDefault<FingerprintRow>(
            "SELECT fingerprint AS Fingerprint FROM orders WHERE id = @orderId", new { orderId });
        return (row is not null, row?.Fingerprint);
    }

    /// <summary>Orders in a status by their numbers, from after one on.</summary>
    public IReadOnlyList<OrderAge> InStatus(string status, long after, int limit)
    {
        using SqliteConnection connection = database.OpenRead();
        return [.. connection.Query<OrderAge>(
            "SELECT seq AS Seq, created_at AS CreatedAt, updated_at AS UpdatedAt FROM orders WHERE status = @status AND seq > @after ORDER BY seq LIMIT @limit",
            new { status, after, limit })];
    }

    /// <summary>Those of these orders that exist.</summary>
    public IReadOnlySet<string> Existing(IReadOnlyCollection<string> orderIds)
    {
        using SqliteConnection connection = database.OpenRead();
        string ids = JsonSerializer.Serialize(orderIds, OrdersJson.Default.IReadOnlyCollectionString);
        return connection.Query<string>("SELECT id FROM orders WHERE id IN (SELECT value FROM json_each(@ids))", new { ids })
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Those of these reservations that an order was placed with.</summary>
    public IReadOnlySet<ReservationId> WithOrders(IReadOnlyList<ReservationId> reservations)
    {
        using SqliteConnection connection = database.OpenRead();
        string ids = JsonSerializer.Serialize(
            [.. reservations.Select(reservation => reservation.OrderId)], OrdersJson.Default.IReadOnlyCollectionString);
        return connection.Query<ReservationId>("""
            SELECT id AS OrderId, reservation AS Number FROM orders WHERE id IN (SELECT value FROM json_each(@ids))
            """, new { ids }).Intersect(reservations).ToHashSet();
    }

    /// <summary>The status changes whose stock side is not known to have happened.</summary>
    public IReadOnlyList<(ReservationId Reservation, string Status)> Pending() =>
    [
        .. database.Rows("SELECT p.order_id, o.reservation, p.status FROM pending_stock p JOIN orders o ON o.id = p.order_id",
            static row => (new ReservationId(row.GetString(0), row.GetInt64(1)), row.GetString(2))),
    ];

    private static RowRange Numbers(SqliteConnection connection) =>
        connection.QuerySingle<RowRange>("SELECT coalesce((SELECT min(seq) FROM orders), 0) AS Oldest, coalesce((SELECT max(seq) FROM orders), 0) AS Newest");

    // The newest row was deleted: SQLite would give its number again.
    private long Renumber(long seq)
    {
        long next = _newestDeleted + 1;
        _renumber.Set(1, seq).Set(2, next).Run();
        return next;
    }

    private static SegmentQueries InSegments(string select, OrderFilter filter, string rest = "") => new(
        string.Concat(select, " FROM orders o WHERE o.seq >= @SegmentStart", Conditions(filter), rest),
        string.Concat(select, " FROM ", Index(filter), " CROSS JOIN orders o ON o.seq = i.order_seq WHERE true", Conditions(filter), rest));

    private static string Index(OrderFilter filter) => filter.CustomerId is not null
        ? "run CROSS JOIN orders_by_customer i ON i.run = run.n AND i.customer_id = @CustomerId"
        : "run CROSS JOIN orders_by_product i ON i.run = run.n AND i.product_id = @ProductId";

    private static string Conditions(OrderFilter filter) => string.Concat(
        filter.Status is null ? "" : " AND o.status = @Status",
        filter.CustomerId is null ? "" : " AND o.customer_id = @CustomerId",
        filter.ProductId is null ? "" : " AND EXISTS (SELECT 1 FROM lines_of_orders l WHERE l.order_seq = o.seq AND l.product_id = @ProductId)");

    private static TRow[] Rows<TRow>(
        SqliteConnection connection, string columns, OrderFilter filter, long? before, long limit, Func<string, Wanted, IEnumerable<TRow>> query)
    {
        const string NewestFirst = " AND o.seq < @Before ORDER BY o.seq DESC LIMIT @Limit";
        long bound = before ?? long.MaxValue;
        return filter.UsesSegments
            ? SegmentedIndex.NewestFirst(InSegments($"SELECT {columns}", filter, NewestFirst), Numbers(connection), bound, limit,
                (sql, segment) => query(sql, Wanted.By(filter, bound, segment)))
            : [.. query($"SELECT {columns} FROM orders o WHERE true {Conditions(filter)} {NewestFirst}",
                Wanted.By(filter, bound, new SegmentBounds(Limit: limit)))];
    }

    private static PageOf<(long Seq, Order Order)> WithLines(SqliteConnection connection, OrderRow[] rows, long limit)
    {
        var orders = new List<(long Seq, Order Order)>();
        long bytes = 0;
        foreach (OrderRow[] some in rows.Take((int)limit).Chunk(OrdersAtOnce))
        {
            ILookup<long, LineRow> lines = Lines(connection, [.. some.Select(row => row.Seq).Order()]);
            foreach (OrderRow row in some)
            {
                if (!lines.Contains(row.Seq)) continue; // it was deleted between the two reads
                var order = new Order(row.Id, row.CustomerId, row.Status, row.TotalCents, row.CreatedAt, row.UpdatedAt,
                    [.. lines[row.Seq].Select(line => new OrderLine(line.ProductId, line.Name, line.Quantity, line.UnitPriceCents))]);
                bytes += order.JsonBytes;
                if (bytes > Paging.MaxBytes && orders.Count > 0) return new PageOf<(long, Order)>(orders, HasMore: true);
                orders.Add((row.Seq, order));
            }
        }

        return new PageOf<(long, Order)>(orders, rows.Length > limit);
    }

    private static ILookup<long, LineRow> Lines(SqliteConnection connection, long[] seqs)
    {
        // Most lists are of orders that came one after the other: then their lines lie side by side, and are found once instead of order by order.
        string list = JsonSerializer.Serialize(seqs, OrdersJson.Default.Int64Array);
        bool areNeighbours = seqs[^1] - seqs[0] == seqs.Length - 1;
        IEnumerable<LineRow> found = areNeighbours
            ? connection.Query<LineRow>($"{SelectLines} WHERE order_seq BETWEEN @first AND @last ORDER BY order_seq, line", new { first = seqs[0], last = seqs[^1] })
            : connection.Query<LineRow>(SelectLinesOfMany, new { list });
        return found.ToLookup(line => line.Seq);
    }

    private static ProductSnapshotStore FollowedBy(GroupCommitWriter writes)
    {
        var snapshots = new ProductSnapshotStore(writes);
        writes.Enlist(snapshots);
        return snapshots;
    }

    /// <summary>The parameters of a list.</summary>
    internal sealed record Wanted(
        string? Status, string? CustomerId, string? ProductId, long Before, long SegmentStart, long NewestSegment, long OldestSegment, long Limit)
    {
        public static Wanted By(OrderFilter filter, long before, SegmentBounds segment) => new(
            filter.Status, filter.CustomerId, filter.ProductId, before, segment.SegmentStart, segment.NewestSegment, segment.OldestSegment, segment.Limit);
    }

    internal sealed record EventRow(string Status, long At, long Number);

    internal sealed record FingerprintRow(byte[]? Fingerprint);

    internal sealed record OrderRow(long Seq, string Id, string CustomerId, string Status, long TotalCents, long CreatedAt, long UpdatedAt);

    internal sealed record LineRow(long Seq, string ProductId, string Name, long Quantity, long UnitPriceCents);
}

/// <summary>Which orders a list is of.</summary>
internal sealed record OrderFilter(string? Status, string? CustomerId, string? ProductId)
{
    /// <summary>Whether its index is cut into runs.</summary>
    public bool UsesSegments => CustomerId is not null || ProductId is not null;

    /// <summary>Whether one index says all that is asked.</summary>
    public bool HasOneKeyAlone => Status is null && (CustomerId is null || ProductId is null);
}
