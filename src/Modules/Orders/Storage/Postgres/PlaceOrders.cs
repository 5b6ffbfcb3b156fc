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
/// Writes orders. In the usual case none of them is in the way of another, and all are written in one round trip. If a
/// unique key is violated, each is decided by itself.
/// </summary>
internal sealed class PlaceOrders : PostgresWriteKind<PlaceWrite, PlaceResult>
{
    private readonly OrderCounts _counts = new();

    public override bool TryAddAll(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
        Add(transaction, writes);
        transaction.Add($"{PostgresTransaction.NotMade} false", PostgresTransaction.Parameter(transaction.BatchId));
        foreach (PlaceWrite write in writes) write.Commit(PlaceResult.Placed);
        return true;
    }

    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes, CancellationToken end)
    {
        string[] ids = [.. writes.Select(write => write.Order.Id)];
        KeyTable.AddFind(transaction, writes.Select(write => write.Key));
        transaction.Add("SELECT id FROM orders WHERE id = ANY($1)", PostgresTransaction.Parameter(ids));
        transaction.Add("SELECT order_id, number FROM reservations WHERE order_id = ANY($1)",
            PostgresTransaction.Parameter(ids));
        var orders = new HashSet<string>(StringComparer.Ordinal);
        var decided = new HashSet<ReservationId>();
        KeyTable keys;
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            keys = await KeyTable.ReadAsync(reader, end);
            await reader.NextResultAsync(end);
            while (await reader.ReadAsync(end)) orders.Add(reader.GetString(0));
            await reader.NextResultAsync(end);
            while (await reader.ReadAsync(end))
                decided.Add(new ReservationId(reader.GetString(0), reader.GetInt64(1)));
        }

        var placed = new List<PlaceWrite>();
        foreach (PlaceWrite write in writes)
        {
            DateTime now = Timestamp.FromMilliseconds(write.Order.CreatedAt);
            if (keys.Has(write.Key, now)) write.Refuse(PlaceResult.KeyInUse);
            else if (orders.Contains(write.Order.Id) || decided.Contains(write.Reservation))
                write.Refuse(PlaceResult.OrderIdInUse);
            else
            {
                orders.Add(write.Order.Id);
                keys.Add(write.Key, write.Order.Id, now);
                placed.Add(write);
                write.Commit(PlaceResult.Placed);
            }
        }
    }

    private void Add(PostgresTransaction transaction, IReadOnlyList<PlaceWrite> writes)
    {
    }
}
