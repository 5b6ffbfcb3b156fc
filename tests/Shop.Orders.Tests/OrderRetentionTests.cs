using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>Old orders go: none too early, none that is needed, and nothing of it stays.</summary>
internal sealed class OrderRetentionTests
{
    private static readonly long Now = TimeSpan.FromDays(40_000).Ticks / TimeSpan.TicksPerMillisecond;
    private static readonly long Day = (long)TimeSpan.FromDays(1).TotalMilliseconds;

    private IInventory _inventory = null!;
    private ModuleFiles _files = null!;
    private SqliteOrderStore _store = null!;
    private OrderMetrics _metrics = null!;
    private OrderRetention _retention = null!;

    [TearDown]
    public async Task Close()
    {
        await _retention.DisposeAsync();
        _files.Dispose();
    }

    [TestCase(1, 2)]
    [TestCase(2, 2)]
    [TestCase(3, 3)]
    [TestCase(36_500, 36_500)]
    public async Task Given_orders_around_the_edge_then_those_go_that_came_to_their_end_so_many_days_ago_and_whose_keys_are_forgotten(
        int days, int kept)
    {
        Open(days);
        long edge = Now - (kept * Day), justBelow = kept == days && days > 2 ? edge + 1 : edge;
        long justOld = justBelow - 1;
        await InsertAsync(Aged("young delivered", OrderStatus.Delivered, justBelow),
            Aged("young cancelled", OrderStatus.Cancelled, justBelow),
            Aged("old delivered", OrderStatus.Delivered, justOld),
            Aged("old cancelled", OrderStatus.Cancelled, justOld), Aged("older", OrderStatus.Delivered, justOld - Day),
            Aged("created", OrderStatus.Created, justOld - Day), Aged("paid", OrderStatus.Paid, justOld - Day),
            Aged("shipped", OrderStatus.Shipped, justOld - Day));
        await _retention.RunAsync();
        Assert.That(await IdsAsync(),
            Is.EquivalentTo(new[] { "young delivered", "young cancelled", "created", "paid", "shipped" }));
        IReadOnlyDictionary<string, double> metrics = await _files.MetricsAsync();
        Assert.That((metrics["""orders_deleted_total{service="order-service"}"""],
            metrics["""orders_by_status{status="delivered",service="order-service"}"""],
            metrics["""orders_by_status{status="cancelled",service="order-service"}"""]), Is.EqualTo((3, 1, 1)));
        await _inventory.Received(1).CompactMovementsAsync(Platform.Timestamp.FromMilliseconds(justOld),
            Arg.Any<Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>>>(),
            Arg.Any<CancellationToken>());
    }

    [Test]
    public async Task Given_an_old_order_whose_stock_has_yet_to_follow_or_that_a_key_was_bound_to_late_then_it_stays_so_long()
    {
        Open(3);
        byte[] fingerprint = IdempotencyKey.FingerprintOf("content");
        await InsertAsync(Aged("pending", OrderStatus.Created, 0));
        await _store.ChangeStatusAsync("pending", OrderStatus.Cancelled, null, Platform.Timestamp.FromMilliseconds(0));
        foreach (string id in new[] { "bound", "forgotten" })
            await _store.PlaceAsync(Aged(id, OrderStatus.Delivered, 0), new ReservationId(id, 1), fingerprint, null);
        Assert.That(await BindAsync("bound", Now - (2 * Day)), Is.EqualTo(ReplayOutcome.Replayed));
        Assert.That(await BindAsync("forgotten", Now - (2 * Day) - 1), Is.EqualTo(ReplayOutcome.Replayed));
        Assert.That(await BindAsync("ghost", Now), Is.EqualTo(ReplayOutcome.New));
        await _retention.RunAsync();
        Assert.That(await IdsAsync(), Is.EquivalentTo(new[] { "pending", "bound" }));
        await _store.CompleteStockChangesAsync([new ReservationId("pending", 1)]);
        await _retention.RunAsync();
        Assert.That(await IdsAsync(), Is.EquivalentTo(new[] { "bound" }));

        async Task<ReplayOutcome> BindAsync(string orderId, long at) => (await _store.ReplayAsync(
            IdempotencyKey.Of($"key of {orderId}", "content"), orderId, fingerprint,
            Platform.Timestamp.FromMilliseconds(at))).Outcome;
    }

    [Test]
    public async Task Given_files_that_disagree_then_nothing_goes()
    {
        Open(3);
        await InsertAsync(Aged("old", OrderStatus.Delivered, 0));
        _files.Context.Consistency.Report("a test says so", _files.Context.Log);
        await _retention.RunAsync();
        Assert.That(await IdsAsync(), Is.EquivalentTo(new[] { "old" }));
        Assert.That(_inventory.ReceivedCalls(), Is.Empty);
    }

    [Test]
    public async Task Given_orders_of_several_runs_of_which_some_go_the_newest_too_when_others_come_then_no_number_is_given_twice_and_lists_are_what_a_model_says()
    {
        Open(3);
        var there = new List<(long Seq, Order Order)>();
        long next = 1;
        for (int round = 0; round < 5; round++)
        {
            // Up to the last of a run, the first of the next, and far from both; those of the last round go all.
            foreach (int orders in new[] { 700, 321, 1, 400 })
            {
                Order[] placed = [.. Enumerable.Range((int)next, orders)
                    .Select(n => Aged($"o{n}", n % 3 == 0 ? OrderStatus.Created : OrderStatus.Delivered,
                        n % 5 == 0 ? Now : 0, $"c{n % 4}", $"p{n % 6}"))];
                await InsertAsync(placed);
                foreach (Order order in placed) there.Add((next++, order));
                Order last = Aged($"last{next++}", OrderStatus.Delivered, 0);
                await InsertAsync(last);
                await _retention.RunAsync();
                there.RemoveAll(each => each.Order.Status == OrderStatus.Delivered && each.Order.UpdatedAt == 0);
                foreach (string? customer in new[] { null, "c1", "c2" })
                {
                    foreach (string? product in new[] { null, "p1", "p2" })
                    {
                        var filter = new OrderFilter(null, customer, product);
                        (long Seq, string Id)[] wanted =
                            [.. there.Where(each => (customer is null || each.Order.CustomerId == customer)
                                && (product is null || each.Order.Lines[0].ProductId == product)).Reverse()
                                .Select(each => (each.Seq, each.Order.Id))];
                        OrderPage all = await _store.ListAsync(filter, null, 1000, default),
                            some = await _store.ListAsync(filter, null, 7, default);
                        Assert.That(all.Orders.Select(order => order.Id),
                            Is.EqualTo(wanted.Take(1000).Select(each => each.Id)));
                        Assert.That(all.Total.Rows, Is.EqualTo(wanted.Length));
                        Assert.That(some.Next, Is.EqualTo(wanted.Length > 7 ? wanted[6].Seq : (long?)null));
                    }
                }
            }

            _store = new SqliteOrderStore(_files.Context.Database, _files.Context.Settings); // a restart
            await _retention.DisposeAsync();
            _retention = new OrderRetention(_store, _metrics, _inventory, _files.Context);
        }

        using DatabaseFile file = DatabaseFile.Open(Path.GetDirectoryName(_files.Context.Database.Path)!, "orders");
        Assert.That(file.Number("SELECT count(*) FROM order_items WHERE order_seq NOT IN (SELECT seq FROM orders)"),
            Is.Zero);
        Assert.That(
            file.Number("SELECT count(*) FROM orders_by_customer WHERE order_seq NOT IN (SELECT seq FROM orders)"),
            Is.Zero);
        Assert.That(
            file.Number("SELECT count(*) FROM orders_by_product WHERE order_seq NOT IN (SELECT seq FROM orders)"),
            Is.Zero);
    }

    private static Order Aged(string id, string status, long updatedAt, string customer = "c", string product = "p") =>
        new(id, customer, status, 100, 0, updatedAt, [new OrderLine(product, "P", 1, 100)]);

    private void Open(int days)
    {
        _files = new ModuleFiles(new OrdersModule(), null, new FrozenClock(),
            settings: new KeyValuePair<string, string?>("Shop:OrderRetention", $"{days}"));
        _inventory = Substitute.For<IInventory>();
        _store = new SqliteOrderStore(_files.Context.Database, _files.Context.Settings);
        _metrics = new OrderMetrics(_store, _files.Context);
        _retention = new OrderRetention(_store, _metrics, _inventory, _files.Context);
    }

    private Task<PlaceResult[]> InsertAsync(params Order[] orders) =>
        Task.WhenAll(
            orders.Select(order => _store.PlaceAsync(order, new ReservationId(order.Id, 1), null, null).AsTask()));

    private async Task<IEnumerable<string>> IdsAsync() =>
        (await _store.ListAsync(new OrderFilter(), null, 1000, default)).Orders.Select(order => order.Id);

    private sealed class FrozenClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Now);
    }
}
