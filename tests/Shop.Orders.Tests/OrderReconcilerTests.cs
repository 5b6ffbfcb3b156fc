using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Data;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class OrderReconcilerTests
{
    private ModuleFiles _files = null!;
    private SqliteOrderStore _store = null!;
    private IInventory _inventory = null!;
    private OrderReconciler _reconciler = null!;

    [SetUp]
    public void Open()
    {
        _files = new ModuleFiles(new OrdersModule());
        _store = new SqliteOrderStore(_files.Context.Database, _files.Context.Settings);
        _inventory = Substitute.For<IInventory>();
        _reconciler = new OrderReconciler(_store, _inventory, _files.Context);
    }

    [TearDown]
    public async Task Close()
    {
        await _reconciler.DisposeAsync();
        _files.Dispose();
    }

    [Test]
    public async Task Given_what_a_crash_left_when_settled_then_orders_are_confirmed_orphans_released_and_changes_carried_out()
    {
        await PlacedAsync(new("placed", 1), new("shipped", 2), new("cancelled", 3), new("tried again", 4));
        await ChangedAsync(("shipped", OrderStatus.Shipped), ("cancelled", OrderStatus.Cancelled));
        // The first try at an order that exists has none itself.
        _inventory.UnconfirmedAsync().Returns([new("placed", 1), new("orphan", 5), new("tried again", 6)]);
        Calls calls = Calls.To(_inventory);
        await _reconciler.ReconcileAsync();
        Assert.That(calls.Confirmed, Is.EqualTo(new ReservationId[] { new("placed", 1) }));
        Assert.That(calls.Released,
            Is.EquivalentTo(new ReservationId[] { new("orphan", 5), new("tried again", 6), new("cancelled", 3) }));
        Assert.That(calls.Shipped, Is.EqualTo(new ReservationId[] { new("shipped", 2) }));
        Assert.That(await _store.PendingStockChangesAsync(), Is.Empty);
    }

    [Test]
    public async Task Given_more_orphans_than_a_queue_takes_when_settled_then_each_write_is_of_many_and_waits_for_the_one_before()
    {
        int underWay = 0, calls = 0;
        ReservationId[] orphans = [.. Enumerable.Range(0, 12_000).Select(n => new ReservationId($"{n}", n))];
        _inventory.UnconfirmedAsync().Returns(orphans);
        var released = new List<ReservationId>();
        _inventory.ReleaseAsync(default!).ReturnsForAnyArgs(async call =>
        {
            if (call.Arg<IReadOnlyList<ReservationId>>().Count == 0) return;
            Assert.That(Interlocked.Increment(ref underWay), Is.EqualTo(1));
            await Task.Yield();
            released.AddRange(call.Arg<IReadOnlyList<ReservationId>>());
            calls++;
            Interlocked.Decrement(ref underWay);
        });
        await _reconciler.ReconcileAsync();
        Assert.That(released, Is.EqualTo(orphans));
        Assert.That(calls, Is.EqualTo(12));
    }

    [TestCase(499)]
    [TestCase(500)]
    [TestCase(501)]
    [TestCase(1501)]
    public async Task Given_many_orders_that_a_crash_left_unconfirmed_when_settled_then_each_of_them_is_found_and_keeps_its_units(
        int orders)
    {
        ReservationId[] placed = [.. Enumerable.Range(0, orders).Select(n => new ReservationId($"placed-{n}", n + 1))];
        ReservationId[] orphans =
            [.. placed.Select(order => new ReservationId($"orphan-{order.Number}", order.Number))];
        await PlacedAsync(placed);
        _inventory.UnconfirmedAsync()
            .Returns([.. placed.Zip(orphans, (order, orphan) => new[] { orphan, order }).SelectMany(both => both)]);
        Calls calls = Calls.To(_inventory);
        await _reconciler.ReconcileAsync();
        Assert.That(calls.Confirmed, Is.EquivalentTo(placed));
        Assert.That(calls.Released, Is.EquivalentTo(orphans));
        string[] ids = [.. placed.Select(order => order.OrderId)];
        Assert.That(await _store.FindExistingAsync([.. ids, .. orphans.Select(orphan => orphan.OrderId)]),
            Is.EquivalentTo(ids));
    }

    [TestCase(50, true)]
    [TestCase(51, false)]
    public async Task Given_a_queue_that_is_full_at_a_start_then_it_is_asked_five_times_a_second_for_as_long_as_a_request_may_take(
        int refusals, bool isSettled)
    {
        var clock = new ManualClock { Start = DateTimeOffset.UnixEpoch };
        var pause = TimeSpan.FromMilliseconds(200);
        using var files = new ModuleFiles(new OrdersModule(), clock: clock);
        await using var reconciler = new OrderReconciler(
            new SqliteOrderStore(files.Context.Database, files.Context.Settings), _inventory, files.Context);
        int asked = 0;
        _inventory.UnconfirmedAsync().Returns([new("orphan", 1)]);
        _inventory.ReleaseAsync(default!).ReturnsForAnyArgs(call => call.Arg<IReadOnlyList<ReservationId>>().Count > 0
            && asked++ < refusals ? throw new WriteQueueFullException("inventory") : Task.CompletedTask);
        Task settled = reconciler.ReconcileAsync();
        for (int n = 0; n < 50; n++)
        {
            await clock.UntilWaitingAsync(pause);
            await clock.PassAsync(pause);
        }

        Assert.That(() => settled.WaitAsync(Eventually.Patience),
            isSettled ? Throws.Nothing : Throws.TypeOf<WriteQueueFullException>());
        Assert.That(asked, Is.EqualTo(51));
    }

    [Test]
    public void Given_a_database_that_fails_when_settled_then_the_failure_says_whose_it_is()
    {
        _inventory.UnconfirmedAsync().Returns([new("orphan", 1)]);
        _inventory.ReleaseAsync(default!)
            .ReturnsForAnyArgs(Task.FromException(new StoreUnavailableException("inventory", new IOException("no"))));
        Assert.That(_reconciler.ReconcileAsync,
            Throws.TypeOf<StoreUnavailableException>().With.Property("Module").EqualTo("inventory"));
    }

    [Test]
    public async Task Given_an_inventory_that_fails_in_any_way_when_an_order_ships_then_nobody_is_told_and_the_stock_follows_once_it_can()
    {
        var carriedOut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Exception[] failures =
        [
            new WriteQueueFullException("inventory"), new InvalidOperationException("no"), new TimeoutException(),
        ];
        int tries = 0;
        await PlacedAsync(new ReservationId("o", 7));
        await ChangedAsync(("o", OrderStatus.Shipped));
        _inventory.ShipAsync(default!).ReturnsForAnyArgs(_ =>
        {
            if (tries < failures.Length) throw failures[tries++];
            carriedOut.TrySetResult();
            return Task.CompletedTask;
        });
        _reconciler.Start();
        await _reconciler.ApplyStockChangeAsync(new StockChange(new("o", 7), OrderStatus.Shipped));
        await carriedOut.Task;
        await _reconciler.DisposeAsync();
        Assert.That((tries, (await _store.PendingStockChangesAsync()).Count), Is.EqualTo((failures.Length, 0)));
    }

    [Test]
    public async Task Given_a_release_that_fails_after_it_took_effect_then_its_orders_are_not_tried_again_before_it_is_known_to_be_done()
    {
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var mayGoOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var releases = new ConcurrentQueue<ReservationId[]>();
        _inventory.ReleaseAsync(default!).ReturnsForAnyArgs(async call =>
        {
            releases.Enqueue([.. call.Arg<IReadOnlyList<ReservationId>>()]);
            if (releases.Count > 1)
            {
                await mayGoOn.Task;
                return;
            }

            failed.SetResult();
            throw new StoreUnavailableException("inventory", new IOException("no"));
        });
        _reconciler.ReleaseReservation(new("a", 1));
        _reconciler.ReleaseReservation(new("b", 2));
        _reconciler.Start();
        await failed.Task;
        (bool, bool) during = (_reconciler.IsBeingReleased("a"), _reconciler.IsBeingReleased("b"));
        mayGoOn.SetResult();
        await _reconciler.DisposeAsync();
        Assert.That(during, Is.EqualTo((true, true)));
        Assert.That((_reconciler.IsBeingReleased("a"), _reconciler.IsBeingReleased("b")), Is.EqualTo((false, false)));
        Assert.That(releases, Has.All.EqualTo(new ReservationId[] { new("a", 1), new("b", 2) }).And.Exactly(2).Items);
    }

    [Test]
    public async Task Given_a_write_that_failed_after_it_took_effect_when_it_is_undone_then_the_order_keeps_its_units()
    {
        await PlacedAsync(new ReservationId("there", 1));
        Calls calls = Calls.To(_inventory);
        _reconciler.ReleaseReservation(new("there", 1));
        _reconciler.ReleaseReservation(new("not there", 2));
        _reconciler.Start();
        await _reconciler.DisposeAsync();
        Assert.That(calls.Confirmed, Is.EqualTo(new ReservationId[] { new("there", 1) }));
        Assert.That(calls.Released, Is.EqualTo(new ReservationId[] { new("not there", 2) }));
    }

    [Test]
    public async Task Given_a_step_that_fails_for_ever_then_it_keeps_back_no_other_and_the_note_on_disk_stays()
    {
        ReservationId poison = new("poison", 1);
        ReservationId[] well = [.. Enumerable.Range(0, 5).Select(n => new ReservationId($"{n}", n))];
        await PlacedAsync([poison, .. well]);
        await ChangedAsync([.. well.Append(poison).Select(reservation => (reservation.OrderId, OrderStatus.Shipped))]);
        Calls calls = Calls.To(_inventory, poison);
        await _reconciler.ReconcileAsync();
        Assert.That(calls.Shipped, Is.EquivalentTo(well));
        Assert.That(await _store.PendingStockChangesAsync(),
            Is.EqualTo(new[] { new StockChange(poison, OrderStatus.Shipped) }));
        _reconciler.Start();
        _reconciler.Confirm(new("later", 9));
        await _reconciler.DisposeAsync();
        Assert.That(calls.Confirmed, Is.EqualTo(new ReservationId[] { new("later", 9) }));
    }

    [Test]
    public async Task Given_what_a_crash_left_when_it_is_settled_then_a_line_of_the_log_says_how_many_of_each()
    {
        using var log = new RecordedLog();
        using var files = new ModuleFiles(new OrdersModule(), log: log);
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        await using var reconciler = new OrderReconciler(store, _inventory, files.Context);
        _inventory.UnconfirmedAsync().Returns([]);
        await reconciler.ReconcileAsync();
        Assert.That(log.Of(LogLevel.Information), Is.Empty, "nothing was left");
        for (int n = 0; n < 5; n++)
            await store.PlaceAsync(Order($"o{n}"), new ReservationId($"o{n}", n), null, null);
        await store.ChangeStatusAsync("o4", OrderStatus.Cancelled, null, DateTime.UnixEpoch);
        _inventory.UnconfirmedAsync().Returns(
            [new("o0", 0), new("gone", 9), new("o1", 1), new("o2", 2), new("lost", 9)]);
        await reconciler.ReconcileAsync();
        Assert.That(log.Of(LogLevel.Information), Is.EqualTo(new[]
        {
            "Settled what the last run left: 3 reservations confirmed, 2 without an order released, "
            + "1 status changes carried out",
        }));
    }

    [Test]
    public async Task Given_an_inventory_that_fails_five_times_a_second_then_the_log_has_a_line_every_ten_seconds_and_one_as_it_begins_again()
    {
        using var log = new RecordedLog();
        var clock = new ManualClock { Start = DateTimeOffset.UnixEpoch };
        TimeSpan collect = TimeSpan.FromMilliseconds(20), pause = TimeSpan.FromMilliseconds(200);
        using var files = new ModuleFiles(new OrdersModule(), clock: clock, log: log);
        await using var reconciler = new OrderReconciler(
            new SqliteOrderStore(files.Context.Database, files.Context.Settings), _inventory, files.Context);
        var succeeded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool fails = true;
        _inventory.ConfirmAsync(default!).ReturnsForAnyArgs(_ =>
        {
            if (Volatile.Read(ref fails)) throw new StoreUnavailableException("inventory", new IOException("no"));
            succeeded.TrySetResult();
            return Task.CompletedTask;
        });
        reconciler.Start();
        reconciler.Confirm(new("a", 1));
        await clock.UntilWaitingAsync(collect);
        await clock.PassAsync(collect);
        for (int failures = 1; failures <= 102; failures++)
        {
            await clock.UntilWaitingAsync(pause);
            Assert.That(log.Of(LogLevel.Warning), Has.Count.EqualTo(failures < 51 ? 1 : failures < 101 ? 2 : 3),
                $"after {failures} failures");
            Volatile.Write(ref fails, failures < 102);
            await clock.PassAsync(pause);
        }

        await succeeded.Task;
        Volatile.Write(ref fails, true);
        reconciler.Confirm(new("b", 2));
        await clock.UntilWaitingAsync(collect);
        await clock.PassAsync(collect);
        await clock.UntilWaitingAsync(pause);
        Assert.That(log.Of(LogLevel.Warning), Has.Count.EqualTo(4));
        Assert.That(log.Of(LogLevel.Warning), Has.All.StartsWith(
            "Bringing Inventory in step with the orders failed and is tried again: "));
        Volatile.Write(ref fails, false);
        await clock.PassAsync(pause);
    }

    [Test]
    public async Task Given_many_orders_when_they_are_confirmed_then_Inventory_is_asked_in_few_calls_and_none_is_missing()
    {
        var gate = new TaskCompletionSource();
        var confirmed = new List<ReservationId>();
        int calls = 0;
        _inventory.ConfirmAsync(default!).ReturnsForAnyArgs(async call =>
        {
            calls++;
            await gate.Task;
            confirmed.AddRange(call.Arg<IReadOnlyList<ReservationId>>());
        });
        _reconciler.Start();
        for (int i = 0; i < 500; i++) _reconciler.Confirm(new($"{i}", i));
        gate.SetResult();
        await _reconciler.DisposeAsync();
        Assert.That(confirmed, Is.EqualTo(Enumerable.Range(0, 500).Select(n => new ReservationId($"{n}", n))));
        Assert.That(calls, Is.LessThan(250));
    }

    [Test]
    public async Task Given_a_round_that_takes_long_then_what_other_hosts_left_is_not_collected_again_and_again()
    {
        var clock = new ManualClock { Start = DateTimeOffset.UnixEpoch };
        using var files = new ModuleFiles(new OrdersModule(), clock: clock);
        IOrderStore shared = Substitute.For<IOrderStore>();
        var period = TimeSpan.FromSeconds(2);
        shared.RecoveryPeriod.Returns(period);
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        shared.PendingStockChangesAsync().Returns(_ => ValueTask.FromResult<IReadOnlyList<StockChange>>([]));
        var settled = new TaskCompletionSource<IReadOnlySet<ReservationId>>();
        bool isSettling = false;
        shared.ResolveAsync(default!).ReturnsForAnyArgs(_ =>
        {
            isSettling = true;
            return new ValueTask<IReadOnlySet<ReservationId>>(settled.Task);
        });
#pragma warning restore CA2012
        int asked = 0;
        _inventory.UnconfirmedAsync().Returns(_ =>
        {
            asked++;
            return Task.FromResult<IReadOnlyList<ReservationId>>([new("left", 1)]);
        });
        await using var reconciler = new OrderReconciler(shared, _inventory, files.Context);
        reconciler.Start();
        while (!Volatile.Read(ref isSettling)) await clock.PassAsync(TimeSpan.FromMilliseconds(20));
        await clock.PassAsync(TimeSpan.Zero); // whoever was about to ask has done so
        int before = asked;
        for (int n = 0; n < 10; n++) await clock.PassAsync(period);
        await clock.PassAsync(TimeSpan.Zero); // it waits for the next time
        int after = asked;
        settled.SetResult(new HashSet<ReservationId>());
        Assert.That(after, Is.EqualTo(before));
    }

    [Test]
    public async Task Given_a_store_that_other_hosts_share_when_one_of_them_dies_then_what_it_left_is_settled_while_this_one_runs()
    {
        await PlacedAsync(new ReservationId("cancelled", 1));
        IOrderStore shared = Substitute.For<IOrderStore>();
        shared.RecoveryPeriod.Returns(TimeSpan.FromMilliseconds(10));
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        shared.PendingStockChangesAsync().Returns(_ => _store.PendingStockChangesAsync());
        shared.CompleteStockChangesAsync(default!)
            .ReturnsForAnyArgs(call => _store.CompleteStockChangesAsync(call.Arg<IReadOnlyList<ReservationId>>()));
        shared.ResolveAsync(default!)
            .ReturnsForAnyArgs(call => _store.ResolveAsync(call.Arg<IReadOnlyList<ReservationId>>()));
#pragma warning restore CA2012
        _inventory.UnconfirmedAsync().Returns([]);
        Calls calls = Calls.To(_inventory);
        await using var reconciler = new OrderReconciler(shared, _inventory, _files.Context);
        await reconciler.ReconcileAsync();
        reconciler.Start();
        await ChangedAsync(("cancelled", OrderStatus.Cancelled));
        _inventory.UnconfirmedAsync().Returns([new("orphan", 2)]);
        await Eventually.IsSoAsync(
            () => calls.Released.Contains(new("cancelled", 1)) && calls.Released.Contains(new("orphan", 2)));
        await Eventually.IsSoAsync(async () => (await _store.PendingStockChangesAsync()).Count == 0);
    }

    private async Task PlacedAsync(params ReservationId[] orders)
    {
        foreach (ReservationId order in orders)
        {
            await _store.PlaceAsync(Order(order.OrderId), order, null, null);
        }
    }

    private static Order Order(string id) =>
        new(id, "c", OrderStatus.Created, 100, 0, 0, [new OrderLine("p", "P", 1, 100)]);

    private async Task ChangedAsync(params (string Id, string Status)[] orders)
    {
        foreach ((string id, string status) in orders)
        {
            if (status == OrderStatus.Shipped)
                await _store.ChangeStatusAsync(id, OrderStatus.Paid, null, _files.Context.Now());
            Assert.That((await _store.ChangeStatusAsync(id, status, null, _files.Context.Now())).Outcome,
                Is.EqualTo(ChangeStatusOutcome.Changed));
        }
    }

    /// <summary>What Inventory was asked for.</summary>
    private sealed class Calls
    {
        public ConcurrentQueue<ReservationId> Confirmed { get; } = [];

        public ConcurrentQueue<ReservationId> Released { get; } = [];

        public ConcurrentQueue<ReservationId> Shipped { get; } = [];

        public static Calls To(IInventory inventory, ReservationId? poison = null)
        {
            var calls = new Calls();
            inventory.ConfirmAsync(default!)
                .ReturnsForAnyArgs(call => Note(calls.Confirmed, call.Arg<IReadOnlyList<ReservationId>>()));
            inventory.ReleaseAsync(default!)
                .ReturnsForAnyArgs(call => Note(calls.Released, call.Arg<IReadOnlyList<ReservationId>>()));
            inventory.ShipAsync(default!)
                .ReturnsForAnyArgs(call => poison is { } bad && call.Arg<IReadOnlyList<ReservationId>>().Contains(bad)
                    ? throw new InvalidOperationException("no")
                    : Note(calls.Shipped, call.Arg<IReadOnlyList<ReservationId>>()));
            return calls;
        }

        private static Task Note(ConcurrentQueue<ReservationId> noted, IReadOnlyList<ReservationId> ids)
        {
            foreach (ReservationId id in ids) noted.Enqueue(id);
            return Task.CompletedTask;
        }
    }
}
