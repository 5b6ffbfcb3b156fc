using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>What customers and staff do, a little of everything, until it is stopped.</summary>
internal sealed class Traffic : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _work;

    public Traffic(ShopUnderTest shop, bool buys = true) =>
        _work = Task.WhenAll(BrowseAsync(shop), buys ? BuyAsync(shop) : Task.CompletedTask);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }

    private async Task BrowseAsync(ShopUnderTest shop)
    {
        for (int n = 0; !_stop.IsCancellationRequested; n++)
        {
            await shop.Products.GetJsonAsync($"/products/prod_{n % 30}");
            await shop.Products.GetJsonAsync("/products?limit=5");
            await shop.Inventory.GetJsonAsync("/inventory/prod_1");
            await Task.Delay(10);
        }
    }

    private async Task BuyAsync(ShopUnderTest shop)
    {
        for (int n = 0; !_stop.IsCancellationRequested; n++)
        {
            string id = await shop.OrderAsync($"prod_{n % 20}", 1 + (n % 3));
            if (n % 3 < 2) await shop.Orders.PostAsync($"/orders/{id}/pay");
            if (n % 3 == 0) await shop.Orders.PostAsync($"/orders/{id}/ship");
            if (n % 20 == 7) await shop.Orders.PostAsync($"/orders/{id}/cancel");
            if (n % 5 == 0) await shop.Orders.PostAsync("/orders", Http.Order("prod_199", 50));
            if (n % 7 == 0)
                await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_2", quantity = 5 });
            JsonNode product = (await shop.Products.PostAsync("/products",
                new { name = "New", price = 5, initial_stock = 100 })).Json!;
            await shop.Products.DeleteAsync($"/products/{product["id"]}");
            await Task.Delay(10);
        }
    }
}
