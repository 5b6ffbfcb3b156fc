using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.OpenApi;
using Shop.Products.Contracts;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>What the routes say of themselves.</summary>
internal sealed class OrdersApiTests
{
    [Test]
    public async Task Given_an_order_that_waits_too_long_for_its_turn_then_it_counts_as_one_that_was_not_placed_and_a_change_does_not()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        IInventory inventory = Substitute.For<IInventory>();
        var metrics = new OrderMetrics(store, files.Context);
        var feed = new OrderFeed(store, files.Context);
        await using var reconciler = new OrderReconciler(store, inventory, files.Context);
        var placeOrder = new PlaceOrder(store, metrics, feed, reconciler, new AsyncKeyedLock(),
            Substitute.For<IProductCatalogue>(), inventory, files.Context);
        var lifecycle = new OrderLifecycle(store, metrics, feed, reconciler, files.Context);
        await using WebApplication app = WebApplication.CreateSlimBuilder().Build();
        new OrdersApi(store, metrics, placeOrder, lifecycle, files.Context)
            .Map(new ModuleRoutes(app, new ModuleListener(files.Context)));
        RouteEndpoint[] late = [.. ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints)
            .OfType<RouteEndpoint>().Where(route => route.Metadata.GetMetadata<QueueTimeoutCallback>() is not null)];
        Assert.That(late.Select(route => route.RoutePattern.RawText), Is.EqualTo(new[] { "/orders" }));
        late[0].Metadata.GetMetadata<QueueTimeoutCallback>()!.Invoke();
        Assert.That((await files.MetricsAsync()).Where(series =>
                series.Key.StartsWith("orders_rejected_total{", StringComparison.Ordinal) && series.Value != 0)
            .Select(series => (series.Key.Contains("\"overloaded\"", StringComparison.Ordinal), series.Value)),
            Is.EqualTo(new[] { (true, 1d) }));
    }
}
