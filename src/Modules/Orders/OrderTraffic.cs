using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Orders;

/// <summary>The demo traffic of the orders service: half of the orders are then paid, delivered or cancelled.</summary>
internal static class OrderTraffic
{
    private static readonly string[][] Lives = [["pay", "ship", "deliver"], ["pay"], ["cancel"]];

    public static void Map(ModuleRoutes routes) => routes.DemoTraffic(22, Place);

    private static DemoRequest Place()
    {
        (string customer, int quantity) = ($"customer-{Random.Shared.Next(100)}", Random.Shared.Next(1, 4));
        string item = $$"""{"product_id":"{{DemoProducts.Any()}}","quantity":{{quantity}}}""";
        return new DemoRequest(HttpMethod.Post, "/orders", $$"""{"customer_id":"{{customer}}","items":[{{item}}]}""")
        {
            Then = static placed => placed.Headers.Location is { } order && Random.Shared.Next(2) == 0
                ? Step(order.OriginalString, Lives[Random.Shared.Next(Lives.Length)])
                : null,
        };
    }

    private static DemoRequest Step(string order, string[] life) => new(HttpMethod.Post, $"{order}/{life[0]}")
    {
        Then = _ => life.Length > 1 ? Step(order, life[1..]) : null,
    };
}
