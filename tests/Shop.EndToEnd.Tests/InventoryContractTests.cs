using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class InventoryContractTests(Engine engine) : EngineFixture(engine)
{
    private static ShopUnderTest Shop => SharedShop.Shop;

    [TestCase("increase", "quantity_increased", 12)]
    [TestCase("increase", "quantity", 12)]
    [TestCase("increase", "quantity,quantity_increased", 12)]
    [TestCase("decrease", "quantity_decreased", 8)]
    [TestCase("decrease", "quantity", 8)]
    [TestCase("decrease", "quantity_decreased,quantity", 8)]
    public async Task Given_stock_when_changed_under_either_name_then_the_new_level(
        string verb, string names, long expected)
    {
        string product = await Shop.ProductAsync(stock: 10);
        string quantity = string.Join(',', names.Split(',').Select(name => $"\"{name}\":2"));
        (HttpResponseMessage response, JsonNode? answer) = await Shop.Inventory.PostAsync($"/inventory/{verb}",
            $$"""{"product_id":"{{product}}",{{quantity}}}""");
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
            Assert.That(answer!.ToJsonString(), Is.EqualTo(
                $$"""{"product_id":"{{product}}","new_stock_level":{{expected}},"status":"Stock updated"}"""));
        });
        Assert.That((await Shop.StockAsync(product)).Level, Is.EqualTo(expected));
    }

    [Test]
    public async Task Given_stock_of_some_products_then_storefront_shows_what_can_be_sold_and_the_stock_is_found_by_name()
    {
        string name = $"Lantern {Guid.NewGuid()}";
        string[] ids = new string[3];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = (string)(await Shop.Products.PostAsync("/products",
                new { name, price = 1, category = "Lanterns", initial_stock = 5 * i })).Json!["id"]!;
        await Shop.OrderAsync(ids[1], 1);
        string cards = await Shop.Products.HtmlAsync($"/?q={Uri.EscapeDataString(name)}");
        Assert.That(ids.Select(id => cards[cards.IndexOf($"id=\"{id}\"", StringComparison.Ordinal)..]
                .Split("class=\"stock")[1].Split('<')[0]),
            Is.EqualTo(new[] { " out\">Sold out", " low\">Only 4 left", "\">In stock" }));
        string stock = await Shop.Inventory.HtmlAsync($"/?product_id={Uri.EscapeDataString(name.ToUpperInvariant())}");
        Assert.That(ids.Select(id => stock.Contains($"/stock/{id}\"", StringComparison.Ordinal)), Is.All.True);
    }

    [Test]
    public async Task Given_a_text_that_no_product_can_have_when_the_stock_is_searched_then_the_page_says_that_there_is_none() =>
        Assert.That(await Shop.Inventory.HtmlAsync("/?product_id=%00"), Does.Contain("No product is called"));

    [Test]
    public async Task Given_units_that_orders_hold_when_more_than_the_rest_should_go_then_409_and_nothing_changes()
    {
        string product = await Shop.ProductAsync(stock: 10);
        await Shop.OrderAsync(product, 4);
        (HttpResponseMessage refused, _) = await Shop.Inventory.PostAsync("/inventory/decrease",
            new { product_id = product, quantity_decreased = 7 });
        (HttpResponseMessage done, _) = await Shop.Inventory.PostAsync("/inventory/decrease",
            new { product_id = product, quantity_decreased = 6 });
        Assert.That(((int)refused.StatusCode, (int)done.StatusCode), Is.EqualTo((409, 200)));
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((0L, 4L, 4L)));
    }

    [TestCase("""{"quantity_increased":1}""", "product_id")]
    [TestCase("""{"product_id":"prod_0"}""", "quantity_increased")]
    [TestCase("""{"product_id":"prod_0","quantity_increased":0}""", "quantity_increased")]
    [TestCase("""{"product_id":"prod_0","quantity":1000000001}""", "quantity")]
    [TestCase("""{"product_id":"prod_0","quantity":1,"quantity_increased":2}""", "quantity_increased")]
    [TestCase("""{"product_id":5,"quantity":-1}""", "product_id,quantity")]
    public async Task Given_wrong_fields_when_increased_then_400_names_each(string body, string fields)
    {
        (HttpResponseMessage response, JsonNode? problem) = await Shop.Inventory.PostAsync("/inventory/increase", body);
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EquivalentTo(fields.Split(',')));
    }

    [Test]
    public async Task Given_an_unknown_product_then_404_on_every_route()
    {
        var body = new { product_id = "ghost", quantity = 1 };
        int[] codes =
        [
            (int)(await Shop.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory/ghost")).Response.StatusCode,
            (int)(await Shop.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory/ghost/movements")).Response.StatusCode,
            (int)(await Shop.Inventory.PostAsync("/inventory/increase", body)).Response.StatusCode,
            (int)(await Shop.Inventory.PostAsync("/inventory/decrease", body)).Response.StatusCode,
        ];
        Assert.That(codes, Is.All.EqualTo(404));
    }

    [Test]
    public async Task Given_a_key_when_repeated_then_once_and_with_other_content_409()
    {
        string product = await Shop.ProductAsync(stock: 10);
        (string, string) key = ("Idempotency-Key", Guid.NewGuid().ToString());
        var body = new { product_id = product, quantity_decreased = 3 };
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 10).Select(_ => Shop.Inventory.PostAsync("/inventory/decrease", body, key)));
        (HttpResponseMessage other, _) = await Shop.Inventory.PostAsync("/inventory/increase",
            new { product_id = product, quantity = 3 }, key);
        Assert.Multiple(() =>
        {
            Assert.That(replies.Select(reply => (long)reply.Json!["new_stock_level"]!), Is.All.EqualTo(7));
            Assert.That(replies.Count(reply => reply.Response.Header("Idempotency-Replayed") == "true"), Is.EqualTo(9));
            Assert.That((int)other.StatusCode, Is.EqualTo(409));
        });
        Assert.That((await Shop.StockAsync(product)).Level, Is.EqualTo(7));
    }

    [Test]
    public async Task Given_a_history_when_the_movements_are_read_then_newest_first_with_the_figures_after_each()
    {
        string product = await Shop.ProductAsync(stock: 10);
        string shipped = await Shop.OrderAsync(product, 3), cancelled = await Shop.OrderAsync(product, 2);
        await MovedAsync();
        await Shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 5 });
        await MovedAsync();
        await Shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 1 });
        await MovedAsync();
        await Shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
        await MovedAsync();
        await Shop.Orders.PostAsync($"/orders/{shipped}/pay");
        await Shop.Orders.PostAsync($"/orders/{shipped}/ship");
        await MovedAsync();

        var seen = new List<JsonNode>();
        string? next = $"/inventory/{product}/movements?limit=2";
        while (next is not null)
        {
            using HttpResponseMessage response = await Shop.Inventory.GetAsync(next);
            Assert.That(response.Header("X-Total-Count"), Is.EqualTo("7"));
            seen.AddRange(JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsArray()!);
            next = response.NextPage();
        }

        seen.Reverse();
        Assert.That(seen.Select(movement => ((string)movement["kind"]!, (long)movement["quantity"]!,
            (string?)movement["order_id"], (long)movement["on_hand"]!, (long)movement["reserved"]!)), Is.EqualTo(new[]
            {
                ("received", 10L, (string?)null, 10L, 0L), ("reserved", 3L, shipped, 10L, 3L),
                ("reserved", 2L, cancelled, 10L, 5L), ("received", 5L, null, 15L, 5L),
                ("removed", 1L, null, 14L, 5L), ("released", 2L, cancelled, 14L, 3L), ("shipped", 3L, shipped, 11L, 0L),
            }));

        // The stock is as its newest movement left it, and of that time, which is another than before.
        async Task MovedAsync()
        {
            JsonNode stock = await Shop.Inventory.GetJsonAsync($"/inventory/{product}"), newest =
                (await Shop.Inventory.GetJsonAsync($"/inventory/{product}/movements?limit=1"))[0]!;
            Assert.That(((string)stock["last_updated"]!, (long)stock["on_hand"]!, (long)stock["reserved"]!),
                Is.EqualTo(((string)newest["at"]!, (long)newest["on_hand"]!, (long)newest["reserved"]!)));
            // The next movement is of a later millisecond.
            var at = DateTimeOffset.Parse((string)newest["at"]!, CultureInfo.InvariantCulture);
            while (DateTimeOffset.UtcNow < at.AddMilliseconds(1)) await Task.Yield();
        }
    }

    [Test]
    public async Task Given_short_products_when_listed_by_level_then_those_alone_paged_by_id()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        var seen = new List<string>();
        string? next = "/inventory?max_level=4&limit=2";
        while (next is not null)
        {
            using HttpResponseMessage response = await shop.Inventory.GetAsync(next);
            Assert.That(response.Header("X-Total-Count"), Is.EqualTo("5"));
            seen.AddRange(JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsArray()
                .Select(row => (string)row!["product_id"]!));
            next = response.NextPage();
        }

        Assert.That(seen, Is.EqualTo(["prod_190", "prod_191", "prod_192", "prod_193", "prod_194"]));
    }
}
