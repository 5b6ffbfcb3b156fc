using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;
using SQLitePCL;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>The statements of the commands, prepared once. They are used on the writer's thread alone.</summary>
internal sealed class OrderWrites
{
    private const int Segment = SegmentedIndex.RowsPerSegment;

    private readonly bool _keepsForEver;
    private readonly ProductSnapshots _snapshots;
    private readonly Statement _insert, _insertLine, _indexByCustomer, _indexByProduct;
    private readonly Statement _find, _lines, _setStatus, _insertEvent;
    private readonly Statement _addStockChange, _removeStockChange, _mayBeDeleted, _noteDeleted, _keepUntil;
    private readonly Statement[] _deletions;

    public OrderWrites(Database database, bool keepsForEver)
    {
        Statement Prepare(string sql) => database.Writes.Prepare(sql);
        _keepsForEver = keepsForEver;
        Keys = database.Keys;
        _snapshots = new ProductSnapshots(database.Writes);
        database.Writes.Enlist(_snapshots);
        Table = new SegmentedTable(database, "orders", "seq",
            database.Rows("SELECT newest_order FROM retention", static row => row.GetInt64(0)).Single(),
            ("orders_by_customer", "order_seq"), ("orders_by_product", "order_seq"));

        _insert = Prepare("""
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, fingerprint, reservation)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """);
        _insertLine = Prepare("INSERT INTO order_items (order_seq, line, snapshot, quantity) VALUES (?1, ?2, ?3, ?4)");
        _indexByCustomer = Prepare($"""
            INSERT INTO orders_by_customer (run, customer_id, order_seq)
            SELECT seq / {Segment}, customer_id, seq FROM orders
            WHERE seq >= ?1 - {Segment} AND seq < ?1 ORDER BY customer_id, seq
            """);
        // A product may stand in several lines of an order. DISTINCT would say the same at twice the cost.
        _indexByProduct = Prepare($"""
            INSERT OR IGNORE INTO orders_by_product (run, product_id, order_seq)
            SELECT order_seq / {Segment}, product_id, order_seq FROM lines_of_orders
            WHERE order_seq >= ?1 - {Segment} AND order_seq < ?1 ORDER BY product_id, order_seq
            """);

        _find = Prepare("""
            SELECT seq, customer_id, status, total_cents, created_at, updated_at, reservation FROM orders WHERE id = ?1
            """);
        _lines = Prepare("""
            SELECT product_id, name, quantity, unit_price_cents FROM lines_of_orders WHERE order_seq = ?1 ORDER BY line
            """);
        _setStatus = Prepare("UPDATE orders SET status = ?2, updated_at = ?3 WHERE seq = ?1");
        _insertEvent = Prepare("""
            INSERT INTO order_events (order_seq, number, status, at)
            VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM order_events WHERE order_seq = ?1), ?2, ?3)
            """);
        _addStockChange = Prepare("INSERT INTO pending_stock (order_id, status) VALUES (?1, ?2)");
        _removeStockChange = Prepare("DELETE FROM pending_stock WHERE order_id = ?1");

        _keepUntil = Prepare("""
            INSERT INTO kept_orders (order_seq, until) SELECT seq, ?2 FROM orders WHERE id = ?1
            ON CONFLICT (order_seq) DO UPDATE SET until = max(until, excluded.until)
            """);
        _mayBeDeleted = Prepare("""
            SELECT 1 FROM orders o WHERE o.seq = ?1
            AND NOT EXISTS (SELECT 1 FROM pending_stock p WHERE p.order_id = o.id)
            AND NOT EXISTS (SELECT 1 FROM kept_orders k WHERE k.order_seq = o.seq AND k.until >= ?2)
            """);
        _noteDeleted = Prepare("""
            UPDATE retention SET orders_deleted = orders_deleted + ?1, newest_order = max(newest_order, ?2)
            """);
        // The order matters: each finds its rows by rows that a later one deletes.
        _deletions = Deletions(Prepare);
    }

    /// <summary>The table of the orders.</summary>
    public SegmentedTable Table { get; }

    /// <summary>The idempotency keys.</summary>
    public IdempotencyKeys Keys { get; }

    /// <summary>Inserts an order.</summary>
    /// <returns>Whether it was inserted: false if there is an order with its id.</returns>
    public bool TryInsert(Order order, long reservation, byte[]? fingerprint)
    {
        _insert.Set(1, order.Id).Set(2, order.CustomerId).Set(3, order.Status).Set(4, order.TotalCents)
            .Set(5, order.CreatedAt).Set(6, order.UpdatedAt).Set(7, fingerprint).Set(8, reservation);
        long seq;
        try
        {
            seq = Table.Insert(_insert);
        }
        catch (SqliteException exception) when (exception.SqliteExtendedErrorCode == raw.SQLITE_CONSTRAINT_UNIQUE)
        {
            return false;
        }

        for (int i = 0; i < order.Lines.Count; i++)
        {
            OrderLine line = order.Lines[i];
            _insertLine.Set(1, seq).Set(2, i).Set(3, _snapshots.NumberOf(line)).Set(4, line.Quantity).Run();
        }

        if (!SegmentedIndex.StartsSegment(seq)) return true;
        _indexByCustomer.Set(1, seq).Run();
        _indexByProduct.Set(1, seq).Run();
        return true;
    }

    /// <summary>The order with its number and its reservation; null if there is none.</summary>
    public (long Seq, Order Order, ReservationId Reservation)? Find(string id)
    {
        (long Seq, Order Order, ReservationId Reservation)? found = _find.Set(1, id).First(row =>
            ((long, Order, ReservationId)?)(
                row.Number(0),
                new Order(id, row.Text(1), row.Text(2), row.Number(3), row.Number(4), row.Number(5), []),
                new ReservationId(id, row.Number(6))));
        if (found is not { } order) return null;
        IReadOnlyList<OrderLine> lines = _lines.Set(1, order.Seq)
            .All(static row => new OrderLine(row.Text(0), row.Text(1), row.Number(2), row.Number(3)));
        return order with { Order = order.Order with { Lines = lines } };
    }

    public void SetStatus(long seq, string status, long now)
    {
        _setStatus.Set(1, seq).Set(2, status).Set(3, now).Run();
        _insertEvent.Set(1, seq).Set(2, status).Set(3, now).Run();
    }

    /// <summary>Adds a change of status to the stock outbox.</summary>
    public void AddStockChange(string orderId, string status) => _addStockChange.Set(1, orderId).Set(2, status).Run();

    /// <summary>Removes a change of status from the stock outbox.</summary>
    public void RemoveStockChange(string orderId) => _removeStockChange.Set(1, orderId).Run();

    /// <summary>Keeps an order for as long as a key that is bound to it now.</summary>
    /// <returns>Whether the order exists.</returns>
    public bool KeepForKey(string orderId, DateTime now) =>
        _keepsForEver || _keepUntil.Set(1, orderId).Set(2, (now + IdempotencyKey.Retention).ToMilliseconds()).Run() > 0;

    /// <summary>Deletes orders, but none that is in the stock outbox, and none that is kept for a key.</summary>
    /// <returns>How many were deleted.</returns>
    public int Delete(OrderAge[] orders, DateTime now)
    {
        int deleted = 0;
        foreach (long seq in orders.Select(static order => order.Seq))
        {
            if (!_mayBeDeleted.Set(1, seq).Set(2, now.ToMilliseconds()).First(static _ => true)) continue;
            foreach (Statement deletion in _deletions) deletion.Set(1, seq).Run();
            Table.NoteDeleted(seq);
            deleted++;
        }

        if (deleted > 0) _noteDeleted.Set(1, deleted).Set(2, Table.NewestDeleted).Run();
        return deleted;
    }

    private static Statement[] Deletions(Func<string, Statement> prepare) =>
    [
        prepare($"""
            DELETE FROM orders_by_product WHERE run = ?1 / {Segment} AND order_seq = ?1
            AND product_id IN (SELECT product_id FROM lines_of_orders WHERE order_seq = ?1)
            """),
        prepare($"""
            DELETE FROM orders_by_customer WHERE run = ?1 / {Segment} AND order_seq = ?1
            AND customer_id = (SELECT customer_id FROM orders WHERE seq = ?1)
            """),
        prepare("DELETE FROM order_lines WHERE order_seq = ?1"),
        prepare("DELETE FROM order_items WHERE order_seq = ?1"),
        prepare("DELETE FROM order_events WHERE order_seq = ?1"),
        prepare("DELETE FROM kept_orders WHERE order_seq = ?1"),
        prepare("DELETE FROM orders WHERE seq = ?1"),
    ];
}
