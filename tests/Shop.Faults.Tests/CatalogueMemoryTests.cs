using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;

namespace Shop.Faults.Tests;

/// <summary>
/// A shop in a container of 256 MiB: nothing that clients store keeps it from going on, or from starting again.
/// </summary>
internal sealed class CatalogueMemoryTests
{
    // What .NET takes of such a container for objects: three quarters.
    private static readonly (string Name, string Value) Limit = ("DOTNET_GCHeapHardLimit", "C000000");

    private static readonly string LongText = string.Concat(Enumerable.Repeat("😀", 2000));

    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-memory-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Given_products_of_nine_kilobytes_when_the_catalogue_is_full_then_more_is_409_and_all_goes_on_also_after_a_start()
    {
        int created = 0, refused = 0, small = 0;
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory, Limit))
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, 9000),
                new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, _) =>
                {
                    if (Volatile.Read(ref refused) >= 100) return;
                    (HttpResponseMessage response, JsonNode? json) = await shop.Products.SendJsonAsync(
                        HttpMethod.Post, "/products",
                        new { id = $"long-{number}", name = "Long", price = 1, description = LongText });
                    if (response.StatusCode == HttpStatusCode.Created) Interlocked.Increment(ref created);
                    else if (response.StatusCode == HttpStatusCode.Conflict
                        && ((string)json!["error"]!)
                        .StartsWith("The catalogue is full: it may use 24 MB of memory. Delete products, ",
                            StringComparison.Ordinal)) // an eighth of the limit
                    {
                        Interlocked.Increment(ref refused);
                    }
                    else Assert.Fail($"{response.StatusCode}: {json}");
                });
            Assert.That(refused, Is.GreaterThanOrEqualTo(100));
            Assert.That(created, Is.GreaterThan(100));
            // What is left after the last long product may still be enough for a change: small products take it.
            while (await StatusAsync(shop.Products, HttpMethod.Post, "/products",
                new { name = "Small", price = 1 }) != HttpStatusCode.Conflict)
            {
                Assert.That(++small, Is.LessThan(1000));
            }

            await WorksAsync(shop, created);

            // A product may become smaller, and then there is room again.
            Assert.That(await StatusAsync(shop.Products, HttpMethod.Put, "/products/prod_0",
                new { name = "Longer", price = 1, description = LongText }), Is.EqualTo(HttpStatusCode.Conflict));
            foreach (JsonNode? product in (await shop.Products.GetJsonAsync("/products?q=long&limit=3")).AsArray())
                Assert.That(await StatusAsync(shop.Products, HttpMethod.Put, $"/products/{product!["id"]}",
                    new { name = "Long", price = 1 }), Is.EqualTo(HttpStatusCode.OK));
            Assert.That(await StatusAsync(shop.Products, HttpMethod.Post, "/products",
                    new { id = "long-more", name = "Long", price = 1, description = LongText }),
                Is.EqualTo(HttpStatusCode.Created));
            created++;
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero);
        }

        using ShopProcess again = await ShopProcess.StartAsync(_directory, Limit);
        await WorksAsync(again, created);
    }

    [Test]
    [Category("Slow")]
    public async Task Given_a_catalogue_that_an_earlier_version_let_grow_beyond_the_memory_then_the_shop_starts_and_serves_all_of_it()
    {
        const int Products = 9000;
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            shop.Signal(15);
            await shop.ExitAsync();
        }

        using (var connection =
            new SqliteConnection($"Data Source={Path.Combine(_directory, "products.db")};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand insert = connection.CreateCommand();
            insert.CommandText = """
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $products - 1)
                INSERT INTO products (
                    id, name, description, price_cents, category, version, created_at, updated_at, unopened_stock)
                SELECT 'long-' || i, 'Long', $description || i, 100, 'Long', 1, i, i, 10 FROM n
                """;
            insert.Parameters.AddWithValue("$products", Products);
            insert.Parameters.AddWithValue("$description", LongText);
            insert.ExecuteNonQuery();
        }

        using ShopProcess again = await ShopProcess.StartAsync(_directory, Limit);
        await WorksAsync(again, Products);
        foreach (string id in new[] { "long-0", "long-9", $"long-{Products - 1}" })
            Assert.That((string)(await again.Products.GetJsonAsync($"/products/{id}"))["description"]!,
                Is.EqualTo(LongText + id["long-".Length..]));

        // What has no room in memory is found, changed and deleted like anything else.
        Assert.That(
            (string)(await again.Products.GetJsonAsync($"/products?q={Uri.EscapeDataString("😀" + (Products - 1))}"))
                .AsArray().Single()!["id"]!, Is.EqualTo($"long-{Products - 1}"));
        using HttpResponseMessage read = await again.Products.GetAsync("/products/long-9");
        using var replace = new HttpRequestMessage(HttpMethod.Put, "/products/long-9")
        {
            Content = System.Net.Http.Json.JsonContent.Create(new { name = "Short", price = 2 }),
        };
        replace.Headers.Add("If-Match", read.Headers.ETag!.ToString());
        using HttpResponseMessage replaced = await again.Products.SendAsync(replace);
        Assert.That(replaced.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((string)(await again.Products.GetJsonAsync("/products/long-9"))["name"]!, Is.EqualTo("Short"));
        Assert.That(await StatusAsync(again.Products, HttpMethod.Post, "/products", new { name = "New", price = 1 }),
            Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(await StatusAsync(again.Products, HttpMethod.Delete, $"/products/long-{Products - 1}", null),
            Is.EqualTo(HttpStatusCode.NoContent));
        Assert.That(await StatusAsync(again.Products, HttpMethod.Get, $"/products/long-{Products - 1}", null),
            Is.EqualTo(HttpStatusCode.NotFound));
    }

    private static async Task WorksAsync(ShopProcess shop, int longProducts)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        for (string? next = "/products?limit=1000"; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? json) = await shop.Products.SendJsonAsync(HttpMethod.Get, next);
            foreach (JsonNode? product in json!.AsArray()) Assert.That(ids.Add((string)product!["id"]!));
            next = page.NextPage();
        }

        Assert.That(ids.Count(id => id.StartsWith("long-", StringComparison.Ordinal)), Is.EqualTo(longProducts));
        Assert.That(await StatusAsync(shop.Orders, HttpMethod.Post, "/orders",
                new { customer_id = "c", items = new[] { new { product_id = "prod_0", quantity = 1 } } }),
            Is.EqualTo(HttpStatusCode.Created));
        using HttpResponseMessage storefront = await shop.Products.SendAsync(
            new HttpRequestMessage(HttpMethod.Get, "/?q=long") { Headers = { { "Accept", "text/html" } } });
        Assert.That(storefront.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private static async Task<HttpStatusCode> StatusAsync(
        HttpClient client, HttpMethod method, string path, object? body) =>
        (await client.SendJsonAsync(method, path, body)).Response.StatusCode;
}
