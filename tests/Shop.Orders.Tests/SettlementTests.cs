using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class SettlementTests
{
    private ModuleFiles _files = null!;
    private OrderStore _store = null!;
    private IInventory _inventory = null!;
    private Settlement _settlement = null!;

    [SetUp]
    public void Open()
    {
        _files = new ModuleFiles(new OrdersModule());
        _store = new OrderStore(_files.Context.Database);
        _inventory = Substitute.For<IInventory>();
        _settlement = new Settlement(_store, _inventory, _files.Context);
    }

    [TearDown]
    public async Task Close()
    {
        await _settlement.DisposeAsync();
        _files.Dispose();
    }

    [Test]
    public async Task Given_what_a_crash_left_when_settled_then_orders_are_confirmed_orphans_released_and_changes_carried_out()
    {
        await _store.Writes.WriteAsync(() =>
        {
            foreach (string id in new[] { "placed", "shipped", "cancelled" })
                _store.Insert(new Order(id, "c", OrderStatus.Created, 100, 0, 0, [new OrderLine("p", "P", 1, 100)]), null);
            _store.AddPending("shipped", OrderStatus.Shipped);
            _store.AddPending("cancelled", OrderStatus.Cancelled);
            return Outcome.Keep(0);
        });
        _inventory.UnconfirmedAsync().Returns(["placed", "orphan"]);
        await _settlement.SettleAsync();
        await _inventory.Received(1).ConfirmAsync(Arg.Is<IReadOnlyList<string>>(ids => ids.SequenceEqual(new[] { "placed" })));
        await _inventory.Received(1).ReleaseAsync("orphan");
        await _inventory.Received(1).ShipAsync("shipped");
        await _inventory.Received(1).ReleaseAsync("cancelled");
        await _inventory.DidNotReceive().ReleaseAsync("placed");
        Assert.That(_store.Pending(), Is.Empty);
    }

    [Test]
    public async Task Given_an_inventory_that_refuses_for_a_while_when_an_order_ships_then_the_stock_follows_once_it_can()
    {
        var carriedOut = new TaskCompletionSource();
        int tries = 0;
        _inventory.ShipAsync("o").Returns(_ =>
        {
            if (++tries < 3) throw new WriteQueueFullException("inventory");
            carriedOut.SetResult();
            return Task.CompletedTask;
        });
        await _store.Writes.WriteAsync(() =>
        {
            _store.AddPending("o", OrderStatus.Shipped);
            return Outcome.Keep(0);
        });
        _settlement.Start();
        await _settlement.FollowAsync("o", OrderStatus.Shipped);
        await carriedOut.Task;
        await _settlement.DisposeAsync();
        Assert.That((tries, _store.Pending().Count), Is.EqualTo((3, 0)));
    }

    [Test]
    public async Task Given_an_abandoned_order_then_it_is_known_as_such_until_its_reservation_is_gone()
    {
        var release = new TaskCompletionSource();
        _inventory.ReleaseAsync("o").Returns(release.Task);
        _settlement.Start();
        _settlement.Abandon("o");
        Assert.That(_settlement.IsAbandoned("o"), Is.True);
        release.SetResult();
        await _settlement.DisposeAsync();
        Assert.That(_settlement.IsAbandoned("o"), Is.False);
    }

    [Test]
    public async Task Given_many_orders_when_they_are_confirmed_then_Inventory_is_asked_in_few_calls_and_none_is_missing()
    {
        var gate = new TaskCompletionSource();
        var confirmed = new List<string>();
        int calls = 0;
        _inventory.ConfirmAsync(default!).ReturnsForAnyArgs(async call =>
        {
            calls++;
            await gate.Task;
            confirmed.AddRange(call.Arg<IReadOnlyList<string>>());
        });
        _settlement.Start();
        for (int i = 0; i < 500; i++) _settlement.Confirm($"{i}");
        gate.SetResult();
        await _settlement.DisposeAsync();
        Assert.That(confirmed, Is.EqualTo(Enumerable.Range(0, 500).Select(n => $"{n}")));
        Assert.That(calls, Is.LessThan(250));
    }
}
