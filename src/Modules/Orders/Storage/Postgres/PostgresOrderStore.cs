using Microsoft.Extensions.Logging;
using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>The orders in PostgreSQL, which any number of hosts share.</summary>
internal sealed class PostgresOrderStore : OrderStore, IOrderStore, IAsyncDisposable
{
    /// <summary>The most orders of other hosts that are published at once: the newest.</summary>
    private const int MaxPublished = OrderFeed.Kept;

    /// <summary>Deletes the rows that belong to deleted orders.</summary>
    private static readonly string[] Deletions =
    [
        "DELETE FROM order_lines WHERE order_id = ANY ($1)",
        "DELETE FROM order_events WHERE order_id = ANY ($1)",
        "DELETE FROM reservations WHERE order_id = ANY ($1) AND has_order",
    ];

    private readonly PostgresDatabase _database;
    private readonly PostgresChanges _changes;
    private readonly OrderQueries _queries;
    private readonly StockOutbox _outbox;
    private readonly OrderCounts _counts = new();
    private readonly PostgresWriteQueue<PlaceWrite, PlaceResult> _placing;
    private readonly PostgresWriteQueue<ChangeStatusWrite, ChangeStatusResult> _changing;

    public PostgresOrderStore(PostgresDatabase database, ILogger log)
    {
        _database = database;
        _changes = new PostgresChanges(database, log);
        _queries = new OrderQueries(database);
        _outbox = new StockOutbox(database);
        _placing = database.Writes.Open(new PlaceOrders(database.Keys));
        _changing = database.Writes.Open(new ChangeStatuses(database.Keys));
    }

    public TimeSpan? RecoveryPeriod => TimeSpan.FromSeconds(2);

    public ValueTask<PlaceResult> PlaceAsync(
        Order order, ReservationId reservation, byte[]? fingerprint, IdempotencyKey? key) =>
        new(_placing.WriteAsync(new PlaceWrite(order, reservation, fingerprint, key)));

    public ValueTask<ChangeStatusResult> ChangeStatusAsync(
        string id, string status, IdempotencyKey? key, DateTime now) =>
        new(_changing.WriteAsync(new ChangeStatusWrite(id, status, key, now)));

    public override ValueTask<Order?> FindAsync(string id) => _queries.FindAsync(id);

    public ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id) => _queries.EventsAsync(id);

    public ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end) =>
        _queries.ListAsync(filter, cursor, limit, end);

    public ValueTask<IReadOnlyList<OrderHeader>> ListNewestAsync(OrderFilter filter, long limit,
        CancellationToken end) =>
        _queries.ListNewestAsync(filter, limit, end);

    public ValueTask<IReadOnlyDictionary<string, long>> CountByStatusAsync() => _queries.CountByStatusAsync();

    public async ValueTask SubscribeToOtherHostsAsync(Func<bool> isWatched, Action<OrderHeader> publish)
    {
        await _changes.BeginAsync();
        _changes.Follow(
            async ids =>
            {
                if (!isWatched()) return;
                foreach (OrderHeader order in await _queries.HeadersAsync(ids[^Math.Min(MaxPublished, ids.Length)..]))
                    publish(order);
            },
            missed: static () => Task.CompletedTask, ofOthers: true);
    }

    public async ValueTask<IReadOnlySet<ReservationId>> ResolveAsync(IReadOnlyList<ReservationId> reservations)
    {
        // In the order of their ids, so that two hosts at once can't deadlock.
        ReservationId[] ordered = [.. reservations.OrderBy(static id => id.OrderId, StringComparer.Ordinal)];
        NpgsqlParameter Ids() => PostgresTransaction.Column(ordered, static id => id.OrderId);
        NpgsqlParameter Numbers() => PostgresTransaction.Column(ordered, static id => id.Number);
        return await _database.Writes.RunAsync(async (transaction, end) =>
        {
            // This waits for orders that are being written. A mark is kept longer than any host may be slow.
            transaction.Add("""
                INSERT INTO reservations (order_id, number, has_order, given_up)
                SELECT order_id, number, false, now() FROM unnest($1, $2) AS settled (order_id, number)
                ON CONFLICT (order_id, number) DO NOTHING
                """, Ids(), Numbers());
            transaction.Add("DELETE FROM reservations WHERE given_up < now() - interval '30 days'");
            transaction.Add("""
                SELECT r.order_id, r.number FROM reservations r
                JOIN unnest($1, $2) AS settled (order_id, number) USING (order_id, number) WHERE r.has_order
                """, Ids(), Numbers());
            var withOrders = new HashSet<ReservationId>();
            await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
            while (await reader.ReadAsync(end))
                withOrders.Add(new ReservationId(reader.GetString(0), reader.GetInt64(1)));
            return withOrders;
        });
    }

    public async ValueTask<IReadOnlyList<StockChange>> PendingStockChangesAsync() => await _outbox.ClaimDueAsync();

    public async ValueTask CompleteStockChangesAsync(IReadOnlyList<ReservationId> reservations) =>
        await _outbox.RemoveAsync(reservations);

    public ValueTask<IReadOnlySet<string>> FindExistingAsync(IReadOnlyCollection<string> ids) =>
        _queries.FindExistingAsync(ids);

    public ValueTask DisposeAsync() => _changes.DisposeAsync();

    // PostgreSQL uses space again by itself.
    public ValueTask ReclaimSpaceAsync(CancellationToken end) => ValueTask.CompletedTask;

    /// <summary>Keeps an order for as long as a key that is bound to it now.</summary>
    internal static void AddKeep(PostgresTransaction transaction, string id, DateTime now) =>
        transaction.Add("UPDATE orders SET kept_until = greatest(kept_until, $2) WHERE id = $1",
            PostgresTransaction.Parameter(id),
            PostgresTransaction.Parameter((now + IdempotencyKey.Retention).ToMilliseconds()));

    protected override async ValueTask<IdempotencyRecord?> FindKeyAsync(IdempotencyKey key, DateTime now) =>
        await _database.Keys.FindAsync(key, now);

    protected override ValueTask<(bool Exists, byte[]? Fingerprint)> FindFingerprintAsync(string id) =>
        _queries.FindFingerprintAsync(id);

    protected override ValueTask<bool?> BindAsync(IdempotencyKey key, string orderId, DateTime now) =>
        new(_database.Writes.RunAsync<bool?>(async (transaction, end) =>
        {
            _database.Keys.AddFind(transaction, [key], now);
            transaction.Add("SELECT 1 FROM orders WHERE id = $1", PostgresTransaction.Parameter(orderId));
            IdempotencyRecords kept;
            bool exists;
            await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
            {
                kept = await _database.Keys.ReadRecordsAsync(reader, end);
                await reader.NextResultAsync(end);
                exists = await reader.ReadAsync(end);
            }

            if (!exists) return null;
            if (kept.Of(key) is not null) return false;
            AddKeep(transaction, orderId, now);
            _database.Keys.AddRecords(transaction, [(key, orderId)], now);
            return true;
        }));

    protected override ValueTask<IReadOnlyList<OrderAge>> ListByAgeAsync(string status, long after, int limit) =>
        new(_queries.ListByAgeAsync(status, after, limit));

    protected override ValueTask<int> DeleteAsync(string status, OrderAge[] orders, DateTime now) =>
        new(_database.Writes.RunAsync(
        async (transaction, end) =>
        {
            transaction.Add("""
                DELETE FROM orders o WHERE o.id = ANY ($1) AND o.status = $2 AND o.kept_until < $3
                AND NOT EXISTS (SELECT 1 FROM pending_stock p WHERE p.order_id = o.id) RETURNING o.id
                """, PostgresTransaction.Column(orders, static order => order.Id),
                PostgresTransaction.Parameter(status),
                PostgresTransaction.Parameter(now.ToMilliseconds()));
            var gone = new List<string>();
            await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
            {
                while (await reader.ReadAsync(end)) gone.Add(reader.GetString(0));
            }

            if (gone.Count == 0) return 0;
            foreach (string deletion in Deletions)
                transaction.Add(deletion, PostgresTransaction.Parameter(gone.ToArray()));
            _counts.Add(transaction, new Dictionary<string, long>(StringComparer.Ordinal) { [status] = -gone.Count });
            return gone.Count;
        }));
}
