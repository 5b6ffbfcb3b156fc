using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class IdempotencyTests(Engine engine) : EngineFixture(engine)
{
    private static ShopUnderTest Shop => SharedShop.Shop;

    [Test]
    public async Task Given_a_key_when_the_order_is_repeated_even_after_it_went_on_then_the_first_answer_byte_for_byte(
        [Values("key", "order_id", "both")] string by)
    {
        string product = await Shop.ProductAsync(stock: 5);
        (object body, (string, string)[] headers) = Request(product, by);
        (HttpResponseMessage first, string firstBody) = await SendAsync(Shop, body, headers);
        string id = (string)JsonNode.Parse(firstBody)!["order_id"]!;
        await Shop.Orders.PostAsync($"/orders/{id}/pay");
        (HttpResponseMessage second, string secondBody) = await SendAsync(Shop, body, headers);
        Assert.Multiple(() =>
        {
            Assert.That(((int)first.StatusCode, (int)second.StatusCode), Is.EqualTo((201, 201)));
            Assert.That(secondBody, Is.EqualTo(firstBody));
            Assert.That(second.Header("Location"), Is.EqualTo(first.Header("Location")));
            Assert.That((first.Header("Idempotency-Replayed"), second.Header("Idempotency-Replayed")),
                Is.EqualTo(((string?)null, "true")));
        });
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((4L, 5L, 1L)));
    }

    [Test]
    public async Task Given_a_key_when_many_identical_requests_arrive_at_once_then_one_order_and_one_answer(
        [Values("key", "order_id", "both")] string by)
    {
        string product = await Shop.ProductAsync(stock: 50);
        (object body, (string, string)[] headers) = Request(product, by);
        var replies = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => SendAsync(Shop, body, headers)));
        Assert.Multiple(() =>
        {
            Assert.That(replies.Select(reply => (int)reply.Response.StatusCode), Is.All.EqualTo(201));
            Assert.That(replies.Select(reply => reply.Body).Distinct().Count(), Is.EqualTo(1));
            Assert.That(replies.Count(reply => reply.Response.Header("Idempotency-Replayed") is null), Is.EqualTo(1));
        });
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((49L, 50L, 1L)));
    }

    [Test]
    public async Task Given_a_used_key_or_id_when_the_content_differs_then_409()
    {
        string product = await Shop.ProductAsync(stock: 50);
        string key = Guid.NewGuid().ToString(), id = $"mine-{Guid.NewGuid():N}";
        await SendAsync(Shop, Http.Order(product, 1), ("Idempotency-Key", key));
        (HttpResponseMessage otherQuantity, _) = await SendAsync(Shop, Http.Order(product, 2),
            ("Idempotency-Key", key));
        (HttpResponseMessage otherCustomer, _) = await SendAsync(Shop, Http.Order(product, 1, "else"),
            ("Idempotency-Key", key));
        await SendAsync(Shop,
            new { order_id = id, customer_id = "c", items = new[] { new { product_id = product, quantity = 1 } } });
        (HttpResponseMessage otherContent, _) = await SendAsync(Shop,
            new { order_id = id, customer_id = "c", items = new[] { new { product_id = product, quantity = 2 } } });
        // An id is part of the content, whether there is none, another or one.
        object Mine(string? orderId) => new
        {
            order_id = orderId,
            customer_id = "c",
            items = new[] { new { product_id = product, quantity = 1 } },
        };
        string mine = Guid.NewGuid().ToString(), first = $"own-{Guid.NewGuid():N}", none = Guid.NewGuid().ToString();
        await SendAsync(Shop, Mine(first), ("Idempotency-Key", mine));
        await SendAsync(Shop, Http.Order(product, 1, "c"), ("Idempotency-Key", none));
        (HttpResponseMessage otherId, _) =
            await SendAsync(Shop, Mine($"own-{Guid.NewGuid():N}"), ("Idempotency-Key", mine));
        (HttpResponseMessage noId, _) =
            await SendAsync(Shop, Http.Order(product, 1, "c"), ("Idempotency-Key", mine));
        (HttpResponseMessage anId, _) =
            await SendAsync(Shop, Mine($"own-{Guid.NewGuid():N}"), ("Idempotency-Key", none));
        HttpResponseMessage[] refused = [otherQuantity, otherCustomer, otherContent, otherId, noId, anId];
        Assert.That(refused.Select(response => (int)response.StatusCode), Is.All.EqualTo(409));
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((46L, 50L, 4L)));
    }

    [Test]
    public async Task Given_a_refused_order_when_repeated_with_its_key_after_restocking_then_it_is_placed()
    {
        string product = await Shop.ProductAsync(stock: 0);
        (string, string) key = ("Idempotency-Key", Guid.NewGuid().ToString());
        (HttpResponseMessage refused, _) = await SendAsync(Shop, Http.Order(product), key);
        await Shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 1 });
        (HttpResponseMessage placed, _) = await SendAsync(Shop, Http.Order(product), key);
        Assert.That(((int)refused.StatusCode, (int)placed.StatusCode), Is.EqualTo((409, 201)));
    }

    [TestCase("")]
    [TestCase("with space")]
    [TestCase("tab\there")]
    public async Task Given_a_key_that_is_none_then_400(string key)
    {
        (HttpResponseMessage response, string body) = await SendAsync(Shop, Http.Order("prod_0"),
            ("Idempotency-Key", key));
        Assert.That((int)response.StatusCode, Is.EqualTo(400), body);
    }

    [Test]
    public async Task Given_a_key_of_256_characters_then_400_and_of_255_then_it_is_taken()
    {
        string product = await Shop.ProductAsync(stock: 1);
        (HttpResponseMessage longer, _) = await SendAsync(Shop, Http.Order(product),
            ("Idempotency-Key", new string('k', 256)));
        (HttpResponseMessage most, _) = await SendAsync(Shop, Http.Order(product),
            ("Idempotency-Key", Guid.NewGuid().ToString("N").PadRight(255, '~')));
        Assert.That(((int)longer.StatusCode, (int)most.StatusCode), Is.EqualTo((400, 201)));
    }

    [Test]
    public async Task Given_keys_when_the_shop_restarts_then_they_still_answer()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (object body, (string, string)[] headers) = Request("prod_0", "both");
        (_, string order) = await SendAsync(shop, body, headers);
        (_, JsonNode? increase) = await shop.Inventory.PostAsync("/inventory/increase",
            new { product_id = "prod_0", quantity = 3 }, ("Idempotency-Key", "more"));
        await shop.RestartAsync();
        (HttpResponseMessage repeated, string replayed) = await SendAsync(shop, body, headers);
        (HttpResponseMessage again, JsonNode? increaseAgain) = await shop.Inventory.PostAsync("/inventory/increase",
            new { product_id = "prod_0", quantity = 3 }, ("Idempotency-Key", "more"));
        Assert.Multiple(() =>
        {
            Assert.That(replayed, Is.EqualTo(order));
            Assert.That(repeated.Header("Idempotency-Replayed"), Is.EqualTo("true"));
            Assert.That(JsonNode.DeepEquals(increaseAgain, increase));
            Assert.That(again.Header("Idempotency-Replayed"), Is.EqualTo("true"));
        });
        Assert.That((await shop.StockAsync("prod_0")).OnHand, Is.EqualTo(1_000_003));
    }

    private static (object Body, (string, string)[] Headers) Request(string product, string by)
    {
        var items = new[] { new { product_id = product, quantity = 1 } };
        object body = by == "key"
            ? new { customer_id = "c", items }
            : new { customer_id = "c", items, order_id = $"own-{Guid.NewGuid():N}" };
        return (body, by == "order_id" ? [] : [("Idempotency-Key", Guid.NewGuid().ToString())]);
    }

    private static async Task<(HttpResponseMessage Response, string Body)> SendAsync(
        ShopUnderTest shop, object body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/orders")
        {
            Content = System.Net.Http.Json.JsonContent.Create(body),
        };
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        HttpResponseMessage response = await shop.Orders.SendAsync(request);
        return (response, await response.Content.ReadAsStringAsync());
    }
}
