using System.Diagnostics;
using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Postgres;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Inventory.Tests;

/// <summary>The stock in PostgreSQL.</summary>
internal sealed class PostgresStockStoreTests
{
    private ModuleSchema _schema = null!;
    private PostgresStockStore _store = null!;

    [OneTimeSetUp]
    public async Task Open()
    {
        _schema = await ModuleSchema.OpenAsync(new InventoryModule());
        _store = new PostgresStockStore(_schema.Context);
    }

    [OneTimeTearDown]
    public ValueTask Close() => _schema.DisposeAsync();

    [Test]
    public async Task Given_reservations_when_they_are_confirmed_then_it_is_done_at_the_first_try_and_again_if_it_is_repeated()
    {
        await _store.InitializeAsync([new OpeningStock("p", 10)]);
        ReservationId[] ids = [new("first", 1), new("second", 2), new("third", 3)];
        foreach (ReservationId id in ids)
            Assert.That(
                (await _store.ReserveAsync(id, [new StockLine("p", 2)])).Outcome, Is.EqualTo(ReserveOutcome.Reserved));
        for (int repeat = 0; repeat < 2; repeat++)
        {
            await _store.ConfirmAsync(ids[..2]);
            IReadOnlyList<string> confirmed = await _schema.Context.Postgres.RowsAsync(
                "SELECT order_id FROM reservations WHERE is_confirmed ORDER BY order_id",
                row => row.GetString(0), CancellationToken.None);
            Assert.That(confirmed, Is.EqualTo(new[] { "first", "second" }));
        }
    }

    [Test]
    public async Task Given_reservations_in_one_batch_of_which_one_finds_too_little_then_the_others_are_held_all_the_same()
    {
        await _store.InitializeAsync([new OpeningStock("few", 3)]);
        ReserveResult[] results = await Task.WhenAll(new[] { 2, 2, 1 }.Select((quantity, n) =>
            _store.ReserveAsync(new ReservationId($"few {n}", n), [new StockLine("few", quantity)]).AsTask()));
        Assert.That(results.Select(result => result.Outcome), Is.EqualTo(new[]
        {
            ReserveOutcome.Reserved, ReserveOutcome.TooLittleStock, ReserveOutcome.Reserved,
        }));
        Assert.That((await _store.FindAsync("few", CancellationToken.None))?.Reserved, Is.EqualTo(3));
    }

    [Test]
    public async Task Given_levels_around_the_edges_of_which_some_is_held_then_PostgreSQL_counts_what_can_be_sold()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new InventoryModule());
        var store = new PostgresStockStore(schema.Context);
        await store.InitializeAsync(
            [.. new long[] { 0, 1, 9, 10, 11, 12 }.Select(level => new OpeningStock($"p{level:00}", level))]);
        await store.RetireAsync(["p12"]);
        Assert.That(await store.CountProductsAsync(10, default), Is.EqualTo(new ProductCounts(2, 2, 1)));
        await store.ReserveAsync(new("o", 1), [new("p01", 1), new("p10", 1), new("p11", 11)]);
        Assert.That(await store.CountProductsAsync(10, default), Is.EqualTo(new ProductCounts(0, 2, 3)));
        Assert.That((await store.LowestAsync(4, default)).Select(level => level.ProductId),
            Is.EqualTo(new[] { "p00", "p01", "p11", "p09" }));
        (PageOf<StockLevel> page, RowTotal total) = await store.ListAsync(0, null, 2, default);
        Assert.That((string.Join(' ', page.Rows.Select(level => level.ProductId)), page.HasMore, total.Rows),
            Is.EqualTo(("p00 p01", true, 3)));
    }

    [Test]
    public async Task Given_movements_of_every_kind_when_they_are_compacted_then_the_opening_balance_is_their_sum()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new InventoryModule());
        var store = new PostgresStockStore(schema.Context);
        ReservationId shipped = new("shipped", 1), released = new("released", 1);
        await store.InitializeAsync([new OpeningStock("p", 100), new OpeningStock("q", 7)]);
        await store.AdjustAsync(MovementKind.Removed, "p", 13, null);
        await store.ReserveAsync(shipped, [new StockLine("p", 9), new StockLine("q", 2)]);
        await store.ReserveAsync(released, [new StockLine("p", 5)]);
        await store.AdjustAsync(MovementKind.Received, "p", 4, null);
        await store.CloseAsync([shipped], MovementKind.Shipped);
        await store.CloseAsync([released], MovementKind.Released);
        OldMovement[] old = [.. await store.OldestMovementsAsync(0, 100, default)];
        Assert.That(old.Select(movement => movement.Kind), Is.EqualTo(new[]
        {
            "received", "received", "removed", "reserved", "reserved", "reserved", "received", "shipped", "shipped",
            "released",
        }));
        await store.ReserveAsync(new ReservationId("held", 1), [new StockLine("p", 3)]);

        // In two steps, of which the second adds to the first; some come once more.
        Assert.That(await store.CompactAsync(old[..3]), Is.EqualTo(3));
        Assert.That(await OpeningAsync("p"), Is.EqualTo((87, 87, 0, old[2].At)));
        Assert.That(await store.CompactAsync(old[2..]), Is.EqualTo(old.Length - 3));
        Assert.That(await OpeningAsync("p"), Is.EqualTo((82, 82, 0, old[^1].At)));
        Assert.That(await OpeningAsync("q"),
            Is.EqualTo((5, 5, 0, old.Last(movement => movement.ProductId == "q").At)));
        Assert.That((await store.NewestMovementsAsync("p", 10, default)).Select(row =>
            (row.Kind, row.Quantity, row.OnHand, row.Reserved)),
            Is.EqualTo(new[] { ("reserved", 3L, 82L, 3L), ("opening", 82, 82, 0) }));

        async Task<(long, long, long, long)> OpeningAsync(string product)
        {
            Movement row = (await store.NewestMovementsAsync(product, 100, default))[^1];
            Assert.That((row.Id, row.Kind, row.OrderId), Is.EqualTo((0L, "opening", (string?)null)));
            return (row.Quantity, row.OnHand, row.Reserved, row.At);
        }
    }

    [TestCase(9_999, false, 9_999, true)]
    [TestCase(10_000, false, 10_000, true)]
    [TestCase(10_001, false, 10_000, false)]
    [TestCase(9_999, true, 10_000, true)]
    [TestCase(10_000, true, 10_000, false)]
    public async Task Given_movements_around_those_that_are_counted_then_the_total_is_exact_up_to_there(
        int movements, bool hasOpeningBalance, long total, bool isExact)
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new InventoryModule());
        var store = new PostgresStockStore(schema.Context);
        await schema.ExecuteAsync($"""
            INSERT INTO movements (product_id, kind, quantity, at, on_hand, reserved)
            SELECT 'p', 'received', 1, n, n, 0 FROM generate_series(1, {movements}) AS n;
            INSERT INTO opening_balances (product_id, on_hand, reserved, last_movement, at)
            SELECT 'p', 0, 0, 0, 0 WHERE {hasOpeningBalance}
            """);
        (PageOf<Movement> page, RowTotal counted) = await store.ListMovementsAsync("p", null, 3, default);
        Assert.That((page.Rows.Count, page.HasMore, counted), Is.EqualTo((3, true, new RowTotal(total, isExact))));
    }

    [Test]
    public async Task Given_a_thousand_changes_of_the_count_of_reservations_when_they_are_merged_then_it_is_the_same_and_young_marks_stay()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new InventoryModule());
        var store = new PostgresStockStore(schema.Context);
        await store.InitializeAsync([new OpeningStock("p", 10)]);
        await schema.ExecuteAsync("""
            INSERT INTO reservation_changes (change) SELECT 3 FROM generate_series(1, 999);
            INSERT INTO released_reservations (order_id, number, at)
            VALUES ('old', 1, now() - interval '25 hours'), ('young', 2, now() - interval '23 hours')
            """);
        await store.MaintainAsync();
        Assert.That(await RowsAsync("reservation_changes"), Is.EqualTo(999));
        await schema.ExecuteAsync("INSERT INTO reservation_changes (change) VALUES (-1)");
        await store.MaintainAsync();
        Assert.That((await RowsAsync("reservation_changes"), await store.CountReservationsAsync(default)),
            Is.EqualTo((1, 2996)));
        Assert.That((await store.ReserveAsync(new("young", 2), [new("p", 1)])).Outcome,
            Is.EqualTo(ReserveOutcome.HeldByAnother));
        Assert.That(await RowsAsync("released_reservations"), Is.EqualTo(1));

        async Task<long> RowsAsync(string table) => (await schema.Context.Postgres.RowsAsync(
            $"SELECT count(*) FROM {table}", row => row.GetInt64(0), CancellationToken.None))[0];
    }

    [Test]
    public async Task Given_reservations_around_the_time_that_a_request_may_take_then_the_old_ones_that_are_unconfirmed_are_looked_up()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new InventoryModule());
        var store = new PostgresStockStore(schema.Context);
        var unconfirmed = Array.Empty<ReservationId>();
        bool isYoung = false;
        while (!isYoung) // on a slow machine it may be old by the time it is read
        {
            long start = Stopwatch.GetTimestamp();
            await schema.ExecuteAsync("""
                DELETE FROM reservations;
                INSERT INTO reservations (order_id, number, product_ids, quantities, is_confirmed, reserved_at) VALUES
                    ('young', 1, '{}', '{}', false, clock_timestamp() - interval '1 second'),
                    ('old', 2, '{}', '{}', false, clock_timestamp() - interval '11.1 seconds'),
                    ('confirmed', 3, '{}', '{}', true, clock_timestamp() - interval '1 hour')
                """);
            unconfirmed = [.. await store.UnconfirmedAsync(default)];
            isYoung = Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(9);
        }

        Assert.That(unconfirmed, Is.EqualTo(new[] { new ReservationId("old", 2) }));
    }

    [Test]
    public async Task Given_orders_of_one_product_at_once_then_each_of_their_movements_has_the_figures_after_it()
    {
        await _store.InitializeAsync([new OpeningStock("wanted", 1000)]);
        await Task.WhenAll(Enumerable.Range(1, 40).Select(n => _store.ReserveAsync(
            new ReservationId($"wanted {n:00}", n), [new StockLine("wanted", n)]).AsTask()));
        IReadOnlyList<Movement> movements = await _store.NewestMovementsAsync("wanted", 40, default);
        long reserved = 0;
        foreach (Movement movement in movements.Reverse())
        {
            Assert.That((movement.OnHand, movement.Reserved), Is.EqualTo((1000, reserved += movement.Quantity)));
        }

        Assert.That(reserved, Is.EqualTo(820));
    }

    [Test]
    public async Task Given_much_stock_when_it_is_listed_again_and_again_then_postgres_keeps_the_plans()
    {
        const int Rows = 5000, Times = 20; // on each of two connections: the migration needs both
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(
            new InventoryModule(), PostgresCluster.Shared.CreateDatabase() + ";Maximum Pool Size=2");
        await schema.ExecuteAsync($"""
            INSERT INTO stock (product_id, on_hand, reserved, last_updated)
            SELECT 'p' || n, 1, 0, n FROM generate_series(1, {Rows}) n;
            INSERT INTO movements (product_id, kind, quantity, at, on_hand, reserved)
            SELECT 'p1', 'received', 1, n, n, 0 FROM generate_series(1, {Rows}) n;
            ANALYZE stock, movements
            """);
        var store = new PostgresStockStore(schema.Context);
        foreach (int limit in (int[])[1, 2, 10, 20, 100, 1000])
        {
            for (int i = 0; i < 2 * Times; i++)
            {
                Assert.That((await store.ListAsync(null, null, limit, default)).Page.Rows, Has.Count.EqualTo(limit));
                Assert.That((await store.ListMovementsAsync("p1", null, limit, default)).Page.Rows
                    .Select(movement => movement.OnHand), Is.EqualTo(Enumerable.Range(0, limit).Select(n => Rows - n)));
            }
        }

        // PostgreSQL plans a statement anew five times before it decides to keep a plan.
        IReadOnlyList<(string Statement, long Kept, long Anew)> plans = await schema.Context.Postgres.RowsAsync("""
            SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%AS listed%'
            """, static row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2)), default);
        Assert.That(plans.Count(plan => plan.Statement.Contains("movements", StringComparison.Ordinal)),
            Is.Positive.And.LessThan(plans.Count));
        Assert.That(plans, Has.All.Matches<(string Statement, long Kept, long Anew)>(
            plan => plan.Anew <= 5 && plan.Kept > plan.Anew));
    }

    // A table that is scanned though its plan says that it must not be looks so dear that both would be done.
    [Test]
    public async Task Given_stock_that_is_counted_when_postgres_runs_it_then_it_compiles_nothing_and_starts_no_worker()
    {
        IReadOnlyList<string> lines = await _schema.Context.Postgres.RowsAsync(
            "EXPLAIN (ANALYZE) SELECT count(*) FILTER (WHERE on_hand > reserved) FROM stock WHERE NOT is_retired",
            row => row.GetString(0), CancellationToken.None);
        Assert.That(lines, Has.Some.Contains("Seq Scan"));
        Assert.That(lines, Has.None.Contains("JIT").And.None.Contains("Workers"));
    }

    [Test]
    public async Task Given_a_reservation_that_is_committed_while_it_is_closed_then_its_units_are_not_kept_for_ever()
    {
        await _store.InitializeAsync([new OpeningStock("late", 10)]);
        ReservationId first = new("on time", 1), late = new("too late", 1);
        await _store.ReserveAsync(first, [new StockLine("late", 2)]);
        await using NpgsqlConnection other = await _schema.OpenSessionAsync();
        await using NpgsqlTransaction reserving = await other.BeginTransactionAsync();
        await RunAsync(other, "UPDATE stock SET reserved = reserved + 3 WHERE product_id = 'late'");
        Task<CloseResult> closing = _store.CloseAsync([first, late], MovementKind.Released).AsTask();
        await _schema.WaitForLocksAsync(1);
        await RunAsync(other, """
            INSERT INTO reservations (order_id, number, product_ids, quantities) VALUES ('too late', 1, '{late}', '{3}')
            """);
        await reserving.CommitAsync();
        Assert.That((await closing).Reservations, Is.EqualTo(1));
        Assert.That(await CountAsync("SELECT reserved FROM stock WHERE product_id = 'late'"), Is.EqualTo(3));
        Assert.That(await CountAsync("SELECT count(*) FROM reservations WHERE order_id = 'too late'"), Is.EqualTo(1));
        Assert.That((await _store.CloseAsync([late], MovementKind.Released)).Reservations, Is.EqualTo(1));
        Assert.That(await CountAsync("SELECT reserved FROM stock WHERE product_id = 'late'"), Is.Zero);
    }

    [Test]
    public async Task Given_a_reservation_that_comes_after_its_release_then_it_holds_nothing_and_another_try_at_the_order_does()
    {
        await _store.InitializeAsync([new OpeningStock("given up", 10)]);
        ReservationId late = new("given up", 1), next = new("given up", 2);
        Assert.That((await _store.CloseAsync([late], MovementKind.Released)).Reservations, Is.Zero);
        Assert.That((await _store.ReserveAsync(late, [new StockLine("given up", 2)])).Outcome,
            Is.EqualTo(ReserveOutcome.HeldByAnother));
        Assert.That((await _store.ReserveAsync(next, [new StockLine("given up", 3)])).Outcome,
            Is.EqualTo(ReserveOutcome.Reserved));
        Assert.That((await _store.FindAsync("given up", CancellationToken.None))?.Reserved, Is.EqualTo(3));
    }

    [Test]
    public async Task Given_a_reservation_that_another_host_closes_at_once_then_its_units_are_released_once()
    {
        await _store.InitializeAsync([new OpeningStock("shared", 10)]);
        ReservationId closed = new("closed", 1);
        await _store.ReserveAsync(closed, [new StockLine("shared", 2)]);
        await _store.ReserveAsync(new("open", 1), [new StockLine("shared", 3)]);
        await using NpgsqlConnection other = await _schema.OpenSessionAsync();
        await using NpgsqlTransaction closing = await other.BeginTransactionAsync();
        await RunAsync(other, "DELETE FROM reservations WHERE order_id = 'closed'");
        await RunAsync(other, "UPDATE stock SET reserved = reserved - 2 WHERE product_id = 'shared'");
        Task<CloseResult> again = _store.CloseAsync([closed], MovementKind.Released).AsTask();
        await _schema.WaitForLocksAsync(1);
        await closing.CommitAsync();
        Assert.That((await again).Reservations, Is.Zero);
        Assert.That(await CountAsync("SELECT reserved FROM stock WHERE product_id = 'shared'"), Is.EqualTo(3));
    }

    [TestCase("released", 10, 3)]
    [TestCase("shipped", 8, 3)]
    public async Task Given_a_reservation_that_is_named_twice_when_it_is_closed_then_its_units_move_once(
        string kind, long onHand, long reserved)
    {
        string product = $"twice {kind}";
        await _store.InitializeAsync([new OpeningStock(product, 10)]);
        ReservationId closed = new(product, 1);
        await _store.ReserveAsync(closed, [new StockLine(product, 2)]);
        await _store.ReserveAsync(new($"{product} open", 1), [new StockLine(product, 3)]);
        CloseResult result = await _store.CloseAsync([closed, closed], MovementKind.Find(kind)!);
        Assert.That(result, Is.EqualTo(new CloseResult(1, new MovementTotals(1, 2))));
        StockLevel stock = (await _store.FindAsync(product, CancellationToken.None))!.Value;
        Assert.That((stock.OnHand, stock.Reserved), Is.EqualTo((onHand, reserved)));
    }

    [Test]
    public async Task Given_one_order_id_with_other_products_on_another_host_at_once_then_one_of_both_holds_units()
    {
        await _store.InitializeAsync([new OpeningStock("first", 10), new OpeningStock("second", 10)]);
        await using NpgsqlConnection other = await _schema.OpenSessionAsync();
        await using NpgsqlTransaction reserving = await other.BeginTransactionAsync();
        await RunAsync(other, "UPDATE stock SET reserved = reserved + 3 WHERE product_id = 'first'");
        await RunAsync(other, """
            INSERT INTO reservations (order_id, number, product_ids, quantities) VALUES ('same', 1, '{first}', '{3}')
            """);
        Task<ReserveResult> loser = _store.ReserveAsync(new("same", 2), [new StockLine("second", 2)]).AsTask();
        await _schema.WaitForLocksAsync(1);
        await reserving.CommitAsync();
        Assert.That((await loser).Outcome, Is.EqualTo(ReserveOutcome.HeldByAnother));
        Assert.That(await CountAsync("SELECT reserved FROM stock WHERE product_id = 'second'"), Is.Zero);
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> CountAsync(string sql) => (await _schema.Context.Postgres.RowsAsync(
        sql, row => row.GetInt64(0), CancellationToken.None))[0];
}
