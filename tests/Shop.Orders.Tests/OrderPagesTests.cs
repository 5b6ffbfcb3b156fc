using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Products.Contracts;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>What happens while a page is made.</summary>
internal sealed partial class OrderPagesTests
{
    [TestCase("/")]
    [TestCase("/order/{order_id}")]
    public async Task Given_a_page_when_an_order_changes_after_the_page_has_read_it_then_the_page_hears_of_the_change(
        string template)
    {
        using var files = new ModuleFiles(new OrdersModule());
        long created = files.Context.Now().ToMilliseconds() - 1; // so the feed counts it as published
        OrderLine[] lines = [new OrderLine("p", "P", 1, 100)];
        var order = new Order("one", "ada", OrderStatus.Created, 100, created, created, lines);
        IOrderStore store = Substitute.For<IOrderStore>();
        IInventory inventory = Substitute.For<IInventory>();
        IProductCatalogue products = Substitute.For<IProductCatalogue>();
        var feed = new OrderFeed(store, files.Context);
        T Changed<T>(T read)
        {
            feed.Publish(order.WithStatus(OrderStatus.Paid, created + 1), order);
            return read;
        }

#pragma warning disable CA2012 // calls of a substitute, which say what it answers
        store.FindAsync(default!).ReturnsForAnyArgs(_ => ValueTask.FromResult(Changed<Order?>(order)));
        store.EventsAsync(default!).ReturnsForAnyArgs(ValueTask.FromResult<IReadOnlyList<OrderEvent>>([]));
        store.ListNewestAsync(default!, default, default).ReturnsForAnyArgs(
            _ => ValueTask.FromResult(Changed<IReadOnlyList<OrderHeader>>([OrderHeader.Of(order)])));
#pragma warning restore CA2012
        var metrics = new OrderMetrics(store, files.Context);
        await using var reconciler = new OrderReconciler(store, inventory, files.Context);
        var placeOrder = new PlaceOrder(
            store, metrics, feed, reconciler, new AsyncKeyedLock(), products, inventory, files.Context);
        var lifecycle = new OrderLifecycle(store, metrics, feed, reconciler, files.Context);
        var pages = new OrderPages(store, placeOrder, lifecycle, feed, products, files.Context);

        string html = await RenderAsync(template, pages, files.Context);
        EventFeed.Batch told = await feed.Events.OpenAsync(After().Match(html).Groups["event"].Value);
        Assert.That(told.Events, Has.Count.EqualTo(1), html);
        Assert.That(Encoding.UTF8.GetString(await told.Events[0].DataAsync()), Does.Contain("\"status\":\"paid\""));
    }

    private static async Task<string> RenderAsync(string template, OrderPages pages, ModuleContext context)
    {
        var listener = new ModuleListener(context);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton<Assets>().AddSingleton(listener);
        foreach (string other in new[] { "products", "inventory" }) builder.Services.AddSingleton(Listener(other));
        await using WebApplication app = builder.Build();
        var routes = new ModuleRoutes(app, listener);
        pages.Map(routes);
        RequestDelegate page = template == "/"
            ? async http => await (await routes.HomePage!(http)).ExecuteAsync(http)
            : ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
                .First(route => route.RoutePattern.RawText == template).RequestDelegate!;
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = app.Services };
        http.Features.Set(listener);
        http.Request.Method = "GET";
        http.Request.Scheme = "http";
        http.Request.Host = new HostString("localhost", 5002);
        http.Request.RouteValues["order_id"] = "one";
        http.Response.Body = body;
        await page(http);
        await http.Response.BodyWriter.FlushAsync();
        return Encoding.UTF8.GetString(body.ToArray());
    }

    private static ModuleListener Listener(string name)
    {
        var module = new ModuleIdentity(name, $"{name}-service", name, $"{name}.", 0);
        var settings = ShopSettings.Read(new ConfigurationBuilder().Build(), [module]);
        return new ModuleListener(new ModuleContext(module, settings, TimeProvider.System, NullLoggerFactory.Instance));
    }

    [GeneratedRegex("data-after=\"(?<event>[^\"]+)\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex After();
}
