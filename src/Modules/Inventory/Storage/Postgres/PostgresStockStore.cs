using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Faults;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>The stock in PostgreSQL, shared by any number of hosts: reservations are decided under row locks.</summary>
internal sealed class PostgresStockStore : IStockStore
{
    /// <summary>Rows whose sum is the count of reservations, before they are merged into one.</summary>
    private const int MaxChanges = 1000;

    private const string Levels = "SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock";

    /// <summary>A product that is no longer sold is never low.</summary>
    private const string IsWanted = "($1 < 0 OR (on_hand - reserved <= $1 AND NOT is_retired))";

    /// <summary>How often the fault looks whether it still holds its lock.</summary>
    private static readonly TimeSpan LockCheck = TimeSpan.FromSeconds(1);

    private readonly ModuleContext _module;
    private readonly PostgresDatabase _database;
    private readonly PostgresWriteQueue<ReserveWrite, ReserveResult> _reserves;
    private readonly PostgresWriteQueue<ConfirmWrite, int> _confirms;
    private readonly PostgresWriteQueue<CloseWrite, CloseResult> _closes;
    private readonly PostgresWriteQueue<AdjustWrite, AdjustResult> _adjusts;

    public PostgresStockStore(ModuleContext module)
    {
        (_module, _database) = (module, module.Postgres);
        PostgresCommitWriter writes = _database.Writes; // throws before the module has started
        _reserves = writes.Open(new ReserveWrites(module.Now));
        _confirms = writes.Open(new ConfirmWrites());
        _closes = writes.Open(new CloseWrites(module.Now));
        _adjusts = writes.Open(new AdjustWrites(_database.Keys, module.Now));
    }

    /// <summary>Holds a lock on the stock that only reads go by, for as long as the fault runs.</summary>
    public async Task LockAsync(FaultRun run, CancellationToken end)
    {
        while (true)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.Source.OpenConnectionAsync(end);
                await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(end);
                await using var command = new NpgsqlCommand("LOCK TABLE stock IN EXCLUSIVE MODE", connection);
                await command.ExecuteNonQueryAsync(end);
                command.CommandText = "SELECT 1"; // is the connection still there?
                while (true)
                {
                    await Task.Delay(LockCheck, end);
                    await command.ExecuteNonQueryAsync(end);
                }
            }
            catch (NpgsqlException) when (!end.IsCancellationRequested)
            {
                await Task.Delay(LockCheck, end); // the server is away, or others hold the table: then again
            }
        }
    }

    public async Task MaintainAsync()
    {
        long changes = await ScalarAsync($"""
            SELECT count(*) FROM (SELECT FROM reservation_changes LIMIT {MaxChanges}) AS counted
            """, CancellationToken.None);
        if (changes < MaxChanges) return;
        await _database.Writes.RunAsync(static transaction =>
        {
            transaction.Add("""
                WITH gone AS (DELETE FROM reservation_changes RETURNING change)
                INSERT INTO reservation_changes (change) SELECT sum(change) FROM gone HAVING count(*) > 0
                """);
            // No request of so long ago is still under way.
            transaction.Add("DELETE FROM released_reservations WHERE at < now() - interval '1 day'");
        });
    }

    public ValueTask<MovementTotals> InitializeAsync(IReadOnlyList<OpeningStock> products)
    {
        OpeningStock[] ordered = [.. products.OrderBy(static product => product.ProductId, StringComparer.Ordinal)];
        return new ValueTask<MovementTotals>(_database.Writes.RunAsync(async (transaction, end) =>
        {
            transaction.Add("""
                WITH opened AS (
                    INSERT INTO stock (product_id, on_hand, reserved, last_updated)
                    SELECT product_id, quantity, 0, $3 FROM unnest($1, $2) AS product (product_id, quantity)
                    ON CONFLICT DO NOTHING RETURNING product_id, on_hand)
                INSERT INTO movements (product_id, kind, quantity, at, on_hand, reserved)
                SELECT product_id, 'received', on_hand, $3, on_hand, 0 FROM opened WHERE on_hand > 0
                RETURNING quantity
                """,
                PostgresTransaction.Column(ordered, static product => product.ProductId),
                PostgresTransaction.Column(ordered, static product => product.Quantity),
                PostgresTransaction.Parameter(_module.Now().ToMilliseconds()));
            await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
            MovementTotals received = default;
            while (await reader.ReadAsync(end)) received = received.Plus(reader.GetInt64(0));
            return received;
        }));
    }

    public async ValueTask RetireAsync(IReadOnlyList<string> productIds) =>
        await _database.Writes.RunAsync(transaction => transaction.Add("""
            UPDATE stock SET is_retired = true WHERE product_id IN (
                SELECT product_id FROM stock WHERE product_id = ANY ($1) AND NOT is_retired
                ORDER BY product_id FOR UPDATE)
            """, PostgresTransaction.Parameter(productIds.ToArray())));

    public ValueTask<ReserveResult> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines) =>
        new(_reserves.WriteAsync(new ReserveWrite(id, lines)));

    public async ValueTask ConfirmAsync(IReadOnlyList<ReservationId> ids) =>
        await _confirms.WriteAsync(new ConfirmWrite(ids));

    public ValueTask<CloseResult> CloseAsync(IReadOnlyList<ReservationId> ids, MovementKind kind) =>
        new(_closes.WriteAsync(new CloseWrite(ids, kind)));

    public ValueTask<AdjustResult> AdjustAsync(
        MovementKind kind, string productId, long quantity, IdempotencyKey? key) => PostgresDatabase.MayHave(productId)
        ? new(_adjusts.WriteAsync(new AdjustWrite(kind, productId, quantity, key)))
        : ValueTask.FromResult(new AdjustResult(AdjustOutcome.UnknownProduct));

    public ValueTask<int> CompactAsync(IReadOnlyList<OldMovement> movements) =>
        new(_database.Writes.RunAsync(async (transaction, end) =>
        {
            transaction.Add("""
                WITH gone AS (DELETE FROM movements WHERE id = ANY ($1) RETURNING id, product_id, kind, quantity, at),
                sums AS (
                    SELECT product_id, max(id) AS last_movement, max(at) AS at,
                        sum(CASE kind WHEN 'received' THEN quantity WHEN 'removed' THEN -quantity
                            WHEN 'shipped' THEN -quantity ELSE 0 END)::bigint AS on_hand,
                        sum(CASE kind WHEN 'reserved' THEN quantity WHEN 'released' THEN -quantity
                            WHEN 'shipped' THEN -quantity ELSE 0 END)::bigint AS reserved
                    FROM gone GROUP BY product_id ORDER BY product_id),
                added AS (
                    INSERT INTO opening_balances AS o (product_id, on_hand, reserved, last_movement, at)
                    SELECT product_id, on_hand, reserved, last_movement, at FROM sums
                    ON CONFLICT (product_id) DO UPDATE SET
                        on_hand = o.on_hand + excluded.on_hand, reserved = o.reserved + excluded.reserved,
                        last_movement = greatest(o.last_movement, excluded.last_movement),
                        at = greatest(o.at, excluded.at))
                SELECT count(*) FROM gone
                """, PostgresTransaction.Column(movements, static movement => movement.Id));
            await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
            await reader.ReadAsync(end);
            return (int)reader.GetInt64(0);
        }));

    /// <summary>PostgreSQL does so by itself.</summary>
    public ValueTask ReclaimSpaceAsync(CancellationToken end) => ValueTask.CompletedTask;

    public async ValueTask<StockLevel?> FindAsync(string productId, CancellationToken end)
    {
        if (!PostgresDatabase.MayHave(productId)) return null;
        IReadOnlyList<StockLevel> rows = await _database.RowsAsync(
            $"{Levels} WHERE product_id = $1", StockLedger.Level, end, PostgresTransaction.Parameter(productId));
        return rows.Count == 0 ? null : rows[0];
    }

    public async ValueTask<IReadOnlyList<StockLevel?>> FindAsync(
        IReadOnlyList<string> productIds, CancellationToken end)
    {
        IReadOnlyList<StockLevel> rows = await _database.RowsAsync(
            $"{Levels} WHERE product_id = ANY($1)", StockLedger.Level, end,
            PostgresTransaction.Parameter(productIds.Where(PostgresDatabase.MayHave).ToArray()));
        var found = rows.ToDictionary(stock => stock.ProductId, StringComparer.Ordinal);
        return [.. productIds.Select(id => found.TryGetValue(id, out StockLevel stock) ? stock : (StockLevel?)null)];
    }

    public async ValueTask<(PageOf<StockLevel> Page, RowTotal Total)> ListAsync(
        long? maxLevel, string? after, int limit, CancellationToken end)
    {
        // What sorts after a text with a NUL sorts after its part before the NUL.
        after = after?.Split('\0')[0] ?? "";
        IReadOnlyList<StockLevel> rows = await _database.RowsAsync(
            $"""
            SELECT * FROM (
                {Levels} WHERE {IsWanted} AND product_id > $2
                ORDER BY product_id LIMIT {ListPlan.AtLeast(limit + 1)}) AS listed
            ORDER BY product_id LIMIT $3
            """, StockLedger.Level, end,
            PostgresTransaction.Parameter(maxLevel ?? -1), PostgresTransaction.Parameter(after),
            PostgresTransaction.Parameter(limit + 1));
        long total = await ScalarAsync($"SELECT count(*) FROM stock WHERE {IsWanted}", end,
            PostgresTransaction.Parameter(maxLevel ?? -1));
        return (Paging.TakePage(rows, limit), new RowTotal(total));
    }

    public async ValueTask<IReadOnlyList<StockLevel>> LowestAsync(int limit, CancellationToken end) =>
        await _database.RowsAsync(
            $"{Levels} WHERE NOT is_retired ORDER BY on_hand - reserved, product_id LIMIT $1", StockLedger.Level, end,
            PostgresTransaction.Parameter(limit));

    public async ValueTask<ProductCounts> CountProductsAsync(long lowBelow, CancellationToken end)
    {
        IReadOnlyList<ProductCounts> counts = await _database.RowsAsync("""
            SELECT count(*) FILTER (WHERE on_hand - reserved >= greatest($1, 1)),
                count(*) FILTER (WHERE on_hand - reserved > 0 AND on_hand - reserved < $1),
                count(*) FILTER (WHERE on_hand - reserved <= 0)
            FROM stock WHERE NOT is_retired
            """,
            static row => new ProductCounts((int)row.GetInt64(0), (int)row.GetInt64(1), (int)row.GetInt64(2)), end,
            PostgresTransaction.Parameter(lowBelow));
        return counts[0];
    }

    public async ValueTask<(PageOf<Movement> Page, RowTotal Total)> ListMovementsAsync(
        string productId, long? cursor, int limit, CancellationToken end)
    {
        IReadOnlyList<Movement> rows = await MovementsAsync(productId, cursor, limit + 1, end);
        // A first page that is the last page as well needs no count.
        long count = cursor is null && rows.Count <= limit ? rows.Count : await ScalarAsync("""
            SELECT (SELECT count(*) FROM (SELECT FROM movements WHERE product_id = $1 LIMIT $2) AS counted)
                + (SELECT count(*) FROM opening_balances WHERE product_id = $1)
            """, end, PostgresTransaction.Parameter(productId), PostgresTransaction.Parameter(Paging.MaxCounted + 1));
        return (Paging.TakePage(rows, limit), Paging.Counted(count));
    }

    public async ValueTask<IReadOnlyList<Movement>> NewestMovementsAsync(
        string productId, int limit, CancellationToken end) => await MovementsAsync(productId, null, limit, end);

    public async ValueTask<IReadOnlyList<OldMovement>> OldestMovementsAsync(
        long after, int limit, CancellationToken end) => await _database.RowsAsync(
        "SELECT id, product_id, kind, quantity, order_id, at FROM movements WHERE id > $1 ORDER BY id LIMIT $2",
        static row => new OldMovement(
            row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3), Text(row, 4), row.GetInt64(5)), end,
        PostgresTransaction.Parameter(after), PostgresTransaction.Parameter(limit));

    /// <summary>
    /// Reservations so old that no request can still be about to confirm them, by the clock of the database.
    /// </summary>
    public async ValueTask<IReadOnlyList<ReservationId>> UnconfirmedAsync(CancellationToken end) =>
        await _database.RowsAsync("""
            SELECT order_id, number FROM reservations
            WHERE NOT is_confirmed AND reserved_at < clock_timestamp() - make_interval(secs => $1)
            ORDER BY reserved_at LIMIT 10000
            """,
            static row => new ReservationId(row.GetString(0), row.GetInt64(1)), end,
            PostgresTransaction.Parameter(_module.Settings.RequestTimeout.TotalSeconds + 1));

    public async ValueTask<long> CountReservationsAsync(CancellationToken end) =>
        await ScalarAsync("SELECT coalesce(sum(change), 0)::bigint FROM reservation_changes", end);

    private async Task<long> ScalarAsync(string sql, CancellationToken end, params NpgsqlParameter[] parameters) =>
        (await _database.RowsAsync(sql, static row => row.GetInt64(0), end, parameters))[0];

    // The sum of a product's movements that were deleted is the last row of its list.
    private async Task<IReadOnlyList<Movement>> MovementsAsync(
        string productId, long? before, int limit, CancellationToken end) => await _database.RowsAsync($"""
        SELECT * FROM (
            (SELECT id, kind, quantity, order_id, at, on_hand, reserved
            FROM movements WHERE product_id = $1 AND id < $2 ORDER BY id DESC LIMIT {ListPlan.AtLeast(limit)})
            UNION ALL
            SELECT 0, $4, on_hand, NULL, at, on_hand, reserved FROM opening_balances WHERE product_id = $1) AS listed
        ORDER BY id DESC LIMIT $3
        """,
        static row => new Movement(row.GetInt64(0), row.GetString(1), row.GetInt64(2), Text(row, 3), row.GetInt64(4),
            row.GetInt64(5), row.GetInt64(6)), end,
        PostgresTransaction.Parameter(productId), PostgresTransaction.Parameter(before ?? long.MaxValue),
        PostgresTransaction.Parameter((long)limit), PostgresTransaction.Parameter(Movement.OpeningBalance));

    private static string? Text(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetString(column);
}
