using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class OrdersContractTests(Engine engine) : EngineFixture(engine)
{
    private static ShopUnderTest Shop => SharedShop.Shop;

    [Test]
    public async Task Given_products_in_stock_when_ordered_then_201_with_the_shops_own_prices_and_the_units_are_held()
    {
        string dear = await Shop.ProductAsync(stock: 10, price: 19.99m);
        string cheap = await Shop.ProductAsync(stock: 10, price: 0.01m);
        (HttpResponseMessage response, JsonNode? order) = await Shop.Orders.PostAsync("/api/orders", new
        {
            customer_id = "Zoë",
            total_amount = 0.01,
            items = new object[]
            {
                new { product_id = dear, quantity = 3, unit_price = 0.01 },
                new { product_id = cheap, quantity = 1 },
                new { product_id = dear, quantity = 2.0 },
            },
        });
        string id = (string)order!["order_id"]!;
        JsonNode read = await Shop.Orders.GetJsonAsync($"/orders/{id}");
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(201));
            Assert.That(response.Header("Location"), Is.EqualTo($"/api/orders/{id}"));
            Assert.That(JsonNode.DeepEquals(order, read));
            Assert.That((string)order["customer_id"]!, Is.EqualTo("Zoë"));
            Assert.That((string)order["status"]!, Is.EqualTo("created"));
            Assert.That((decimal)order["total_amount"]!, Is.EqualTo(99.96m));
            Assert.That(order["items"]!.AsArray().Select(line => (decimal)line!["line_total"]!),
                Is.EqualTo([59.97m, 0.01m, 39.98m]));
            Assert.That(Guid.Parse(id).Version, Is.EqualTo(7));
        });
        Assert.That(await Shop.StockAsync(dear), Is.EqualTo((5L, 10L, 5L)));
        Assert.That(await Shop.StockAsync(cheap), Is.EqualTo((9L, 10L, 1L)));
    }

    [Test]
    public async Task Given_too_little_stock_when_ordered_then_409_names_each_short_line_and_nothing_is_held()
    {
        string plenty = await Shop.ProductAsync(stock: 10);
        string few = await Shop.ProductAsync(stock: 3);
        string none = await Shop.ProductAsync(stock: 0);
        (HttpResponseMessage response, JsonNode? problem) = await Shop.Orders.PostAsync("/orders", new
        {
            customer_id = "c",
            items = new[]
            {
                new { product_id = few, quantity = 2 }, new { product_id = plenty, quantity = 1 },
                new { product_id = few, quantity = 2 }, new { product_id = none, quantity = 1 },
            },
        });
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(409));
            Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key),
                Is.EquivalentTo(new[] { "items[0].quantity", "items[2].quantity", "items[3].quantity" }));
            Assert.That(problem["shortages"]!.AsArray()
                    .Select(row => ((string)row!["product_id"]!, (long)row["requested"]!, (long)row["available"]!)),
                Is.EquivalentTo(new[] { (few, 4L, 3L), (none, 1L, 0L) }));
        });
        foreach ((string product, long stock) in new[] { (plenty, 10L), (few, 3L), (none, 0L) })
            Assert.That(await Shop.StockAsync(product), Is.EqualTo((stock, stock, 0L)));
    }

    [Test]
    public async Task Given_one_unit_left_when_many_order_it_at_once_then_one_gets_it()
    {
        string product = await Shop.ProductAsync(stock: 1);
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(_ => Shop.Orders.PostAsync("/orders", Http.Order(product))));
        Assert.That(replies.Select(reply => (int)reply.Response.StatusCode).Order(),
            Is.EqualTo([201, .. Enumerable.Repeat(409, 31)]));
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((0L, 1L, 1L)));
    }

    [TestCase("""{"items":[{"product_id":"prod_0","quantity":1}]}""", "customer_id")]
    [TestCase("""{"customer_id":"c"}""", "items")]
    [TestCase("""{"customer_id":"c","items":[]}""", "items")]
    [TestCase("""{"customer_id":"c","items":{}}""", "items")]
    [TestCase("""{"customer_id":"c","items":[7]}""", "items[0]")]
    [TestCase("""{"customer_id":"c","items":[{"product_id":"prod_0","quantity":0}]}""", "items[0].quantity")]
    [TestCase("""{"customer_id":"c","items":[{"product_id":"prod_0","quantity":10001}]}""", "items[0].quantity")]
    [TestCase("""{"customer_id":"c","items":[{"product_id":"prod_0","quantity":1.5}]}""", "items[0].quantity")]
    [TestCase("""{"customer_id":"c","items":[{"product_id":"prod_0","quantity":"1"}]}""", "items[0].quantity")]
    [TestCase("""{"customer_id":"c","items":[{"quantity":1}]}""", "items[0].product_id")]
    [TestCase("""{"customer_id":"c","order_id":"a/b","items":[{"product_id":"prod_0","quantity":1}]}""", "order_id")]
    [TestCase(
        """{"customer_id":"","order_id":"","items":[{"product_id":"prod_0","quantity":1},"""
        + """{"product_id":3,"quantity":true}]}""",
        "customer_id,order_id,items[1].product_id,items[1].quantity")]
    public async Task Given_wrong_fields_when_ordered_then_400_names_each(string body, string fields)
    {
        (HttpResponseMessage response, JsonNode? problem) = await Shop.Orders.PostAsync("/orders", body);
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EquivalentTo(fields.Split(',')));
    }

    [Test]
    public async Task Given_101_items_when_ordered_then_400_and_with_100_then_201()
    {
        string product = await Shop.ProductAsync(stock: 1000);
        object Order(int items) =>
            new { customer_id = "c", items = Enumerable.Repeat(new { product_id = product, quantity = 1 }, items) };
        (HttpResponseMessage tooMany, _) = await Shop.Orders.PostAsync("/orders", Order(101));
        (HttpResponseMessage most, _) = await Shop.Orders.PostAsync("/orders", Order(100));
        Assert.That(((int)tooMany.StatusCode, (int)most.StatusCode), Is.EqualTo((400, 201)));
    }

    [Test]
    public async Task Given_unknown_products_when_ordered_then_422_names_each()
    {
        (HttpResponseMessage response, JsonNode? problem) = await Shop.Orders.PostAsync("/orders", new
        {
            customer_id = "c",
            items = new[] { new { product_id = "prod_0", quantity = 1 }, new { product_id = "ghost", quantity = 1 } },
        });
        Assert.That((int)response.StatusCode, Is.EqualTo(422));
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EqualTo(["items[1].product_id"]));
    }

    private static readonly string[] Verbs = ["pay", "ship", "deliver", "cancel"];

    private static readonly Dictionary<string, string[]> PathTo = new(StringComparer.Ordinal)
    {
        ["created"] = [],
        ["paid"] = ["pay"],
        ["shipped"] = ["pay", "ship"],
        ["delivered"] = ["pay", "ship", "deliver"],
        ["cancelled"] = ["cancel"],
    };

    private static readonly Dictionary<string, string> TargetOf = new(StringComparer.Ordinal)
    {
        ["pay"] = "paid",
        ["ship"] = "shipped",
        ["deliver"] = "delivered",
        ["cancel"] = "cancelled",
    };

    private static readonly (string From, string Verb)[] Allowed =
        [("created", "pay"), ("paid", "ship"), ("shipped", "deliver"), ("created", "cancel"), ("paid", "cancel")];

    [Test]
    public async Task Given_an_order_in_any_status_when_any_change_is_asked_then_it_is_done_repeated_or_refused_naming_both(
        [Values("created", "paid", "shipped", "delivered", "cancelled")] string from,
        [Values("pay", "ship", "deliver", "cancel")] string verb)
    {
        string product = await Shop.ProductAsync(stock: 5);
        string id = await Shop.OrderAsync(product, 2);
        foreach (string step in PathTo[from])
        {
            Assert.That((int)(await Shop.Orders.PostAsync($"/orders/{id}/{step}")).Response.StatusCode,
                Is.EqualTo(200));
        }

        JsonNode before = await Shop.Orders.GetJsonAsync($"/orders/{id}");

        (HttpResponseMessage response, JsonNode? answer) = await Shop.Orders.PostAsync($"/orders/{id}/{verb}");
        string target = TargetOf[verb];
        string expected = from;
        if (Allowed.Contains((from, verb)))
        {
            expected = target;
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
        }
        else if (from == target)
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
            Assert.That(JsonNode.DeepEquals(answer, before), "a repeat changes nothing");
        }
        else
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(409));
            Assert.That((string)answer!["error"]!, Does.Contain(from).And.Contain(target));
        }

        JsonArray events = (await Shop.Orders.GetJsonAsync($"/orders/{id}/events")).AsArray();
        string[] life = expected == from
            ? ["created", .. PathTo[from].Select(step => TargetOf[step])]
            : ["created", .. PathTo[from].Select(step => TargetOf[step]), target];
        Assert.That(events.Select(step => (string)step!["status"]!), Is.EqualTo(life));
        (long, long, long) stock = expected switch
        {
            "shipped" or "delivered" => (3, 3, 0),
            "cancelled" => (5, 5, 0),
            _ => (3, 5, 2),
        };
        Assert.That(await Shop.StockAsync(product), Is.EqualTo(stock));
    }

    [Test]
    public async Task Given_an_unknown_order_then_every_route_of_it_is_404()
    {
        Assert.That((int)(await Shop.Orders.SendJsonAsync(HttpMethod.Get, "/orders/ghost")).Response.StatusCode,
            Is.EqualTo(404));
        Assert.That((int)(await Shop.Orders.SendJsonAsync(HttpMethod.Get, "/orders/ghost/events")).Response.StatusCode,
            Is.EqualTo(404));
        foreach (string verb in Verbs)
            Assert.That((int)(await Shop.Orders.PostAsync($"/orders/ghost/{verb}")).Response.StatusCode,
                Is.EqualTo(404), verb);
    }

    [Test]
    public async Task Given_filters_when_listed_then_newest_first_with_paging_that_stands_while_orders_come_in()
    {
        string product = await Shop.ProductAsync(stock: 1000), other = await Shop.ProductAsync(stock: 1000);
        string customer = $"pager-{Guid.NewGuid():N}";
        var placed = new List<string>();
        for (int i = 0; i < 7; i++) placed.Add(await Shop.OrderAsync(i % 2 == 0 ? product : other, 1, customer));
        await Shop.Orders.PostAsync($"/orders/{placed[0]}/pay");

        var seen = new List<string>();
        string? next = $"/orders?customer_id={customer}&limit=2";
        while (next is not null)
        {
            using HttpResponseMessage response = await Shop.Orders.GetAsync(next);
            seen.AddRange(JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsArray()
                .Select(order => (string)order!["order_id"]!));
            next = response.NextPage();
            await Shop.OrderAsync(product, 1, customer);
        }

        Assert.That(seen, Is.EqualTo(Enumerable.Reverse(placed)));
        JsonArray paid = (await Shop.Orders.GetJsonAsync($"/orders?customer_id={customer}&status=paid")).AsArray();
        Assert.That(paid.Select(order => (string)order!["order_id"]!), Is.EqualTo([placed[0]]));
        using HttpResponseMessage ofOther = await Shop.Orders.GetAsync($"/orders?product_id={other}&limit=1");
        Assert.That(ofOther.Header("X-Total-Count"), Is.EqualTo("3"));
        using HttpResponseMessage all = await Shop.Orders.GetAsync("/orders?limit=1");
        double stored = (await Exposition.OfAsync(Shop.Orders)).Series.Count(
            series => series.StartsWith("orders_by_status", StringComparison.Ordinal));
        Assert.That((long.Parse(all.Header("X-Total-Count")!) >= 7, stored), Is.EqualTo((true, 5d)));
    }

    [TestCase("status=lost", "status")]
    [TestCase("after=zzz", "after")]
    [TestCase("limit=-1&customer_id=", "limit,customer_id")]
    [TestCase("page=2", "page")]
    public async Task Given_a_wrong_query_when_listed_then_400_names_each_parameter(string query, string names)
    {
        (HttpResponseMessage response, JsonNode? problem) = await Shop.Orders.SendJsonAsync(
            HttpMethod.Get, $"/orders?{query}");
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EquivalentTo(names.Split(',')));
    }
}
