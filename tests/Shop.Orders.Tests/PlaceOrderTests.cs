using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;
using Shop.Products.Contracts;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class PlaceOrderTests
{
    [Test]
    public async Task Given_an_order_under_way_when_its_key_is_used_for_a_change_of_another_then_it_is_refused_as_reused_and_gives_its_units_back()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new OrderStore(files.Context.Database);
        var metrics = new OrderMetrics(files.Context);
        var feed = new OrderFeed(store, files.Context);
        IInventory inventory = Substitute.For<IInventory>();
        IProductCatalogue products = Substitute.For<IProductCatalogue>();
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        products.FindAsync(default!).ReturnsForAnyArgs(new ValueTask<IReadOnlyList<ProductOnSale?>>([new ProductOnSale("p", "P", 100)]));
        inventory.ReserveAsync(default, default!).ReturnsForAnyArgs(new ValueTask<Reservation>(new Reservation(ReservationOutcome.Held, [])));
#pragma warning restore CA2012
        await using var reconciler = new OrderReconciler(store, inventory, files.Context);
        await using var retention = new OrderRetention(store, metrics, inventory, files.Context);
        var place = new PlaceOrder(store, metrics, feed, reconciler, retention, new AsyncKeyedLock(), products, inventory, files.Context);
        var lifecycle = new OrderLifecycle(store, metrics, feed, reconciler, retention, files.Context);
        string earlier = (await place.PlaceAsync(new PlaceOrderRequest("ada", [new StockLine("p", 1)], null, null))).Order!.Id;

#pragma warning disable CA2012
        inventory.ReserveAsync(default, default!).ReturnsForAnyArgs(_ => PaidMeanwhileAsync());
#pragma warning restore CA2012
        PlaceOrder.PlaceOrderResult placement = await place.PlaceAsync(new PlaceOrderRequest("ada", [new StockLine("p", 1)], "mine", "key"));
        Assert.That(placement.Problem, Is.SameAs(IdempotencyKey.Reused));
        Assert.That((store.FindId("mine").Exists, reconciler.IsBeingUndone("mine")), Is.EqualTo((false, true)));

        async ValueTask<Reservation> PaidMeanwhileAsync()
        {
            await lifecycle.ChangeAsync(earlier, OrderStatus.Paid, "key");
            return new Reservation(ReservationOutcome.Held, []);
        }
    }

    [Test]
    public async Task Given_an_old_order_when_a_new_key_meets_its_deletion_then_it_is_kept_for_the_key_or_placed_anew(
        [Values] bool isKeyFirst)
    {
        using var files = new ModuleFiles(
            new OrdersModule(), settings: new KeyValuePair<string, string?>("Shop:OrderRetention", "3"));
        var store = new OrderStore(files.Context.Database);
        var metrics = new OrderMetrics(files.Context);
        IInventory inventory = Substitute.For<IInventory>();
        IProductCatalogue products = Substitute.For<IProductCatalogue>();
#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        products.FindAsync(default!)
            .ReturnsForAnyArgs(new ValueTask<IReadOnlyList<ProductOnSale?>>([new ProductOnSale("p", "P", 100)]));
        inventory.ReserveAsync(default, default!)
            .ReturnsForAnyArgs(new ValueTask<Reservation>(new Reservation(ReservationOutcome.Held, [])));
#pragma warning restore CA2012
        await using var reconciler = new OrderReconciler(store, inventory, files.Context);
        await using var retention = new OrderRetention(store, metrics, inventory, files.Context);
        var place = new PlaceOrder(store, metrics, new OrderFeed(store, files.Context), reconciler, retention,
            new AsyncKeyedLock(), products, inventory, files.Context);
        var request = new PlaceOrderRequest("ada", [new StockLine("p", 1)], "mine", "late key");
        await store.Writes.WriteAsync(() =>
        {
            store.Insert(new Order("mine", "ada", OrderStatus.Delivered, 100, 0, 0, [new OrderLine("p", "P", 1, 100)]),
                1, request.Fingerprint);
            return WriteResult.Commit(0);
        });

        // Both have looked at the order before either of them writes.
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var release = new ManualResetEventSlim();
        Task held = store.Writes.WriteAsync(() =>
        {
            entered.SetResult();
            release.Wait();
            return WriteResult.Commit(0);
        });
        await entered.Task;
        Task round = isKeyFirst ? Task.CompletedTask : retention.RunAsync();
        Task<PlaceOrder.PlaceOrderResult> again = place.PlaceAsync(request);
        if (isKeyFirst) round = retention.RunAsync();
        release.Set();
        await Task.WhenAll(held, round);
        PlaceOrder.PlaceOrderResult placed = await again;
        Assert.That((placed.Order?.Id, placed.IsReplayed), Is.EqualTo(("mine", isKeyFirst)));
        PlaceOrder.PlaceOrderResult third = await place.PlaceAsync(request);
        Assert.That((third.Order?.CreatedAt, third.IsReplayed), Is.EqualTo((placed.Order!.CreatedAt, true)));
        Assert.That((store.Find("mine")!.CreatedAt == 0,
            inventory.ReceivedCalls().Count(call => call.GetMethodInfo().Name == "ReserveAsync")),
            Is.EqualTo((isKeyFirst, isKeyFirst ? 0 : 1)));
    }
}
