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
        transaction.Add("""
            INSERT INTO reservations (order_id, number, has_order)
            SELECT order_id, number, true FROM unnest($1, $2) AS placed (order_id, number)
            """,
            PostgresTransaction.Column(writes, static write => write.Order.Id),
            PostgresTransaction.Column(writes, static write => write.Reservation.Number));
        transaction.Add("""
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, reservation, fingerprint)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            PostgresTransaction.Column(writes, static write => write.Order.Id),
            PostgresTransaction.Column(writes, static write => write.Order.CustomerId),
            PostgresTransaction.Column(writes, static write => write.Order.Status),
            PostgresTransaction.Column(writes, static write => write.Order.TotalCents),
            PostgresTransaction.Column(writes, static write => write.Order.CreatedAt),
            PostgresTransaction.Column(writes, static write => write.Order.UpdatedAt),
            PostgresTransaction.Column(writes, static write => write.Reservation.Number),
            PostgresTransaction.Column(writes, static write => write.Fingerprint));
        AddLines(transaction, writes);
        keys.AddRecords(transaction,
            [.. writes.Where(static write => write.Key is not null).Select(write => (write.Key!, write.Order.Id))],
            Now(writes));
        PostgresChanges.AddChange(transaction, [.. writes.Select(static write => write.Order.Id)]);
        _counts.Add(transaction, writes.CountBy(static write => write.Order.Status, StringComparer.Ordinal)
            .ToDictionary(static count => count.Key, static count => (long)count.Value, StringComparer.Ordinal));
    }

    private static void AddLines(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
        (string OrderId, int Number, OrderLine Line)[] lines =
            [.. writes.SelectMany(static write => write.Order.Lines.Select((line, i) => (write.Order.Id, i, line)))];
        transaction.Add("""
            INSERT INTO order_lines (order_id, line, product_id, name, quantity, unit_price_cents)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
            """,
            PostgresTransaction.Column(lines, static line => line.OrderId),
            PostgresTransaction.Column(lines, static line => line.Number),
            PostgresTransaction.Column(lines, static line => line.Line.ProductId),
            PostgresTransaction.Column(lines, static line => line.Line.Name),
            PostgresTransaction.Column(lines, static line => line.Line.Quantity),
            PostgresTransaction.Column(lines, static line => line.Line.UnitPriceCents));
    }
}
