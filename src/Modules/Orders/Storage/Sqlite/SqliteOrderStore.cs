using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>
/// The orders in a database file. Changes are commands, which the writer's thread runs in the order in which they come;
/// reads run on the caller's thread and never wait for the writer.
/// </summary>
internal sealed class SqliteOrderStore : OrderStore, IOrderStore
{
    private readonly Database _database;
    private readonly OrderQueries _queries;
    private readonly OrderCounts _counts;
    private readonly OrderWrites _writes;

    public SqliteOrderStore(Database database, ShopSettings settings)
    {
        _database = database;
        _counts = new OrderCounts(database);
        _writes = new OrderWrites(database, keepsForEver: settings.OrderRetention == TimeSpan.Zero);
        _queries = new OrderQueries(database, _writes.Table, _counts);
    }

    public TimeSpan? RecoveryPeriod => null;

    public ValueTask<PlaceResult> PlaceAsync(
        Order order, ReservationId reservation, byte[]? fingerprint, IdempotencyKey? key) =>
        _database.Writes.WriteAsync(new InsertOrderCommand(_writes, _counts, order, reservation, fingerprint, key));

    public ValueTask<ChangeStatusResult> ChangeStatusAsync(
        string id, string status, IdempotencyKey? key, DateTime now) =>
        _database.Writes.WriteAsync(new ChangeStatusCommand(_writes, _counts, id, status, key, now));

    public override ValueTask<Order?> FindAsync(string id) => ValueTask.FromResult(_queries.Find(id));

    public ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id) => ValueTask.FromResult(_queries.Events(id));

    public ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end) =>
        ValueTask.FromResult(_queries.List(filter, cursor, limit, end));

    public ValueTask<IReadOnlyList<OrderHeader>> ListNewestAsync(OrderFilter filter, long limit,
        CancellationToken end) =>
        ValueTask.FromResult(_queries.ListNewest(filter, limit, end));

    // There are no others.
    public ValueTask SubscribeToOtherHostsAsync(Func<bool> isWatched, Action<OrderHeader> publish) =>
        ValueTask.CompletedTask;

    public ValueTask<IReadOnlyDictionary<string, long>> CountByStatusAsync() => ValueTask.FromResult(_counts.ByStatus);

    public async ValueTask<IReadOnlySet<ReservationId>> ResolveAsync(IReadOnlyList<ReservationId> reservations)
    {
        // A failed commit may be in the write-ahead log all the same: the next one decides whether it took effect.
        await _database.Writes.CommitBarrierAsync();
        return _queries.WithOrders(reservations);
    }

    public ValueTask<IReadOnlyList<StockChange>> PendingStockChangesAsync() =>
        ValueTask.FromResult(_queries.PendingStockChanges());

    public async ValueTask CompleteStockChangesAsync(IReadOnlyList<ReservationId> reservations) =>
        await _database.Writes.WriteAsync(() =>
        {
            foreach (ReservationId reservation in reservations) _writes.RemoveStockChange(reservation.OrderId);
            return WriteResult.Commit(reservations.Count);
        });

    public ValueTask<IReadOnlySet<string>> FindExistingAsync(IReadOnlyCollection<string> ids) =>
        ValueTask.FromResult(_queries.FindExisting(ids));

    public async ValueTask ReclaimSpaceAsync(CancellationToken end) => await _database.ReclaimSpaceAsync(end);

    protected override ValueTask<IdempotencyRecord?> FindKeyAsync(IdempotencyKey key, DateTime now) =>
        ValueTask.FromResult(_database.Keys.Find(key, now));

    protected override ValueTask<(bool Exists, byte[]? Fingerprint)> FindFingerprintAsync(string id) =>
        ValueTask.FromResult(_queries.FindFingerprint(id));

    protected override ValueTask<bool?> BindAsync(IdempotencyKey key, string orderId, DateTime now) =>
        _database.Writes.WriteAsync(new BindKeyCommand(_writes, key, orderId, now));

    protected override ValueTask<IReadOnlyList<OrderAge>> ListByAgeAsync(string status, long after, int limit) =>
        ValueTask.FromResult(_queries.ListByAge(status, after, limit));

    protected override ValueTask<int> DeleteAsync(string status, OrderAge[] orders, DateTime now) =>
        _database.Writes.WriteAsync(new DeleteOrdersCommand(_writes, _counts, status, orders, now));
}
