using CsCheck;
using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Inventory.Tests;

/// <summary>Old movements go into opening balances, and the books are in balance at any time.</summary>
internal sealed class MovementCompactionTests : StockFixture
{
    [Test]
    public void Given_any_history_with_compactions_checkpoints_and_restarts_then_the_books_agree_and_the_stock_is_what_a_model_says()
    {
        int history = 0;
        Gen<(int Step, int Order, int Product, long Units)[]> histories =
            Gen.Select(Gen.Int[0, 7], Gen.Int[0, 5], Gen.Int[0, 2], Gen.Long[1, 5]).Array[1, 60];
        histories.Sample(steps =>
        {
            string prefix = $"{history++}-";
            string[] products = [$"{prefix}0", $"{prefix}1", $"{prefix}2"];
            var orders = new HashSet<string>(StringComparer.Ordinal);
            var checkpoint = new StockCheckpoint(Store.Ledger, Writes);
            Reservations.OpenAsync([.. products.Select(product => new OpeningStock(product, 50))]).Wait();
            foreach ((int step, int number, int n, long units) in steps)
            {
                string order = $"{prefix}{number}";
                switch (step)
                {
                    case 0 or 1:
                        if (Reservations.ReserveAsync(new(order, 1),
                            [new(products[n], units),
                                new(products[(n + 1) % 3],
                                    1)]).AsTask().Result.Outcome == ReservationOutcome.Held) orders.Add(order);
                        break;
                    case 2:
                        Reservations.ShipAsync([new(order, 1)]).Wait();
                        break;
                    case 3:
                        Reservations.ReleaseAsync([new(order, 1)]).Wait();
                        break;
                    case 4:
                        checkpoint.RunAsync().Wait();
                        break;
                    case 5:
                        Restart();
                        checkpoint = new StockCheckpoint(Store.Ledger, Writes);
                        break;
                    case 6:
                        orders.Remove(order);
                        break;
                    default:
                        Compact(orders);
                        Agrees(products);
                        break;
                }
            }

            Restart();
            Agrees(products);
        }, iter: 60, threads: 1);
    }

    [Test]
    public async Task Given_a_sold_product_when_its_movements_are_compacted_then_the_list_ends_with_an_opening_balance_and_numbers_go_on()
    {
        await Reservations.OpenAsync([new("a", 10)]);
        foreach (string order in new[] { "gone", "there", "held" }) await Reservations.ReserveAsync(new(order, 1),
            [new("a", 2)]);
        await Reservations.ShipAsync([new("gone", 1), new("there", 1)]);
        await Writes.WriteAsync(() =>
            WriteResult.Commit(Store.Ledger.Append(MovementKind.Removed, "a", 1, null, DateTime.UtcNow)));
        Compact([]); // no checkpoint: the next start needs all of them
        Assert.That(Newest("a", 100), Has.Count.EqualTo(7));
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        Compact(["there"]);
        IReadOnlyList<Movement> rows = Newest("a", 100);
        Assert.That(rows.Select(row => (row.Id, row.Kind, row.OrderId)),
            Is.EqualTo([(6L, "shipped", "there"), (4, "reserved", "held"), (3, "reserved", "there"),
                (0, "opening", (string?)null)]));
        Assert.That((rows[^1].Quantity, rows[^1].OnHand, rows[^1].Reserved), Is.EqualTo((7, 7, 0)));
        Assert.That(Store.ListMovementsAsync("a", null, 1, default)
            .AsTask().Result.Total, Is.EqualTo(new RowTotal(4)));
        Assert.That(Store.ListMovementsAsync("a", 3, 1, default).AsTask().Result.Page.Rows.Select(row => row.Kind),
            Is.EqualTo(new[] { "opening" }));
        Restart();
        AppendedMovement? next = await Writes.WriteAsync(() =>
            WriteResult.Commit(Store.Ledger.Append(MovementKind.Received, "a", 5, null, DateTime.UtcNow)));
        Assert.That((next!.Value.Id, next.Value.After.OnHand, next.Value.After.Reserved), Is.EqualTo((8, 10, 2)));
        Assert.That((await Files.MetricsAsync())["""inventory_movements_deleted_total{service="inventory-service"}"""],
            Is.EqualTo(4));
        Agrees(["a"]);
    }

    [Test]
    public async Task Given_a_pair_of_movements_at_the_end_of_a_write_then_both_go_in_it()
    {
        using var files = new ModuleFiles(
            new InventoryModule(), settings: [new KeyValuePair<string, string?>("Shop:WriteBatchLimit", "1")]);
        var store = new SqliteStockStore(files.Context);
        var reservations = new Reservations(store, new InventoryMetrics(store, files.Context));
        await reservations.OpenAsync([new OpeningStock("p", 1)]); // one movement, and so the 250th begins a pair
        foreach (ReservationId id in Enumerable.Range(1, 200).Select(n => new ReservationId($"o{n}", n)))
        {
            await reservations.ReserveAsync(id, [new StockLine("p", 1)]);
            await reservations.ReleaseAsync([id]);
        }

        await store.MaintainAsync();
        GroupCommitWriter writes = files.Context.Database.Writes;
        using ManualResetEventSlim first = new(), second = new();
        IReadOnlyList<OldMovement> left;
        try
        {
            _ = HoldAsync(first, null);
            Task compaction = reservations.CompactMovementsAsync(DateTime.MaxValue, NoneExists, default);
            await Eventually.IsSoAsync(() => writes.Unwritten == 2);
            var isCompacted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _ = HoldAsync(second, isCompacted);
            first.Set();
            await isCompacted.Task; // the first write of the compaction is done, and the second has to wait
            left = await store.OldestMovementsAsync(0, 1000, default);
            second.Set();
            await compaction;
        }
        finally
        {
            first.Set();
            second.Set();
            await writes.WriteAsync(() => WriteResult.Commit(0)); // nothing waits any more
        }

        Assert.That(left, Has.Count.EqualTo(150));
        Assert.That(left.CountBy(movement => movement.OrderId!).Select(order => order.Value), Is.All.EqualTo(2));

        Task HoldAsync(ManualResetEventSlim release, TaskCompletionSource? reached) => writes.WriteAsync(() =>
        {
            reached?.TrySetResult();
            release.Wait();
            return WriteResult.Commit(0);
        });
    }

    [Test]
    public async Task Given_more_movements_than_one_write_takes_and_several_runs_when_they_are_compacted_then_all_are_gone_and_space_is_given_back()
    {
        await Reservations.OpenAsync([new("a", 10_000), new("b", 10_000)]);
        ReservationId[] ids = [.. Enumerable.Range(0, 3000).Select(n => new ReservationId($"order-{n}", 1))];
        await Task.WhenAll(ids.Select(id => Reservations.ReserveAsync(id, [new("a", 1), new("b", 2)]).AsTask()));
        foreach (ReservationId[] some in ids.Chunk(500)) await Reservations.ShipAsync(some);
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        MoveLogIntoFile();
        long before = new FileInfo(Files.Context.Database.Path).Length;
        Compact([]);
        Assert.That(Newest("a", 10).Select(row => (row.Kind, row.OnHand)), Is.EqualTo([("opening", 7000L)]));
        MoveLogIntoFile();
        Assert.That(new FileInfo(Files.Context.Database.Path).Length, Is.LessThan(before / 2));
        Assert.That((await Files.MetricsAsync())["""db_free_bytes{service="inventory-service"}"""],
            Is.LessThan(before / 10));
        await Reservations.ReserveAsync(new("next", 1), [new("a", 1)]);
        Assert.That(Newest("a", 10).Select(row => (row.Id, row.Kind)),
            Is.EqualTo([(12_003L, "reserved"), (0, "opening")]));
        Agrees(["a", "b"]);
    }

    [Test]
    public async Task Given_movements_around_the_edge_then_the_old_go_and_two_that_belong_together_only_together()
    {
        await Reservations.OpenAsync([new("a", 10)]);
        DateTime edge = DateTime.UtcNow.AddHours(1);
        await Writes.WriteAsync(() =>
        {
            Store.Ledger.AddReservation(new("o", 1), 2, 2);
            Store.Ledger.Append(MovementKind.Reserved, "a", 1, "o", edge.AddMilliseconds(-1));
            Store.Ledger.Append(MovementKind.Received, "a", 1, null, edge);
            Store.Ledger.Append(MovementKind.Shipped, "a", 1, "o", edge.AddMilliseconds(1));
            Store.Ledger.RemoveReservation(new("o", 1));
            return WriteResult.Commit(0);
        });
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        await Reservations.CompactMovementsAsync(edge, NoneExists, default);
        Assert.That(Newest("a", 10).Select(row => (row.Id, row.Kind)),
            Is.EqualTo([(4L, "shipped"), (2, "reserved"), (0, "opening")]));
        Agrees(["a"]);
        await Reservations.CompactMovementsAsync(edge.AddMilliseconds(1), NoneExists, default);
        Assert.That(Newest("a", 10).Select(row => (row.Id, row.Kind)), Is.EqualTo([(0L, "opening")]));
        Agrees(["a"]);
    }

    private IReadOnlyList<Movement> Newest(string product, int limit) =>
        Store.NewestMovementsAsync(product, limit, default).AsTask().Result;

    private void Compact(IReadOnlyCollection<string> existing) =>
        Reservations.CompactMovementsAsync(DateTime.UtcNow.AddHours(1),
            ids => ValueTask.FromResult<IReadOnlySet<string>>(ids.Intersect(existing).ToHashSet()), default)
            .Wait();

    private void Agrees(string[] products)
    {
        using DatabaseFile file = DatabaseFile.Open(Path.GetDirectoryName(Files.Context.Database.Path)!, "inventory");
        Assert.That(StockConsistencyQueries.Differences(file), Is.Empty);
        Assert.That(StockConsistencyQueries.Moved(file).Where(units => units.Held < 0), Is.Empty);
        foreach (string product in products)
        {
            (long onHand, long reserved) = (0, 0);
            foreach (Movement row in Newest(product, 1000))
            {
                bool isOpening = row.Kind == Movement.OpeningBalance;
                onHand += isOpening ? row.OnHand : MovementKind.Find(row.Kind)!.OnHandSign * row.Quantity;
                reserved += isOpening ? row.Reserved : MovementKind.Find(row.Kind)!.ReservedSign * row.Quantity;
            }

            StockLevel stock = Store.Levels.Find(product)!.Value;
            Assert.That((onHand, reserved), Is.EqualTo((stock.OnHand, stock.Reserved)));
        }
    }

    private void MoveLogIntoFile()
    {
        using var connection = new SqliteConnection($"Data Source={Files.Context.Database.Path};Pooling=False");
        connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}
