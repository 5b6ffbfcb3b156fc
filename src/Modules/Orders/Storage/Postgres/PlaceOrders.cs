using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>An order that is to be written, with its idempotency key.</summary>
internal sealed class PlaceWrite(Order order, ReservationId reservation, byte[]? fingerprint, IdempotencyKey? key)
    : PostgresWrite<PlaceResult>
{
    public Order Order => order;

    public ReservationId Reservation => reservation;

    public byte[]? Fingerprint => fingerprint;

    public IdempotencyKey? Key => key;
}

/// <summary>
/// Writes orders. Usually all are written in one round trip. If a unique key is violated, nothing was written, and they
/// are decided one by one.
/// </summary>
internal sealed class PlaceOrders(PostgresIdempotencyKeys keys) : PostgresWriteKind<PlaceWrite, PlaceResult>
{
    private readonly OrderCounts _counts = new();

    public override bool TryAddAll(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
        AddOrders(transaction, writes);
        foreach (PlaceWrite write in writes) write.Commit(PlaceResult.Placed);
        return true;
    }

    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes, CancellationToken end)
    {
        string[] ids = [.. writes.Select(write => write.Order.Id)];
        keys.AddFind(transaction, writes.Select(write => write.Key), Now(writes));
        transaction.Add("SELECT id FROM orders WHERE id = ANY ($1)", PostgresTransaction.Parameter(ids));
        transaction.Add("SELECT order_id, number FROM reservations WHERE order_id = ANY ($1)",
            PostgresTransaction.Parameter(ids));
        var existing = new HashSet<string>(StringComparer.Ordinal);
        var decided = new HashSet<ReservationId>();
        IdempotencyRecords kept;
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            kept = await keys.ReadRecordsAsync(reader, end);
            await reader.NextResultAsync(end);
            while (await reader.ReadAsync(end)) existing.Add(reader.GetString(0));
            await reader.NextResultAsync(end);
            while (await reader.ReadAsync(end))
                decided.Add(new ReservationId(reader.GetString(0), reader.GetInt64(1)));
        }

        var placed = new List<PlaceWrite>();
        foreach (PlaceWrite write in writes)
        {
            if (kept.Of(write.Key) is not null)
            {
                write.Refuse(PlaceResult.KeyInUse);
            }
            else if (decided.Contains(write.Reservation) || !existing.Add(write.Order.Id))
            {
                write.Refuse(PlaceResult.OrderIdInUse);
            }
            else
            {
                if (write.Key is { } key) kept.Add(key, write.Order.Id);
                placed.Add(write);
                write.Commit(PlaceResult.Placed);
            }
        }

        if (placed.Count > 0) AddOrders(transaction, placed);
    }

    private static DateTime Now(IReadOnlyList<PlaceWrite> writes) =>
        Timestamp.FromMilliseconds(writes.Max(static write => write.Order.CreatedAt));

    private void AddOrders(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
        int count = writes.Count;
        string[] ids = new string[count], customers = new string[count], statuses = new string[count];
        long[] totals = new long[count], created = new long[count], updated = new long[count];
        long[] reservations = new long[count];
        byte[]?[] fingerprints = new byte[count][];
        for (int i = 0; i < ids.Length; i++)
        {
            Order order = writes[i].Order;
            (ids[i], customers[i], statuses[i]) = (order.Id, order.CustomerId, order.Status);
            (totals[i], created[i], updated[i]) = (order.TotalCents, order.CreatedAt, order.UpdatedAt);
            (reservations[i], fingerprints[i]) = (writes[i].Reservation.Number, writes[i].Fingerprint);
        }

        transaction.Add("""
            INSERT INTO reservations (order_id, number, has_order)
            SELECT order_id, number, true FROM unnest($1, $2) AS placed (order_id, number)
            """, PostgresTransaction.Parameter(ids), PostgresTransaction.Parameter(reservations));
        transaction.Add("""
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, reservation, fingerprint)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            PostgresTransaction.Parameter(ids), PostgresTransaction.Parameter(customers),
            PostgresTransaction.Parameter(statuses), PostgresTransaction.Parameter(totals),
            PostgresTransaction.Parameter(created), PostgresTransaction.Parameter(updated),
            PostgresTransaction.Parameter(reservations), PostgresTransaction.Parameter(fingerprints));
        AddLines(transaction, writes);
        keys.AddRecords(transaction,
            [.. writes.Where(static write => write.Key is not null).Select(write => (write.Key!, write.Order.Id))],
            Now(writes));
        PostgresChanges.AddChange(transaction, ids);
        _counts.Add(transaction, statuses.CountBy(static status => status, StringComparer.Ordinal)
            .ToDictionary(static count => count.Key, static count => (long)count.Value, StringComparer.Ordinal));
    }

    private static void AddLines(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
        int count = writes.Sum(static write => write.Order.Lines.Count), next = 0;
        string[] orders = new string[count], products = new string[count], names = new string[count];
        int[] numbers = new int[count];
        long[] quantities = new long[count], prices = new long[count];
        foreach (PlaceWrite write in writes)
        {
            for (int i = 0; i < write.Order.Lines.Count; i++, next++)
            {
                OrderLine line = write.Order.Lines[i];
                (orders[next], numbers[next], products[next]) = (write.Order.Id, i, line.ProductId);
                (names[next], quantities[next], prices[next]) = (line.Name, line.Quantity, line.UnitPriceCents);
            }
        }

        transaction.Add("""
            INSERT INTO order_lines (order_id, line, product_id, name, quantity, unit_price_cents)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
            """,
            PostgresTransaction.Parameter(orders), PostgresTransaction.Parameter(numbers),
            PostgresTransaction.Parameter(products), PostgresTransaction.Parameter(names),
            PostgresTransaction.Parameter(quantities), PostgresTransaction.Parameter(prices));
    }
}
