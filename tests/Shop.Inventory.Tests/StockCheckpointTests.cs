using CsCheck;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;
using Shop.Testing;

namespace Shop.Inventory.Tests;

/// <summary>The stock is in memory and its rows come later: nothing may be lost between the two.</summary>
internal sealed class StockCheckpointTests : StockFixture
{
    [Test]
    public void Given_any_history_with_checkpoints_and_restarts_then_the_stock_is_what_a_model_says()
    {
        int history = 0;
        Gen<(int Step, int Order, int Product, long Units)[]> histories =
            Gen.Select(Gen.Int[0, 5], Gen.Int[0, 5], Gen.Int[0, 2], Gen.Long[1, 5]).Array[1, 40];
        histories.Sample(steps =>
        {
            string prefix = $"{history++}-";
            var onHand = Enumerable.Range(0, 3).ToDictionary(n => $"{prefix}{n}", _ => 10L);
            var held = new Dictionary<string, StockLine[]>();
            var checkpoint = new StockCheckpoint(Store.Ledger, Writes);
            Reservations.OpenAsync([.. onHand.Select(product => new OpeningStock(product.Key, product.Value))]).Wait();
            foreach ((int step, int number, int n, long units) in steps)
            {
                string order = $"{prefix}{number}";
                switch (step)
                {
                    case 0 or 1:
                        StockLine[] lines = [new($"{prefix}{n}", units), new($"{prefix}{(n + 1) % 3}", 1)];
                        if (Reservations.ReserveAsync(new(order, 0), lines)
                            .AsTask().Result.Outcome == ReservationOutcome.Held) held.TryAdd(order, lines);
                        break;
                    case 2:
                        Reservations.ShipAsync([new(order, 0)]).Wait();
                        if (held.Remove(order, out StockLine[]? shipped)) Array.ForEach(shipped, line =>
                            onHand[line.ProductId] -= line.Quantity);
                        break;
                    case 3:
                        Reservations.ReleaseAsync([new(order, 0)]).Wait();
                        held.Remove(order);
                        break;
                    case 4:
                        checkpoint.RunAsync().Wait();
                        break;
                    default:
                        Restart();
                        checkpoint = new StockCheckpoint(Store.Ledger, Writes);
                        break;
                }
            }

            Restart();
            return onHand.All(product => Store.Levels.Find(product.Key) is { } stock && stock.OnHand == product.Value
                && stock.Reserved == held.Values.SelectMany(lines => lines).Where(line => line.ProductId == product.Key)
                    .Sum(line => line.Quantity));
        }, iter: 300, threads: 1);
    }

    [Test]
    public async Task Given_a_checkpoint_then_the_rows_are_those_of_memory_and_a_start_has_no_movement_to_read_again()
    {
        // More than one write of rows.
        await Reservations.OpenAsync([.. Enumerable.Range(0, 1200).Select(n => new OpeningStock($"p{n}", n + 1))]);
        await Reservations.ReserveAsync(new("o", 0), [new("p7", 3)]);
        Assert.That(Rows().Single(row => row.ProductId == "p7").OnHand, Is.Zero, "not written yet");
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        Assert.That(Rows(), Is.EquivalentTo(Store.Levels.All));
        Assert.That(Rows().Single(row => row.ProductId == "p7"), Has.Property("OnHand")
            .EqualTo(8).And.Property("Reserved").EqualTo(3));
        using SqliteConnection connection = Files.Context.Database.OpenRead();
        Assert.That(connection.ExecuteScalar<long>("SELECT newest_movement FROM stock_checkpoint"), Is.EqualTo(1201));
        Restart();
        Assert.That(Store.Levels.IsDirty, Is.False);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Given_a_checkpoint_that_fails_half_way_then_nothing_is_lost_by_a_crash_and_the_next_goes_on_with_it(
        bool crashes)
    {
        await Reservations.OpenAsync([.. Enumerable.Range(0, 1200).Select(n => new OpeningStock($"p{n}", 1))]);
        // The last of the rows is refused, as a full disk would.
        await RunAsync("CREATE TRIGGER refuse BEFORE UPDATE ON stock WHEN new.product_id = 'p999' BEGIN "
            + "SELECT raise(ABORT, 'full'); END");
        var checkpoint = new StockCheckpoint(Store.Ledger, Writes);
        Assert.That(checkpoint.RunAsync, Throws.TypeOf<StoreUnavailableException>());
        await Reservations.ReserveAsync(new("o", 0), [new("p0", 1), new("p999", 1)]);
        StockLevel[] stock = [.. Store.Levels.All];
        await RunAsync("DROP TRIGGER refuse");
        if (crashes)
        {
            Restart();
            Assert.That(Store.Levels.All, Is.EquivalentTo(stock));
            return;
        }

        await checkpoint.RunAsync(); // the rest
        await checkpoint.RunAsync(); // what came since
        Assert.That(Rows(), Is.EquivalentTo(stock));
    }

    [Test]
    public async Task Given_stock_that_moves_while_a_checkpoint_waits_for_its_turn_then_a_crash_after_it_loses_nothing()
    {
        await Reservations.OpenAsync([new("a", 5), new("b", 5)]);
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        await Reservations.ReserveAsync(new("o", 0), [new("a", 1)]); // so there is something to write
        using var turn = new ManualResetEventSlim();
        Task<int> busy = Writes.WriteAsync(() =>
        {
            turn.Wait();
            return WriteResult.Commit(0);
        });
        Task<Reservation> reserving = Reservations.ReserveAsync(new("p", 0), [new("b", 2)]).AsTask();
        Task checkpoint = new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        turn.Set();
        await Task.WhenAll(busy, reserving, checkpoint);
        StockLevel[] stock = [.. Store.Levels.All];
        Restart();
        Assert.That(Store.Levels.All, Is.EquivalentTo(stock));
    }

    [Test]
    public async Task Given_writes_that_are_undone_then_the_stock_is_as_before()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        Task<int> alone = Writes.WriteAsync<int>(() =>
        {
            Store.Ledger.Append(MovementKind.Reserved, "a", 2, "o", DateTime.UnixEpoch);
            throw new InvalidOperationException("no");
        });
        Assert.That(async () => await alone, Throws.InvalidOperationException);
        Assert.That((Store.Levels.Find("a")!.Value.Reserved, await LevelInWriteAsync("a")), Is.EqualTo((0L, 5L)));

        Statement end = await Writes.WriteAsync(() => WriteResult.Commit(Writes.Prepare("ROLLBACK")));
        Task<int> batch = Writes.WriteAsync(() =>
        {
            Store.Ledger.AddProduct("new", DateTime.UnixEpoch);
            Store.Ledger.Append(MovementKind.Reserved, "a", 2, "o", DateTime.UnixEpoch);
            return WriteResult.Commit(end.Run());
        });
        Assert.That(async () => await batch, Throws.TypeOf<StoreUnavailableException>());
        Assert.That((Store.Levels.Find("a")!.Value.Reserved, await LevelInWriteAsync("a"), Store.Levels.Find("new"),
            await LevelInWriteAsync("new")),
            Is.EqualTo((0L, 5L, (StockLevel?)null, (long?)null)));
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        Assert.That(Rows(), Is.EquivalentTo(Store.Levels.All));
        await Reservations.OpenAsync([new("new", 1)]);
        Assert.That(Store.Levels.All, Has.Exactly(2).Items);
    }

    [Test]
    public void Given_a_module_that_has_not_started_when_its_store_is_asked_for_then_it_says_so()
    {
        var module = new ModuleContext(
            Files.Context.Identity, Files.Context.Settings, TimeProvider.System, NullLoggerFactory.Instance);
        Assert.That(() => new SqliteStockStore(module),
            Throws.InvalidOperationException.With.Message.Contains("not open"));
    }

    [Test]
    public async Task Given_a_write_that_is_not_on_disk_yet_then_readers_see_the_stock_before_it()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        var moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var release = new ManualResetEventSlim();
        Task<AppendedMovement?> write = Writes.WriteAsync(() =>
        {
            AppendedMovement? movement = Store.Ledger.Append(MovementKind.Reserved, "a", 2, "o", DateTime.UnixEpoch);
            moved.SetResult();
            release.Wait();
            return WriteResult.Commit(movement);
        });
        await moved.Task;
        long seen = Store.Levels.Find("a")!.Value.Reserved;
        release.Set();
        await write;
        Assert.That((seen, Store.Levels.Find("a")!.Value.Reserved), Is.EqualTo((0L, 2L)));
    }

    [Test]
    public async Task Given_a_file_of_a_version_with_rows_for_reserved_lines_when_opened_then_stock_and_reservations_are_as_they_were()
    {
        // An order that was released and then held again, with other lines.
        const string Rows = """
            INSERT INTO stock VALUES ('a', 10, 3, 40), ('b', 5, 1, 40);
            INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved) VALUES
                ('a', 'received', 10, NULL, 10, 10, 0), ('b', 'received', 5, NULL, 10, 5, 0),
                ('a', 'reserved', 2, 'o', 20, 10, 2), ('a', 'released', 2, 'o', 30, 10, 0),
                ('a', 'reserved', 3, 'o', 40, 10, 3), ('b', 'reserved', 1, 'o', 40, 5, 1);
            INSERT INTO reservations VALUES ('o', 0);
            INSERT INTO reservation_lines VALUES ('o', 'a', 3), ('o', 'b', 1);
            """;
        using var files = new ModuleFiles(new InventoryModule(),
            directory => ModuleFiles.WriteOlder(directory, new InventoryModule(), ["001_stock.sql", "002_runs.sql"],
                Rows));
        var store = new SqliteStockStore(files.Context);
        var inventory = new Reservations(store, new InventoryMetrics(store, files.Context));
        Assert.That(store.Levels.All, Is.EquivalentTo([new StockLevel("a", 10, 3, 40), new StockLevel("b", 5, 1, 40)]));
        Assert.That((store.CountReservationsAsync(default).AsTask().Result, await inventory.UnconfirmedAsync()),
            Is.EqualTo((1L, new[] { new ReservationId("o", 0) })).Using<(long, IReadOnlyList<ReservationId>)>(
            (one, other) => one.Item1 == other.Item1 && one.Item2.SequenceEqual(other.Item2)));
        Assert.That((await inventory.ReserveAsync(new("o", 0), [new("a", 3), new("b", 1)])).Outcome,
            Is.EqualTo(ReservationOutcome.Held));
        await inventory.ReleaseAsync([new("o", 0)]);
        Assert.That(store.Levels.All.Select(stock => stock.Reserved), Is.All.Zero);
    }

    [Test]
    public async Task Given_a_file_of_a_version_with_an_index_over_all_movements_when_opened_then_a_product_has_its_movements_of_every_run()
    {
        const string Rows = """
            INSERT INTO stock VALUES ('a', 5000, 0, 1), ('b', 5000, 0, 1);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
            INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved)
            SELECT CASE i % 5 WHEN 0 THEN 'a' ELSE 'b' END, 'received', 1, NULL, i, i, 0 FROM n;
            UPDATE stock_checkpoint SET newest_movement = 2500;
            """;
        using var files = new ModuleFiles(new InventoryModule(),
            directory => ModuleFiles.WriteOlder(directory, new InventoryModule(),
                ["001_stock.sql", "002_runs.sql", "003_checkpoint.sql"], Rows));
        var store = new SqliteStockStore(files.Context);
        long[] expected = [.. Enumerable.Range(1, 500).Select(n => n * 5L).Reverse()];
        Assert.That(store.NewestMovementsAsync("a", 1000, default)
            .AsTask().Result.Select(row => row.Id), Is.EqualTo(expected));
        Assert.That(store.ListMovementsAsync("a", null, 1, default).AsTask().Result.Total.Rows, Is.EqualTo(500));

        // And on, over the end of a run.
        await files.Context.Database.Writes.WriteAsync(() =>
            WriteResult.Commit(Enumerable.Range(0, 1000)
                .Count(_ => store.Ledger.Append(MovementKind.Received, "a", 1, null, DateTime.UnixEpoch) is not null)));
        Assert.That(store.ListMovementsAsync("a", 3000, 600, default).AsTask().Result.Page.Rows.Select(row => row.Id),
            Is.EqualTo(Enumerable.Range(2501, 499).Select(n => (long)n).Reverse().Concat(expected.Take(101))));
        Assert.That(store.ListMovementsAsync("a", null, 1, default).AsTask().Result.Total.Rows, Is.EqualTo(1500));
    }

    // What a crash leaves: the file, and nothing of memory.

    private async Task RunAsync(string sql) =>
        await Writes.WriteAsync(() => WriteResult.Commit(Writes.Prepare(sql).Run()));

    private async Task<long?> LevelInWriteAsync(string productId) =>
        await Writes.WriteAsync(() => WriteResult.Commit(Store.Ledger.AvailableOf(productId)));

    private StockLevel[] Rows()
    {
        using SqliteConnection connection = Files.Context.Database.OpenRead();
        return [.. connection.Query<StockLevel>(
            "SELECT product_id AS ProductId, on_hand AS OnHand, reserved AS Reserved, last_updated "
            + "AS LastUpdated FROM stock")];
    }
}
