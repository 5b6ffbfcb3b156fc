using System.Text.Json.Nodes;
using Shop.Platform.Requests;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// A page ends where it is large enough, however many rows were asked for, and the next goes on from there.
/// </summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class PageSizeTests(Engine engine) : EngineFixture(engine)
{
    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_orders_of_a_hundred_lines_with_a_long_name_when_a_thousand_are_asked_for_then_pages_of_a_megabyte_have_each_once()
    {
        await _shop.Products.SendJsonAsync(HttpMethod.Post, "/products",
            new { id = "long", name = Emoji(200), price = 1, initial_stock = 100_000 });
        var items = Enumerable.Range(0, 100).Select(_ => new { product_id = "long", quantity = 1 }).ToArray();
        string[] placed = await Task.WhenAll(Enumerable.Range(0, 30).Select(async _ =>
            (string)(await _shop.Orders.SendJsonAsync(HttpMethod.Post, "/orders",
                new { customer_id = "long", items })).Json!["order_id"]!));
        foreach (string filter in new[] { "", "&customer_id=long", "&product_id=long" })
        {
            string[] listed = await IdsAsync(_shop.Orders, $"/orders?limit=1000{filter}", "order_id", placed.Length);
            Assert.That(listed, Is.EquivalentTo(placed), filter);
        }
    }

    [TestCase("id")]
    [TestCase("-created_at")]
    public async Task Given_products_with_long_descriptions_when_a_thousand_are_asked_for_then_pages_of_a_megabyte_have_each_once(
        string sort)
    {
        string category = $"long {sort}";
        string[] created = await Task.WhenAll(Enumerable.Range(0, 150).Select(async number =>
            (string)(await _shop.Products.SendJsonAsync(HttpMethod.Post, "/products",
                new { name = $"{number}", price = 1, category, description = Emoji(2000) })).Json!["id"]!));
        string[] listed = await IdsAsync(_shop.Products,
            $"/products?limit=1000&sort={sort}&category={Uri.EscapeDataString(category)}", "id", created.Length);
        Assert.That(listed, Is.EquivalentTo(created));
        Assert.That(await IdsAsync(_shop.Products, $"/products?limit=1000&sort={sort}", "id", null),
            Is.SupersetOf(created).And.Unique);
    }

    private static string Emoji(int length) => string.Concat(Enumerable.Repeat("😀", length));

    private static async Task<string[]> IdsAsync(HttpClient client, string path, string id, int? total)
    {
        var ids = new List<string>();
        for (string? next = path; next is not null;)
        {
            using HttpResponseMessage page = await client.GetAsync(next);
            byte[] json = await page.Content.ReadAsByteArrayAsync();
            Assert.That(json, Has.Length.LessThan(Paging.MaxBytes * 11 / 10), next);
            if (total is not null) Assert.That(page.Header("X-Total-Count"), Is.EqualTo($"{total}"), next);
            ids.AddRange(JsonNode.Parse(json)!.AsArray().Select(row => (string)row![id]!));
            next = page.NextPage();
        }

        return [.. ids];
    }
}
