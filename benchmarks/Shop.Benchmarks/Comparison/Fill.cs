using System.Globalization;

namespace Shop.Benchmarks.Comparison;

/// <summary>Fills a shop over HTTP.</summary>
internal static class Fill
{
    public static object Order(int number) => new
    {
        customer_id = "customer-1",
        items = new[]
        {
            new { product_id = $"prod_{number % 190}", quantity = 1 },
            new { product_id = $"prod_{(number + 95) % 190}", quantity = 2 },
        },
    };

    public static async Task ProductsAsync(ShopServer shop, int from, int to)
    {
        using var client = new HttpClient { BaseAddress = shop.Products };
        await Parallel.ForEachAsync(Enumerable.Range(from, to - from),
            new ParallelOptions { MaxDegreeOfParallelism = 128 }, async (number, stop) =>
            {
                var product = new
                {
                    id = $"prod_{number.ToString(CultureInfo.InvariantCulture)}",
                    name = $"Thing {number}",
                    description = "A thing like any other.",
                    category = "Things",
                    price = 1 + number % 100,
                    initial_stock = 1_000_000,
                };
                using HttpResponseMessage response = await client.PostAsJsonAsync("/products", product, stop);
                response.EnsureSuccessStatusCode();
            });
    }

    /// <summary>Takes in units of the demo products that are short, so that all can be ordered alike.</summary>
    public static async Task ShortProductsAsync(ShopServer shop)
    {
        using var client = new HttpClient { BaseAddress = shop.Inventory };
        for (int number = 190; number < 200; number++)
        {
            using HttpResponseMessage response = await client.PostAsJsonAsync("/inventory/increase",
                new { product_id = $"prod_{number}", quantity_increased = 1_000_000 });
            response.EnsureSuccessStatusCode();
        }
    }

    /// <summary>So many orders, one after the other.</summary>
    public static async Task OrdersAsync(ShopServer shop, int count)
    {
        using var client = new HttpClient { BaseAddress = shop.Orders };
        for (int number = 0; number < count; number++)
        {
            using HttpResponseMessage response = await client.PostAsJsonAsync("/orders", Order(number));
            response.EnsureSuccessStatusCode();
        }
    }
}
