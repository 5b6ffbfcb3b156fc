using Npgsql;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>The reads of the store.</summary>
internal sealed class OrderQueries(PostgresDatabase database)
{
    // Each order has a line or more.
    private const string OrderColumns = """
        o.seq, o.id, o.customer_id, o.status, o.total_cents, o.created_at, o.updated_at, o.reservation, o.changes,
        l.product_id, l.name, l.quantity, l.unit_price_cents
        """;

    /// <summary>Orders by their ids: a row for each line, in the order of the lines.</summary>
    public const string SelectByIds = $"""
        SELECT {OrderColumns} FROM orders o JOIN order_lines l ON l.order_id = o.id
        WHERE o.id = ANY ($1) ORDER BY o.seq, l.line
        """;

    private const string HeaderColumns = """
        o.id, o.customer_id, o.status, (SELECT count(*) FROM order_lines l WHERE l.order_id = o.id),
        o.total_cents, o.created_at, o.updated_at
        """;

    public async ValueTask<Order?> FindAsync(string id) =>
        await OrdersAsync(SelectByIds, CancellationToken.None, PostgresTransaction.Parameter(new[] { id }))
            is [var found] ? found.Order : null;

    public async ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id) => await database.RowsAsync($"""
        SELECT '{OrderStatus.Created}', created_at, 0 AS number FROM orders WHERE id = $1
        UNION ALL
        SELECT status, at, number FROM order_events WHERE order_id = $1
        ORDER BY number
        """, static row => new OrderEvent(row.GetString(0), row.GetInt64(1)), CancellationToken.None,
        PostgresTransaction.Parameter(id));

    /// <summary>The fingerprint of an order; null if the client did not choose its id.</summary>
    public async ValueTask<(bool Exists, byte[]? Fingerprint)> FindFingerprintAsync(string id)
    {
        IReadOnlyList<byte[]?> found = await database.RowsAsync("SELECT fingerprint FROM orders WHERE id = $1",
            static row => row.IsDBNull(0) ? null : row.GetFieldValue<byte[]>(0), CancellationToken.None,
            PostgresTransaction.Parameter(id));
        return found is [var fingerprint] ? (true, fingerprint) : (false, null);
    }

    public async ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end)
    {
        List<StoredOrder> found = await OrdersAsync($"""
            SELECT {OrderColumns}
            FROM (SELECT * FROM (
                SELECT * FROM orders o WHERE o.seq < $4 {Conditions(filter)}
                ORDER BY o.seq DESC LIMIT {ListPlan.AtLeast(limit + 1)}) o ORDER BY o.seq DESC LIMIT $5) o
            JOIN order_lines l ON l.order_id = o.id ORDER BY o.seq DESC, l.line
            """, end, Parameters(filter, cursor ?? long.MaxValue, limit + 1));
        int count = 0;
        for (long bytes = 0; count < found.Count && count < limit; count++)
        {
            bytes += found[count].Order.JsonBytes;
            if (bytes > Paging.MaxBytes && count > 0) break;
        }

        long? next = count < found.Count ? found[count - 1].Seq : null;
        return new OrderPage([.. found.Take(count).Select(static stored => stored.Order)], next,
            await CountAsync(filter, count, areAll: cursor is null && next is null, end));
    }

    public async ValueTask<IReadOnlyList<OrderHeader>> ListNewestAsync(
        OrderFilter filter, long limit, CancellationToken end) => await database.RowsAsync($"""
        SELECT {HeaderColumns}
        FROM (SELECT * FROM orders o WHERE o.seq < $4 {Conditions(filter)}
            ORDER BY o.seq DESC LIMIT {ListPlan.AtLeast(limit)}) o
        ORDER BY o.seq DESC LIMIT $5
        """, Head, end, Parameters(filter, long.MaxValue, limit));

    /// <summary>Those of these orders that exist, oldest first.</summary>
    public async Task<IReadOnlyList<OrderHeader>> HeadersAsync(string[] ids) => await database.RowsAsync(
        $"SELECT {HeaderColumns} FROM orders o WHERE o.id = ANY ($1) ORDER BY o.seq", Head, CancellationToken.None,
        PostgresTransaction.Parameter(ids));

    public async ValueTask<IReadOnlyDictionary<string, long>> CountByStatusAsync(CancellationToken end = default)
    {
        var counts = OrderStatus.All.ToDictionary(status => status, _ => 0L, StringComparer.Ordinal);
        foreach ((string status, long orders) in await database.RowsAsync(
            "SELECT status, sum(orders)::bigint FROM order_counts GROUP BY status",
            static row => (row.GetString(0), row.GetInt64(1)), end))
        {
            counts[status] = orders;
        }

        return counts;
    }

    public async ValueTask<IReadOnlySet<string>> FindExistingAsync(IReadOnlyCollection<string> ids) =>
        (await database.RowsAsync("SELECT id FROM orders WHERE id = ANY ($1)", static row => row.GetString(0),
            CancellationToken.None, PostgresTransaction.Parameter(ids.ToArray()))).ToHashSet(StringComparer.Ordinal);

    /// <summary>Orders in a status with numbers after this one, in the order of their numbers.</summary>
    public Task<IReadOnlyList<OrderAge>> ListByAgeAsync(string status, long after, int limit) => database.RowsAsync("""
        SELECT id, seq, created_at, updated_at FROM orders WHERE status = $1 AND seq > $2 ORDER BY seq LIMIT $3
        """, static row => new OrderAge(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3)),
        CancellationToken.None, PostgresTransaction.Parameter(status), PostgresTransaction.Parameter(after),
        PostgresTransaction.Parameter(limit));

    /// <summary>Reads orders, whose lines follow each other.</summary>
    public static async Task<List<StoredOrder>> ReadOrdersAsync(NpgsqlDataReader reader, CancellationToken end)
    {
        var orders = new List<StoredOrder>();
        List<OrderLine> lines = [];
        while (await reader.ReadAsync(end))
        {
            long seq = reader.GetInt64(0);
            if (orders.Count == 0 || orders[^1].Seq != seq)
            {
                lines = [];
                orders.Add(new StoredOrder(seq, reader.GetInt64(7), reader.GetInt32(8), new Order(
                    reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetInt64(4),
                    reader.GetInt64(5), reader.GetInt64(6), lines)));
            }

            lines.Add(new OrderLine(
                reader.GetString(9), reader.GetString(10), reader.GetInt64(11), reader.GetInt64(12)));
        }

        return orders;
    }

    private static OrderHeader Head(NpgsqlDataReader row) => new()
    {
        Id = row.GetString(0),
        CustomerId = row.GetString(1),
        Status = row.GetString(2),
        Lines = row.GetInt64(3),
        TotalCents = row.GetInt64(4),
        CreatedAt = row.GetInt64(5),
        UpdatedAt = row.GetInt64(6),
    };

    private static string Conditions(OrderFilter filter) => string.Concat(
        filter.Status is null ? "" : " AND o.status = $1",
        filter.CustomerId is null ? "" : " AND o.customer_id = $2",
        filter.ProductId is null
            ? ""
            : " AND EXISTS (SELECT 1 FROM order_lines i WHERE i.order_id = o.id AND i.product_id = $3)");

    private static NpgsqlParameter[] Parameters(OrderFilter filter, long before, long limit) =>
    [
        Text(filter.Status), Text(filter.CustomerId), Text(filter.ProductId), PostgresTransaction.Parameter(before),
        PostgresTransaction.Parameter(limit),
    ];

    // Nothing is found by a text that the database can't have.
    private static NpgsqlParameter Text(string? text) =>
        PostgresTransaction.Parameter(text is not null && PostgresDatabase.MayHave(text) ? text : null);

    private Task<List<StoredOrder>> OrdersAsync(
        string sql, CancellationToken end, params NpgsqlParameter[] parameters) =>
        database.QueryAsync(sql, ReadOrdersAsync, end, parameters);

    private async Task<RowTotal> CountAsync(OrderFilter filter, int rows, bool areAll, CancellationToken end)
    {
        if (areAll) return new RowTotal(rows);
        if (filter.CustomerId is null && filter.ProductId is null)
        {
            IReadOnlyDictionary<string, long> counts = await CountByStatusAsync(end);
            return new RowTotal(filter.Status is { } status ? counts[status] : counts.Values.Sum());
        }

        IReadOnlyList<long> counted = await database.RowsAsync($"""
            SELECT count(*) FROM (SELECT 1 FROM orders o WHERE o.seq < $4 {Conditions(filter)} LIMIT $5) AS counted
            """, static row => row.GetInt64(0), end, Parameters(filter, long.MaxValue, Paging.MaxCounted + 1));
        return Paging.Counted(counted[0]);
    }
}

/// <summary>An order as it is stored.</summary>
/// <param name="Seq">Its place in lists.</param>
/// <param name="Reservation">The number of the reservation that it holds.</param>
/// <param name="Changes">How often its status has changed.</param>
/// <param name="Order">The order.</param>
internal sealed record StoredOrder(long Seq, long Reservation, int Changes, Order Order);
