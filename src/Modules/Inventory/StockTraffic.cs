using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Inventory;

/// <summary>The demo traffic of the inventory service: reads, and a few increases.</summary>
internal static class StockTraffic
{
    public static void Map(ModuleRoutes routes)
    {
        routes.DemoTraffic(8, static () => new DemoRequest(HttpMethod.Get, $"/inventory/{DemoProducts.Any()}"));
        routes.DemoTraffic(3, static () => new DemoRequest(HttpMethod.Post, "/inventory/increase",
            $$"""{"product_id":"{{DemoProducts.Any()}}","quantity":1}"""));
    }
}
