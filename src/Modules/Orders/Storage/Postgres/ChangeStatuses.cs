using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Requests;

namespace Shop.Orders.Storage.Postgres;

/// <summary>A change of an order's status.</summary>
internal sealed class ChangeStatusWrite(string id, string status, IdempotencyKey? key, DateTime now)
    : PostgresWrite<ChangeStatusResult>
{
    public string Id => id;

    public string Status => status;

    public IdempotencyKey? Key => key;

    public DateTime Now => now;
}

/// <summary>
/// Changes the status of orders. A change inserts the next event of its order, under a unique key: if another host
/// has changed the order since it was read, the batch is decided again.
/// </summary>
internal sealed class ChangeStatuses(PostgresIdempotencyKeys keys)
    : PostgresWriteKind<ChangeStatusWrite, ChangeStatusResult>
{
    private readonly OrderCounts _counts = new();

    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<ChangeStatusWrite> writes, CancellationToken end)
    {
        DateTime latest = writes.Max(static write => write.Now);
        string[] ids = [.. writes.Select(static write => write.Id).Distinct(StringComparer.Ordinal)];
        // First the orders: if an equal request has just changed an order that is read, its key is found.
        transaction.Add(OrderQueries.SelectByIds, PostgresTransaction.Parameter(ids));
        keys.AddFind(transaction, writes.Select(static write => write.Key), latest);
        IdempotencyRecords kept;
        Dictionary<string, StoredOrder> orders;
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            orders = (await OrderQueries.ReadOrdersAsync(reader, end))
                .ToDictionary(static stored => stored.Order.Id, StringComparer.Ordinal);
            await reader.NextResultAsync(end);
            kept = await keys.ReadRecordsAsync(reader, end);
        }

        var batch = new Batch(kept, orders);
        foreach (ChangeStatusWrite write in writes) batch.Decide(write);
        batch.AddTo(transaction, _counts);
        keys.AddRecords(transaction, batch.Answers, latest);
    }

    private sealed class Batch(IdempotencyRecords kept, Dictionary<string, StoredOrder> orders)
    {
        private readonly List<StoredOrder> _changes = [];
        private readonly SortedDictionary<string, DateTime> _keptForKeys = new(StringComparer.Ordinal);
        private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

        public List<(IdempotencyKey Key, string Answer)> Answers { get; } = [];

        public void Decide(ChangeStatusWrite write)
        {
            // Whatever the key is bound to, the order was deleted.
            if (!orders.TryGetValue(write.Id, out StoredOrder? stored))
            {
                write.Refuse(new ChangeStatusResult(ChangeStatusOutcome.NotFound));
                return;
            }

            Order order = stored.Order;
            ChangeStatusResult result = order.Change(
                write.Status, kept.Of(write.Key), write.Now, new ReservationId(order.Id, stored.Reservation));
            if (result.Outcome is not (ChangeStatusOutcome.Changed or ChangeStatusOutcome.Unchanged))
            {
                write.Refuse(result);
                return;
            }

            if (result.Outcome == ChangeStatusOutcome.Unchanged && write.Key is not null)
                _keptForKeys[order.Id] = write.Now;
            if (result.Outcome == ChangeStatusOutcome.Changed) Change(stored, result.Order!);
            Commit(write, result);
        }

        public void AddTo(PostgresTransaction transaction, OrderCounts counts)
        {
            foreach ((string id, DateTime now) in _keptForKeys) PostgresOrderStore.AddKeep(transaction, id, now);
            if (_changes.Count == 0) return;
            // In the order of their ids, so that two batches at once can't deadlock.
            StoredOrder[] changes = [.. _changes.OrderBy(static change => change.Order.Id, StringComparer.Ordinal)];
            AddEvents(transaction, changes);
            StoredOrder[] last = [.. changes.Where(change => orders[change.Order.Id] == change)];
            transaction.Add("""
                UPDATE orders AS o SET status = n.status, updated_at = n.updated_at, changes = n.changes
                FROM unnest($1, $2, $3, $4) AS n (id, status, updated_at, changes) WHERE o.id = n.id
                """,
                PostgresTransaction.Column(last, static change => change.Order.Id),
                PostgresTransaction.Column(last, static change => change.Order.Status),
                PostgresTransaction.Column(last, static change => change.Order.UpdatedAt),
                PostgresTransaction.Column(last, static change => change.Changes));
            StoredOrder[] moving = [.. changes.Where(static change => OrderStatus.MovesStock(change.Order.Status))];
            if (moving.Length > 0) StockOutbox.Add(transaction, moving);
            PostgresChanges.AddChange(transaction, [.. last.Select(static change => change.Order.Id)]);
            counts.Add(transaction, _counts);
        }

        private static void AddEvents(PostgresTransaction transaction, StoredOrder[] changes) => transaction.Add("""
            INSERT INTO order_events (order_id, number, status, at) SELECT * FROM unnest($1, $2, $3, $4)
            """,
            PostgresTransaction.Column(changes, static change => change.Order.Id),
            PostgresTransaction.Column(changes, static change => change.Changes),
            PostgresTransaction.Column(changes, static change => change.Order.Status),
            PostgresTransaction.Column(changes, static change => change.Order.UpdatedAt));

        private void Change(StoredOrder stored, Order after)
        {
            StoredOrder changed = stored with { Order = after, Changes = stored.Changes + 1 };
            orders[after.Id] = changed;
            _changes.Add(changed);
            _counts[stored.Order.Status] = _counts.GetValueOrDefault(stored.Order.Status) - 1;
            _counts[after.Status] = _counts.GetValueOrDefault(after.Status) + 1;
        }

        private void Commit(ChangeStatusWrite write, ChangeStatusResult result)
        {
            if (write.Key is { } key)
            {
                Answers.Add((key, result.Answer));
                kept.Add(key, result.Answer);
            }

            write.Commit(result);
        }
    }
}
