using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>
/// The orders in a database file. Changes are commands, which the writer's thread runs in the order in which they come;
/// reads run on the caller's thread and never wait for the writer.
/// </summary>
internal sealed class SqliteOrderStore : IOrderStore
{
    /// <summary>Orders that one command deletes, so that no other waits long.</summary>
    internal const int OrdersPerDeletion = 100;

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

    public async ValueTask<ReplayResult> ReplayAsync(
        IdempotencyKey? key, string? orderId, byte[] fingerprint, DateTime now)
    {
        if (key is not null && _database.Keys.Find(key, now) is { } kept)
        {
            if (!kept.IsSame) return new ReplayResult(ReplayOutcome.KeyReused);
            return _queries.Find(kept.Answer) is { } placed
                ? new ReplayResult(ReplayOutcome.Replayed, placed)
                : new ReplayResult(ReplayOutcome.OrderDeleted, OrderId: kept.Answer);
        }

        if (orderId is null || _queries.FindFingerprint(orderId) is not { Exists: true } found)
            return new ReplayResult(ReplayOutcome.New);
        if (!found.Fingerprint.AsSpan().SequenceEqual(fingerprint))
            return new ReplayResult(ReplayOutcome.OrderIdReused);
        if (key is not null)
        {
            bool? isBound = await _database.Writes.WriteAsync(new BindKeyCommand(_writes, key, orderId, now));
            if (isBound is null) return new ReplayResult(ReplayOutcome.New);
            // If the key was used in between, its record decides.
            if (isBound == false) return await ReplayAsync(key, orderId, fingerprint, now);
        }

        // It may have been deleted in between.
        return _queries.Find(orderId) is { } order
            ? new ReplayResult(ReplayOutcome.Replayed, order)
            : new ReplayResult(ReplayOutcome.New);
    }

    public ValueTask<ChangeStatusResult> ChangeStatusAsync(
        string id, string status, IdempotencyKey? key, DateTime now) =>
        _database.Writes.WriteAsync(new ChangeStatusCommand(_writes, _counts, id, status, key, now));

    public ValueTask<Order?> FindAsync(string id) => ValueTask.FromResult(_queries.Find(id));

    public ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id) => ValueTask.FromResult(_queries.Events(id));

    public ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end) =>
        ValueTask.FromResult(_queries.List(filter, cursor, limit, end));

    public ValueTask<IReadOnlyList<OrderHeader>> ListNewestAsync(OrderFilter filter, long limit,
        CancellationToken end) =>
        ValueTask.FromResult(_queries.ListNewest(filter, limit, end));

    // There are no others.
    public ValueTask SubscribeToOtherHostsAsync(Func<bool> isWatched, Action<OrderHeader> tell) =>
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

    public async ValueTask<DeletedOrders> DeleteAsync(string status, DateTime endedBy, long cursor, DateTime now)
    {
        long latestEnd = endedBy.ToMilliseconds();
        IReadOnlyList<OrderAge> next = _queries.ListByAge(status, cursor, OrdersPerDeletion);
        // No order ends before it is created, so all the others are too young as well.
        if (next.All(order => order.CreatedAt > latestEnd)) return new DeletedOrders(0, Next: null);
        long[] old = [.. next.Where(order => order.UpdatedAt <= latestEnd).Select(order => order.Seq)];
        int deleted = old.Length == 0
            ? 0
            : await _database.Writes.WriteAsync(new DeleteOrdersCommand(_writes, _counts, status, old, now));
        return new DeletedOrders(deleted, next[^1].Seq);
    }

    public async ValueTask ReclaimSpaceAsync(CancellationToken end) => await _database.ReclaimSpaceAsync(end);
}
