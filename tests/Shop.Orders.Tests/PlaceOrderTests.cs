using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Requests;
using Shop.Products.Contracts;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>What comes in between the steps of an order.</summary>
internal sealed class PlaceOrderTests
{
    private ModuleFiles _files = null!;
    private SqliteOrderStore _store = null!;
    private IInventory _inventory = null!;
    private OrderMetrics _metrics = null!;
    private OrderReconciler _reconciler = null!;
    private PlaceOrder _placeOrder = null!;
    private OrderLifecycle _lifecycle = null!;

    [SetUp]
    public void Open() => Open([]);

    private void Open(params KeyValuePair<string, string?>[] settings)
    {
        _files = new ModuleFiles(new OrdersModule(), settings: settings);
        _store = new SqliteOrderStore(_files.Context.Database, _files.Context.Settings);
        _inventory = Substitute.For<IInventory>();
        _reconciler = new OrderReconciler(_store, _inventory, _files.Context);
        _metrics = new OrderMetrics(_store, _files.Context);
        var feed = new OrderFeed(_store, _files.Context);
        IProductCatalogue products = Substitute.For<IProductCatalogue>();
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        products.FindAsync(default!)
            .ReturnsForAnyArgs(new ValueTask<IReadOnlyList<ProductOnSale?>>([new ProductOnSale("p", "P", 100)]));
#pragma warning restore CA2012
        _placeOrder = new PlaceOrder(
            _store, _metrics, feed, _reconciler, new AsyncKeyedLock(), products, _inventory, _files.Context);
        _lifecycle = new OrderLifecycle(_store, _metrics, feed, _reconciler, _files.Context);
    }

    [TearDown]
    public async Task Close()
    {
        await _reconciler.DisposeAsync();
        _files.Dispose();
    }

    [Test]
    public async Task Given_an_order_under_way_when_its_key_is_used_for_a_change_of_another_then_it_is_refused_as_reused_and_gives_its_units_back()
    {
        WhenReserved(() => Task.CompletedTask);
        string earlier = (await _placeOrder.PlaceAsync(Request(null, null))).Order!.Id;
        WhenReserved(() => _lifecycle.ChangeAsync(earlier, OrderStatus.Paid, "key"));
        OrderResult result = await _placeOrder.PlaceAsync(Request("mine", "key"));
        Assert.That(result.Problem, Is.SameAs(IdempotencyKey.Reused));
        Assert.That((await _store.FindAsync("mine"), _reconciler.IsBeingReleased("mine")),
            Is.EqualTo(((Order?)null, true)));
    }

    [Test]
    public async Task Given_an_order_under_way_when_an_equal_request_to_another_host_comes_first_then_it_is_answered_from_that_and_gives_its_units_back()
    {
        PlaceOrderRequest request = Request("mine", "key");
        var first = new Order("mine", "ada", OrderStatus.Created, 100, 1, 1, [new OrderLine("p", "P", 1, 100)]);
        WhenReserved(
            () => _store.PlaceAsync(first, new ReservationId("mine", 1), request.Fingerprint, request.Key).AsTask());
        OrderResult result = await _placeOrder.PlaceAsync(request);
        Assert.That((result.Order?.CreatedAt, result.IsReplayed, result.Problem),
            Is.EqualTo((1L, true, (Platform.Http.Problem?)null)));
        Assert.That(_reconciler.IsBeingReleased("mine"), Is.True);
    }

    [Test]
    public async Task Given_an_order_under_way_when_another_host_uses_its_id_for_other_content_then_it_is_refused()
    {
        var other = new Order("mine", "bob", OrderStatus.Created, 100, 1, 1, [new OrderLine("p", "P", 1, 100)]);
        WhenReserved(() => _store.PlaceAsync(other, new ReservationId("mine", 1),
            Request("mine", "bob's").Fingerprint[..31], null).AsTask());
        OrderResult result = await _placeOrder.PlaceAsync(Request("mine", null));
        Assert.That((result.Order, result.Problem?.Status), Is.EqualTo(((Order?)null, 409)));
        Assert.That((await _store.FindAsync("mine"))!.CustomerId, Is.EqualTo("bob"));
    }

    [Test]
    public async Task Given_an_old_order_when_a_new_key_meets_its_deletion_then_it_is_kept_for_the_key_or_placed_anew(
        [Values] bool isKeyFirst)
    {
        await Close();
        Open(new KeyValuePair<string, string?>("Shop:OrderRetention", "3"));
        await using var retention = new OrderRetention(_store, _metrics, _inventory, _files.Context);
        PlaceOrderRequest request = Request("mine", "late key");
        var old = new Order("mine", "ada", OrderStatus.Delivered, 100, 0, 0, [new OrderLine("p", "P", 1, 100)]);
        await _store.PlaceAsync(old, new ReservationId("mine", 1), request.Fingerprint, null);
        WhenReserved(() => Task.CompletedTask);

        // Both have looked at the order before either of them writes.
        (ManualResetEventSlim release, Task held) = await _files.Context.Database.Writes.HoldAsync();
        Task round = isKeyFirst ? Task.CompletedTask : retention.RunAsync();
        Task<OrderResult> again = _placeOrder.PlaceAsync(request);
        if (isKeyFirst) round = retention.RunAsync();
        release.Set();
        await Task.WhenAll(held, round);
        OrderResult placed = await again;
        Assert.That((placed.Order?.Id, placed.IsReplayed), Is.EqualTo(("mine", isKeyFirst)));
        OrderResult third = await _placeOrder.PlaceAsync(request);
        Assert.That((third.Order?.CreatedAt, third.IsReplayed), Is.EqualTo((placed.Order!.CreatedAt, true)));
        Assert.That(((await _store.FindAsync("mine"))!.CreatedAt == 0,
            _inventory.ReceivedCalls().Count(call => call.GetMethodInfo().Name == "ReserveAsync")),
            Is.EqualTo((isKeyFirst, isKeyFirst ? 0 : 1)));
    }

    private static PlaceOrderRequest Request(string? orderId, string? key) =>
        new("ada", [new StockLine("p", 1)], orderId, key);

    private void WhenReserved(Func<Task> meanwhile)
    {
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        _inventory.ReserveAsync(default, default!).ReturnsForAnyArgs(_ => ReserveAsync());
#pragma warning restore CA2012

        async ValueTask<Reservation> ReserveAsync()
        {
            await meanwhile();
            return new Reservation(ReservationOutcome.Held, []);
        }
    }
}
