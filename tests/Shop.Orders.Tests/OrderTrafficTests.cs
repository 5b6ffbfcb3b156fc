using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>What the demo traffic of the orders service asks for.</summary>
internal sealed class OrderTrafficTests
{
    [Test]
    public async Task Given_thousands_of_demo_orders_then_they_are_of_many_customers_and_half_go_on_each_in_one_of_three_ways()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var listener = new ModuleListener(files.Context);
        await using WebApplication app = WebApplication.CreateSlimBuilder().Build();
        OrderTraffic.Map(new ModuleRoutes(app, listener));
        Func<DemoRequest> make = listener.DemoRequests.Single().Make;
        const int Orders = 12_000;
        var customers = new HashSet<string>(StringComparer.Ordinal);
        var quantities = new Dictionary<int, int>();
        var lives = new Dictionary<string, int>(StringComparer.Ordinal);
        using var placed = new HttpResponseMessage(HttpStatusCode.Created)
        {
            Headers = { Location = new Uri("/orders/some", UriKind.Relative) },
        };
        using var refused = new HttpResponseMessage(HttpStatusCode.Conflict);
        for (int n = 0; n < Orders; n++)
        {
            DemoRequest order = make();
            Assert.That((order.Method, order.Path), Is.EqualTo((HttpMethod.Post, "/orders")));
            JsonNode body = JsonNode.Parse(order.Body!)!;
            customers.Add((string)body["customer_id"]!);
            int quantity = (int)body["items"]!.AsArray().Single()!["quantity"]!;
            quantities[quantity] = quantities.GetValueOrDefault(quantity) + 1;
            Assert.That(order.Then!(refused), Is.Null, "an order that was refused has no life");
            var life = new List<string>();
            for (DemoRequest? step = order.Then(placed); step is not null; step = step.Then!(placed))
            {
                Assert.That((step.Method, step.Body), Is.EqualTo((HttpMethod.Post, (string?)null)));
                life.Add(step.Path);
            }

            string way = string.Join(' ', life);
            lives[way] = lives.GetValueOrDefault(way) + 1;
        }

        // Eight standard deviations: by chance it is never so.
        Assert.That(customers, Has.Count.EqualTo(100));
        Assert.That(quantities.Keys, Is.EquivalentTo(new[] { 1, 2, 3 }));
        Assert.That(quantities.Values, Is.All.EqualTo(Orders / 3).Within(415));
        Assert.That(lives.Keys, Is.EquivalentTo(new[]
        {
            "", "/orders/some/pay", "/orders/some/cancel",
            "/orders/some/pay /orders/some/ship /orders/some/deliver",
        }));
        Assert.That(lives[""], Is.EqualTo(Orders / 2).Within(440));
        Assert.That(lives.Where(life => life.Key != "").Select(life => life.Value),
            Is.All.EqualTo(Orders / 6).Within(330));
    }
}
