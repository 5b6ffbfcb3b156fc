using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>What must hold when there is much of it: indexes that are cut into runs, pages that are kept.</summary>
internal sealed class GrowthTests
{
    [Test]
    public async Task Given_orders_of_several_runs_when_they_are_listed_by_customer_or_product_then_each_comes_once_newest_first()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        const int Orders = 2500; // a run is 1,024 orders
        await Parallel.ForEachAsync(Enumerable.Range(0, Orders),
            new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (number, _) =>
                await shop.OrderAsync($"prod_{number % 7}", customer: $"customer-{number % 5}"));
        string[] all = await IdsAsync(shop.Orders, "/orders?limit=1000", "order_id");
        JsonNode[] listed = [.. await ListAsync(shop.Orders, "/orders?limit=1000")];

        Assert.That(all, Has.Length.EqualTo(Orders));
        string[] ofCustomer = [.. listed.Where(order => (string)order["customer_id"]! == "customer-3")
            .Select(order => (string)order["order_id"]!)];
        string[] ofProduct = [.. listed.Where(order => (string)order["items"]![0]!["product_id"]! == "prod_4")
            .Select(order => (string)order["order_id"]!)];
        Assert.That(await IdsAsync(shop.Orders, "/orders?customer_id=customer-3&limit=77", "order_id"),
            Is.EqualTo(ofCustomer));
        Assert.That(await IdsAsync(shop.Orders, "/orders?product_id=prod_4&limit=50", "order_id"),
            Is.EqualTo(ofProduct));
        Assert.That(
            await IdsAsync(shop.Orders, "/orders?product_id=prod_4&customer_id=customer-3&status=created", "order_id"),
            Is.EqualTo(ofProduct.Intersect(ofCustomer)));

        (HttpResponseMessage page, _) = await shop.Orders.SendJsonAsync(HttpMethod.Get,
            "/orders?customer_id=customer-3&limit=1");
        Assert.That(page.Header("X-Total-Count"), Is.EqualTo($"{ofCustomer.Length}"));

        long[] movements = [.. (await IdsAsync(shop.Inventory, "/inventory/prod_4/movements?limit=33", "id")).Select(
            id => long.Parse(id, CultureInfo.InvariantCulture))];
        Assert.That(movements, Has.Length.EqualTo(ofProduct.Length + 1), "each order, and the opening");
        Assert.That(movements, Is.Ordered.Descending.And.Unique);
    }

    [Test]
    public async Task Given_a_page_was_sent_when_a_product_changes_then_the_same_page_shows_it_at_once()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string before = await shop.Products.GetStringAsync("/products?limit=2");
        Assert.That(await shop.Products.GetStringAsync("/products?limit=2"), Is.EqualTo(before));
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/products/prod_0", new { name = "Renamed", price = 5 });
        Assert.That((await shop.Products.GetJsonAsync("/products?limit=2"))[0]!["name"]!.ToString(),
            Is.EqualTo("Renamed"));
        await shop.Products.DeleteAsync("/products/prod_0");
        Assert.That((await shop.Products.GetJsonAsync("/products?limit=2"))[0]!["id"]!.ToString(),
            Is.EqualTo("prod_1"));
    }

    [Test]
    public async Task Given_the_prefix_when_the_same_page_is_asked_for_with_and_without_then_each_links_to_its_own()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        foreach (string prefix in new[] { "", "/api", "" })
        {
            (HttpResponseMessage page, _) = await shop.Products.SendJsonAsync(HttpMethod.Get,
                $"{prefix}/products?limit=2");
            Assert.That(page.NextPage(), Does.StartWith($"{prefix}/products?"));
            Assert.That(page.Header("X-Total-Count"), Is.EqualTo("200"), "the page is kept with its total");
        }
    }

    [Test]
    public async Task Given_a_batch_limit_of_one_when_orders_meet_then_each_write_has_a_commit_of_its_own()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:WriteBatchLimit=1");
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => shop.OrderAsync("prod_0")));
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That(metrics["db_commit_batch_size_count"],
            Is.EqualTo(metrics["db_commit_batch_size_sum"]).And.GreaterThanOrEqualTo(50));
    }

    private static async Task<string[]> IdsAsync(HttpClient client, string path, string id) =>
        [.. (await ListAsync(client, path)).Select(row => (string)row[id]!)];

    private static async Task<IReadOnlyList<JsonNode>> ListAsync(HttpClient client, string path)
    {
        var rows = new List<JsonNode>();
        for (string? next = path; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? json) = await client.SendJsonAsync(HttpMethod.Get, next);
            rows.AddRange(json!.AsArray().Select(row => row!));
            next = page.NextPage();
        }

        return rows;
    }
}
