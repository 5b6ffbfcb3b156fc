using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Products;

/// <summary>The demo traffic of the products service: reads, now and then of a product that does not exist.</summary>
internal static class CatalogueTraffic
{
    public static void Map(ModuleRoutes routes)
    {
        routes.DemoTraffic(50, static () => new DemoRequest(HttpMethod.Get, $"/products/{DemoProducts.Any()}"));
        routes.DemoTraffic(15, static () => new DemoRequest(HttpMethod.Get, "/products?limit=20"));
        routes.DemoTraffic(2, static () => new DemoRequest(HttpMethod.Get, "/products/nothing"));
    }
}
