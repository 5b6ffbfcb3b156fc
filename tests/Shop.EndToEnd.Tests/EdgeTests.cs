using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Shop.EndToEnd.Tests;

/// <summary>What is bounded in number, in size or in time, seen from outside: at its edge, and beyond it.</summary>
internal sealed class EdgeTests
{
    private static ShopUnderTest Shop => SharedShop.Shop;

    [TestCase("orders", "/orders", """{"customer_id":"{text}","items":[{"product_id":"prod_0","quantity":1}]}""",
        "customer_id", 100)]
    [TestCase("orders", "/orders",
        """{"customer_id":"c","order_id":"{text}","items":[{"product_id":"prod_0","quantity":1}]}""", "order_id", 64)]
    [TestCase("orders", "/orders", """{"customer_id":"c","items":[{"product_id":"{text}","quantity":1}]}""",
        "items[0].product_id", 64)]
    [TestCase("products", "/products", """{"name":"{text}","price":1}""", "name", 200)]
    [TestCase("products", "/products", """{"name":"n","price":1,"description":"{text}"}""", "description", 2000)]
    [TestCase("products", "/products", """{"name":"n","price":1,"category":"{text}"}""", "category", 100)]
    [TestCase("products", "/products", """{"name":"n","price":1,"id":"{text}"}""", "id", 64)]
    [TestCase("inventory", "/inventory/increase", """{"product_id":"{text}","quantity":1}""", "product_id", 64)]
    [TestCase("inventory", "/inventory/decrease", """{"product_id":"{text}","quantity":1}""", "product_id", 64)]
    public async Task Given_a_text_then_it_may_be_as_long_as_the_contract_says_and_no_longer(string service,
        string path, string body, string field, int most)
    {
        foreach (int length in new[] { 1, most, most + 1 })
        {
            string text = string.Concat($"{Guid.NewGuid():N}{Guid.NewGuid():N}", new string('x', most))[..length];
            (HttpResponseMessage answer, JsonNode? json) = await Shop.ByName[service]
                .PostAsync(path, body.Replace("{text}", text, StringComparison.Ordinal));
            Assert.That(Wrong(answer, json), Is.EqualTo(length > most ? new[] { field } : []), $"{length} characters");
        }
    }

    [TestCase("products", "/products", """{"name":"n","price":{number}}""", "price", "0.01", "0.00")]
    [TestCase("products", "/products", """{"name":"n","price":{number}}""", "price", "1000000.00", "1000000.01")]
    [TestCase("products", "/products", """{"name":"n","price":1,"initial_stock":{number}}""", "initial_stock", "0",
        "-1")]
    [TestCase("products", "/products", """{"name":"n","price":1,"initial_stock":{number}}""", "initial_stock",
        "1000000000", "1000000001")]
    [TestCase("orders", "/orders", """{"customer_id":"c","items":[{"product_id":"prod_1","quantity":{number}}]}""",
        "items[0].quantity", "1", "0")]
    [TestCase("orders", "/orders", """{"customer_id":"c","items":[{"product_id":"prod_1","quantity":{number}}]}""",
        "items[0].quantity", "10000", "10001")]
    [TestCase("inventory", "/inventory/increase", """{"product_id":"prod_none","quantity_increased":{number}}""",
        "quantity_increased", "1", "0")]
    [TestCase("inventory", "/inventory/increase", """{"product_id":"prod_none","quantity_increased":{number}}""",
        "quantity_increased", "1000000000", "1000000001")]
    [TestCase("inventory", "/inventory/decrease", """{"product_id":"prod_none","quantity_decreased":{number}}""",
        "quantity_decreased", "1", "0")]
    [TestCase("inventory", "/inventory/decrease", """{"product_id":"prod_none","quantity_decreased":{number}}""",
        "quantity_decreased", "1000000000", "1000000001")]
    [TestCase("inventory", "/inventory/decrease", """{"product_id":"prod_none","quantity":{number}}""", "quantity",
        "1000000000", "1000000001")]
    public async Task Given_a_number_then_it_may_be_as_the_contract_says_and_not_beyond(string service, string path,
        string body, string field, string right, string wrong)
    {
        foreach (string number in new[] { right, wrong })
        {
            (HttpResponseMessage answer, JsonNode? json) = await Shop.ByName[service]
                .PostAsync(path, body.Replace("{number}", number, StringComparison.Ordinal));
            Assert.That(Wrong(answer, json), Is.EqualTo(number == wrong ? new[] { field } : []), number);
        }
    }

    [TestCase("products", "/products?q={0}", "q", 200)]
    [TestCase("products", "/products?category={0}", "category", 100)]
    [TestCase("orders", "/orders?customer_id={0}", "customer_id", 100)]
    [TestCase("orders", "/orders?product_id={0}", "product_id", 64)]
    public async Task Given_a_text_in_a_query_then_it_may_be_as_long_as_the_contract_says_and_no_longer(string service,
        string path, string field, int most)
    {
        foreach (int length in new[] { most, most + 1 })
        {
            (HttpResponseMessage answer, JsonNode? json) = await Shop.ByName[service]
                .SendJsonAsync(HttpMethod.Get, path.Replace("{0}", new string('x', length), StringComparison.Ordinal));
            Assert.That(Wrong(answer, json), Is.EqualTo(length > most ? new[] { field } : []), $"{length} characters");
        }
    }

    [TestCase("products", "/products")]
    [TestCase("orders", "/orders")]
    [TestCase("orders", "/orders?customer_id=someone")]
    [TestCase("inventory", "/inventory")]
    [TestCase("inventory", "/inventory/prod_0/movements")]
    public async Task Given_a_limit_then_a_page_has_1_to_1000_rows_and_100_if_it_is_not_said(string service,
        string path)
    {
        char sign = path.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        foreach ((string limit, bool isRight) in new[] { ("0", false), ("1", true), ("1000", true), ("1001", false) })
        {
            (HttpResponseMessage answer, JsonNode? json) = await Shop.ByName[service]
                .SendJsonAsync(HttpMethod.Get, $"{path}{sign}limit={limit}");
            Assert.That(Wrong(answer, json), Is.EqualTo(isRight ? [] : new[] { "limit" }), limit);
        }

        JsonArray all = (await Shop.ByName[service].GetJsonAsync($"{path}{sign}limit=1000")).AsArray(),
            page = (await Shop.ByName[service].GetJsonAsync(path)).AsArray();
        Assert.That(page, Has.Count.EqualTo(Math.Min(100, all.Count)));
    }

    [Test]
    public async Task Given_lists_of_as_many_rows_as_a_page_has_then_there_is_no_next_page_and_with_a_row_more_there_is_one_with_that_row()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:DemoData=false");
        string first = await shop.ProductAsync(stock: 9);
        for (int n = 0; n < 3; n++) await shop.ProductAsync(stock: 3);
        for (int n = 0; n < 4; n++) await shop.OrderAsync(first);
        (HttpClient Client, string Path, int Rows)[] lists =
        [
            (shop.Products, "/products?", 4), (shop.Products, "/products?q=thing&", 4),
            (shop.Products, "/products?sort=-price&", 4), (shop.Products, "/products?sort=name&min_price=1&", 4),
            (shop.Orders, "/orders?", 4), (shop.Orders, "/orders?status=created&", 4),
            (shop.Orders, "/orders?customer_id=someone&", 4), (shop.Orders, $"/orders?product_id={first}&", 4),
            (shop.Orders, $"/orders?product_id={first}&customer_id=someone&status=created&", 4),
            (shop.Inventory, "/inventory?", 4), (shop.Inventory, "/inventory?max_level=3&", 3),
            (shop.Inventory, $"/inventory/{first}/movements?", 5),
        ];
        foreach ((HttpClient client, string path, int rows) in lists)
        {
            foreach (int limit in new[] { rows - 1, rows, rows + 1 })
            {
                var pages = new List<JsonArray>();
                for (string? next = $"{path}limit={limit}"; next is not null;)
                {
                    (HttpResponseMessage page, JsonNode? json) = await client.SendJsonAsync(HttpMethod.Get, next);
                    pages.Add(json!.AsArray());
                    Assert.That(page.Header("X-Total-Count"), Is.EqualTo($"{rows}"), next);
                    next = page.NextPage();
                }

                Assert.That(pages.Select(page => page.Count), Is.EqualTo(limit < rows ? new[] { limit, 1 } : [rows]),
                    $"{path} by {limit}");
                Assert.That(pages.SelectMany(page => page).Select(row => row!.ToJsonString()), Is.Unique, path);
            }
        }
    }

    [TestCase(100, 200)]
    [TestCase(101, 431)]
    public async Task Given_headers_then_there_may_be_a_hundred(int headers, int status)
    {
        string more = string.Concat(Enumerable.Range(0, headers - 2).Select(n => $"X-{n}: x\r\n"));
        Assert.That(await AskAsync("/health/live", more), Is.EqualTo(status));
    }

    [TestCase(16_000, 200)]
    [TestCase(16_800, 431)]
    public async Task Given_headers_then_they_may_take_16_KiB(int bytes, int status)
    {
        // No header of them is longer than a line of the request may be.
        string more = string.Concat(Enumerable.Range(0, 10)
            .Select(n => $"X-{n}: {new string('x', (bytes - 100) / 10)}\r\n"));
        Assert.That(await AskAsync("/health/live", more), Is.EqualTo(status));
    }

    [TestCase(8_100, 404)]
    [TestCase(8_300, 414)]
    public async Task Given_the_line_of_a_request_then_it_may_take_8_KiB(int bytes, int status) =>
        Assert.That(await AskAsync($"/{new string('x', bytes)}", ""), Is.EqualTo(status));

    [Test]
    public async Task Given_a_watcher_that_missed_1024_orders_then_it_gets_each_and_after_one_more_it_is_told_to_begin_anew_with_the_newest_200()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string position = (string)(await EventsAsync(null))["id"]!;
        await Parallel.ForEachAsync(Enumerable.Range(0, 1024), new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (_, _) => await shop.OrderAsync("prod_0"));
        JsonArray missed = (await EventsAsync(position))["events"]!.AsArray();
        Assert.That(missed.Select(happened => (string)happened!["event"]!),
            Has.Exactly(1024).EqualTo("order").And.Exactly(1024).Items);
        Assert.That(missed.Select(happened => (string)happened!["data"]!["order_id"]!), Is.Unique);
        string newest = await shop.OrderAsync("prod_0");
        JsonArray anew = (await EventsAsync(position))["events"]!.AsArray();
        Assert.That(anew.Select(happened => (string)happened!["event"]!),
            Is.EqualTo(Enumerable.Repeat("order", 200).Prepend("reset")));
        Assert.That((string)anew[^1]!["data"]!["order_id"]!, Is.EqualTo(newest));

        async Task<JsonNode> EventsAsync(string? after)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/board/events?after={after}");
            request.Headers.Add("Accept", "application/json");
            using HttpResponseMessage response = await shop.Orders.SendAsync(request);
            return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        }
    }

    [Test]
    public async Task Given_more_rows_than_a_page_shows_then_it_shows_the_first_and_says_where_the_others_are()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await shop.Products.PostAsync(
            "/products", new { id = "moved", name = "Moved", price = 1, initial_stock = 1000 });
        for (int orders = 1; orders <= 51; orders++)
        {
            await shop.OrderAsync("moved");
            if (orders is not (49 or 50 or 51)) continue;
            Assert.That(await CountAsync(shop.Orders, "/", "<tr data-order-id="), Is.EqualTo(Math.Min(50, orders)),
                "orders");
            Assert.That(await CountAsync(shop.Inventory, "/stock/moved", "<tr><td>"),
                Is.EqualTo(Math.Min(50, orders + 1)), "movements");
        }

        Assert.That(await CountAsync(shop.Inventory, "/", "<tr><td>"), Is.EqualTo(100), "of 201 products");
        Assert.That((await CountAsync(shop.Products, "/", "<h2>"), await CountAsync(shop.Products, "/?page=8", "<h2>"),
            await CountAsync(shop.Products, "/?page=9", "<h2>")),
            Is.EqualTo((24, 24, 9)), "201 products");
        Assert.That((await CountAsync(shop.Products, "/?page=8", "rel=\"next\""),
            await CountAsync(shop.Products, "/?page=9", "rel=\"next\"")), Is.EqualTo((1, 0)));
        for (int products = 24; products <= 25; products++)
        {
            for (int n = products == 24 ? 0 : 24; n < products; n++)
                await shop.Products.PostAsync("/products", new { name = $"{n}", price = 1, category = "Edge" });
            Assert.That((await CountAsync(shop.Products, "/?category=Edge", "<h2>"),
                await CountAsync(shop.Products, "/?category=Edge", "rel=\"next\"")), Is.EqualTo((24, products - 24)));
        }

        string basket = string.Join('~', Enumerable.Range(0, 51).Select(n => $"prod_{n}.1"));
        Assert.That(await CountAsync(shop.Products, "/basket", "name=\"product_id\"", ("Cookie", $"basket={basket}")),
            Is.EqualTo(50), "lines of the basket");
    }

    [Test]
    public async Task Given_keys_that_are_48_hours_old_when_an_hour_has_passed_then_no_file_has_them_and_not_before()
    {
        var clock = new SteppedClock();
        var hour = TimeSpan.FromHours(1);
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(clock), null);
        await clock.UntilWaitingAsync(hour, timers: 3);
        foreach ((HttpClient client, string path, object body) in new (HttpClient, string, object)[]
            {
                (shop.Products, "/products", new { name = "n", price = 1 }),
                (shop.Orders, "/orders", Http.Order("prod_0")),
                (shop.Inventory, "/inventory/increase", new { product_id = "prod_0", quantity = 1 }),
            })
            Assert.That((await client.PostAsync(path, body, ("Idempotency-Key", "key"))).Response.IsSuccessStatusCode,
                Is.True, path);
        clock.Pass(TimeSpan.FromHours(48));
        await clock.UntilWaitingAsync(hour, timers: 3);
        clock.Pass(hour - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1), timers: 3);
        Assert.That(Keys(), Is.EqualTo(new[] { 1, 1, 1 }));
        clock.Pass(TimeSpan.FromMilliseconds(1));
        await UntilAsync(() => Keys().All(keys => keys == 0));

        long[] Keys() => [.. new[] { "products", "orders", "inventory" }
            .Select(file => Number(shop, file, "SELECT count(*) FROM idempotency_keys"))];
    }

    [Test]
    public async Task Given_stock_that_moved_when_three_seconds_have_passed_then_its_row_is_written_and_not_before()
    {
        var clock = new SteppedClock();
        var period = TimeSpan.FromSeconds(3);
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(clock), null);
        await clock.UntilWaitingAsync(period);
        await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 });
        clock.Pass(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
        Assert.That(OnHand(), Is.Not.EqualTo(1_000_001));
        clock.Pass(TimeSpan.FromMilliseconds(1));
        await UntilAsync(() => OnHand() == 1_000_001);

        long OnHand() => Number(shop, "inventory", "SELECT on_hand FROM stock WHERE product_id = 'prod_0'");
    }

    [Test]
    public async Task Given_an_order_that_has_become_old_when_five_minutes_have_passed_then_it_is_gone_and_not_before()
    {
        var clock = new SteppedClock();
        var period = TimeSpan.FromMinutes(5);
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null, "Shop:OrderRetention=3");
        await clock.UntilWaitingAsync(period);
        clock.Pass(TimeSpan.FromMilliseconds(1));
        string order = await shop.OrderAsync("prod_0");
        await shop.Orders.PostAsync($"/orders/{order}/cancel");
        clock.Pass(TimeSpan.FromDays(3) - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(period);
        clock.Pass(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
        Assert.That(Number(shop, "orders", "SELECT count(*) FROM orders"), Is.EqualTo(1));
        clock.Pass(TimeSpan.FromMilliseconds(1));
        await UntilAsync(() => Number(shop, "orders", "SELECT count(*) FROM orders") == 0);
    }

    private static IEnumerable<string> Wrong(HttpResponseMessage answer, JsonNode? json) =>
        answer.StatusCode == HttpStatusCode.BadRequest ? json!["errors"]!.AsObject().Select(error => error.Key) : [];

    private static async Task<int> AskAsync(string path, string headers)
    {
        Uri address = Shop.Orders.BaseAddress!;
        return RawHttp.Status(await RawHttp.SendAsync(
            address, $"GET {path} HTTP/1.1\r\nHost: {address.Authority}\r\nConnection: close\r\n{headers}\r\n"));
    }

    private static async Task<int> CountAsync(HttpClient client, string path, string mark,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", "text/html" } } };
        foreach ((string name, string value) in headers) request.Headers.Add(name, value);
        using HttpResponseMessage page = await client.SendAsync(request);
        return Regex.Count(await page.Content.ReadAsStringAsync(), Regex.Escape(mark), RegexOptions.None,
            TimeSpan.FromSeconds(1));
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!isSo()) await Task.Delay(10, patience.Token);
    }

    private static long Number(ShopUnderTest shop, string file, string sql)
    {
        string path = Path.Combine(shop.DataDirectory, $"{file}.db");
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False;Mode=ReadOnly");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant of this class
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }
}
