using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>The reads of the store.</summary>
internal sealed class OrderQueries(PostgresDatabase database)
{
    private const string OrderColumns =
        "o.seq, o.id, o.customer_id, o.status, o.total_cents, o.created_at, o.updated_at, o.reservation";

    private const string LineColumns = "l.product_id, l.name, l.quantity, l.unit_price_cents";

    private const string HeadColumns = """
        o.id, o.customer_id, o.status, (SELECT count(*) FROM order_lines l WHERE l.order_id = o.id) AS lines,
        o.total_cents, o.created_at, o.updated_at
        """;

    /// <summary>Orders with their lines, of which an order has one or more.</summary>
    internal const string SelectById = $"""
        SELECT {OrderColumns}, {LineColumns} FROM orders o JOIN order_lines l ON l.order_id = o.id
        WHERE o.id = $1 ORDER BY l.line
        """;

    public async ValueTask<Order?> FindAsync(string id)
    {
        if (!IsStorable(id)) return null;
        List<StoredOrder> found = await database.ReadAsync(
            SelectById, static reader => OrdersAsync(reader, 1), CancellationToken.None, Text(id));
        return found is [var stored] ? stored.Order : null;
    }

    public async ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id) => !IsStorable(id)
        ? []
        : await database.RowsAsync($"""
            SELECT '{OrderStatus.Created}', created_at, 0 AS number FROM orders WHERE id = $1
            UNION ALL
            SELECT e.status, e.at, e.number FROM order_events e WHERE e.order_id = $1
            ORDER BY number
            """, static row => new OrderEvent(row.GetString(0), row.GetInt64(1)), CancellationToken.None, Text(id));

    /// <summary>The fingerprint of an order; null if the client did not choose its id.</summary>
    public async ValueTask<(bool Exists, byte[]? Fingerprint)> FindFingerprintAsync(string id)
    {
        List<byte[]?> found = await database.RowsAsync("SELECT fingerprint FROM orders WHERE id = $1",
            static row => row.IsDBNull(0) ? null : row.GetFieldValue<byte[]>(0), CancellationToken.None, Text(id));
        return found is [var fingerprint] ? (true, fingerprint) : (false, null);
    }

    public async ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end)
    {
        if (!IsStorable(filter.CustomerId)) return new OrderPage([], null, default);
        List<StoredOrder> found = await database.ReadAsync($"""
            SELECT {OrderColumns}, {LineColumns}
            FROM (SELECT o.* FROM {Source(filter)} AND o.seq < $4 ORDER BY o.seq DESC LIMIT $5) o
            JOIN order_lines l ON l.order_id = o.id ORDER BY o.seq DESC, l.line
            """, reader => OrdersAsync(reader, limit), end, Parameters(filter, cursor ?? long.MaxValue, limit + 1));
        int count = (int)Math.Min(limit, found.Count);
        (int fitting, long bytes) = (0, 0);
        while (fitting < count)
        {
            bytes += found[fitting].Order.JsonBytes;
            if (bytes > Paging.MaxBytes && fitting > 0) break;
            fitting++;
        }

        long? next = fitting < found.Count ? found[fitting - 1].Seq : null;
        bool areAll = cursor is null && next is null;
        return new OrderPage([.. found.Take(fitting).Select(stored => stored.Order)], next,
            await CountAsync(filter, fitting, areAll, end));
    }

    public async ValueTask<IReadOnlyList<OrderHead>> ListNewestAsync(
        OrderFilter filter, long limit, CancellationToken end) => !IsStorable(filter.CustomerId)
        ? []
        : await database.RowsAsync($"""
            SELECT {HeadColumns} FROM {Source(filter)} AND o.seq < $4 ORDER BY o.seq DESC LIMIT $5
            """, Head, end, Parameters(filter, long.MaxValue, limit));

    /// <summary>Those of these orders that exist, without their lines.</summary>
    public async ValueTask<IReadOnlyList<OrderHead>> HeadsAsync(string[] ids, CancellationToken end) =>
        await database.RowsAsync(
            $"SELECT {HeadColumns} FROM orders o WHERE o.id = ANY($1) ORDER BY o.seq", Head, end, Texts(ids));

    public async ValueTask<IReadOnlyDictionary<string, long>> CountByStatusAsync()
    {
        var counts = OrderStatus.All.ToDictionary(status => status, _ => 0L, StringComparer.Ordinal);
        foreach ((string status, long orders) in await database.RowsAsync(
            "SELECT status, sum(orders)::bigint FROM order_counts GROUP BY status",
            static row => (row.GetString(0), row.GetInt64(1)), CancellationToken.None))
        {
            counts[status] = orders;
        }

        return counts;
    }

    public IReadOnlySet<string> FindExisting(IReadOnlyCollection<string> ids) => database.Rows(
        "SELECT id FROM orders WHERE id = ANY($1)", static row => row.GetString(0), Texts([.. ids]))
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>Orders in a status with numbers after this one, in the order of their numbers.</summary>
    public Task<List<OrderAge>> ListByAgeAsync(string status, long after, int limit) => database.RowsAsync("""
        SELECT id, seq, created_at, updated_at FROM orders WHERE status = $1 AND seq > $2 ORDER BY seq LIMIT $3
        """, static row => new OrderAge(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3)),
        CancellationToken.None, Text(status), new() { Value = after }, new() { Value = limit });

    /// <summary>Reads orders with their lines, and stops after so many.</summary>
    internal static async Task<List<StoredOrder>> OrdersAsync(NpgsqlDataReader reader, long limit)
    {
        var orders = new List<StoredOrder>();
        List<OrderLine> lines = [];
        long last = 0;
        while (await reader.ReadAsync())
        {
            long seq = reader.GetInt64(0);
            if (seq != last)
            {
                last = seq;
                lines = [];
                orders.Add(new StoredOrder(seq, reader.GetInt64(7), new Order(
                    reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetInt64(4),
                    reader.GetInt64(5), reader.GetInt64(6), lines)));
            }

            lines.Add(new OrderLine(reader.GetString(8), reader.GetString(9), reader.GetInt64(10),
                reader.GetInt64(11)));
        }

        return orders;
    }
}
