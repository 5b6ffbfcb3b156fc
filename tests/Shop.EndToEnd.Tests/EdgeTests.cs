using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Shop.EndToEnd.Tests;

/// <summary>What is bounded in number, in size or in time, seen from outside: at its edge, and beyond it.</summary>
internal sealed class EdgeTests
{
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
        foreach ((string typed, string kept) in new[] { ("9999", "9999"), ("10000", "10000"), ("10001", "10000") })
        {
            Assert.That(
                await CountAsync(shop.Products, "/basket", $"value=\"{kept}\"", ("Cookie", $"basket=prod_0.{typed}")),
                Is.EqualTo(1), $"{typed} units");
        }
    }

    [TestCase(1000)]
    [TestCase(1001)]
    public async Task Given_books_with_many_differences_when_they_are_checked_then_a_thousand_are_named_and_the_rest_is_counted(
        int differences)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:DemoData=false");
        await shop.CloseAsync();
        await using (SqliteConnection products = Open(shop, "products", SqliteOpenMode.ReadWrite))
        {
            await using SqliteCommand insert = products.CreateCommand();
            insert.CommandText = """
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @differences)
                INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at)
                SELECT 'lost_' || i, 'Without a stock', '', 1, 'c', 1, 0, 0 FROM n
                """;
            insert.Parameters.AddWithValue("@differences", differences);
            await insert.ExecuteNonQueryAsync();
        }

        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={shop.DataDirectory}");
        string[] named = [.. output.Split('\n').Where(line => line.StartsWith("differs: ", StringComparison.Ordinal))];
        Assert.That((code, named.Count(line => line.Contains("lost_", StringComparison.Ordinal))),
            Is.EqualTo((1, 1000)), output);
        Assert.That(named.Skip(1000), Is.EqualTo(differences == 1000 ? [] : new[] { "differs: 1 more" }));
        Assert.That(output, Does.Contain($"differ in {differences} places"));
    }

    [Test]
    public async Task Given_keys_that_are_48_hours_old_when_an_hour_has_passed_then_no_file_has_them_and_not_before()
    {
        var clock = NewClock();
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
        await clock.PassAsync(TimeSpan.FromHours(48));
        await clock.UntilWaitingAsync(hour, timers: 3);
        await clock.PassAsync(hour - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1), timers: 3);
        Assert.That(Keys(), Is.EqualTo(new[] { 1, 1, 1 }));
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsSoAsync(() => Keys().All(keys => keys == 0));

        long[] Keys() => [.. new[] { "products", "orders", "inventory" }
            .Select(file => Number(shop, file, "SELECT count(*) FROM idempotency_keys"))];
    }

    [Test]
    public async Task Given_stock_that_moved_when_three_seconds_have_passed_then_its_row_is_written_and_not_before()
    {
        var clock = NewClock();
        var period = TimeSpan.FromSeconds(3);
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(clock), null);
        await clock.UntilWaitingAsync(period);
        await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 });
        await clock.PassAsync(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
        Assert.That(OnHand(), Is.Not.EqualTo(1_000_001));
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsSoAsync(() => OnHand() == 1_000_001);

        long OnHand() => Number(shop, "inventory", "SELECT on_hand FROM stock WHERE product_id = 'prod_0'");
    }

    [Test]
    public async Task Given_initial_stock_that_Inventory_does_not_have_when_a_second_has_passed_then_it_has_it_and_not_before()
    {
        ManualClock clock = NewClock();
        var period = TimeSpan.FromSeconds(1);
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null);
        // Of the products, and of the figures of each console.
        await clock.UntilWaitingAsync(period, timers: 4);
        await using (SqliteConnection products = Open(shop, "products", SqliteOpenMode.ReadWrite))
        {
            await using SqliteCommand insert = products.CreateCommand();
            insert.CommandText = """
                INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at,
                    unopened_stock)
                VALUES ('late', 'Late', '', 1, 'c', 1, 0, 0, 7)
                """;
            await insert.ExecuteNonQueryAsync();
        }

        await clock.PassAsync(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1), timers: 4);
        Assert.That((int)(await shop.Inventory.GetAsync("/inventory/late")).StatusCode, Is.EqualTo(404));
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsSoAsync(async () => (await shop.Inventory.GetAsync("/inventory/late")).IsSuccessStatusCode);
        Assert.That(await shop.StockAsync("late"), Is.EqualTo((7, 7, 0)));
    }

    [Test]
    public async Task Given_something_that_was_written_when_ten_seconds_have_passed_then_all_files_have_a_new_mark_and_not_before()
    {
        ManualClock clock = NewClock();
        var period = TimeSpan.FromSeconds(10);
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null);
        await clock.UntilWaitingAsync(period);
        long[] before = Marks();
        await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 });
        await clock.PassAsync(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
        Assert.That(Marks(), Is.EqualTo(before));
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsSoAsync(() => Marks().SequenceEqual(before.Select(generation => generation + 1)));

        long[] Marks() => [.. new[] { "products", "orders", "inventory" }
            .Select(file => Number(shop, file, "SELECT generation FROM book_mark"))];
    }

    [Test]
    public async Task Given_more_products_than_have_a_counter_from_the_start_then_a_start_makes_two_hundred()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        for (int products = 200; products <= 201; products++)
        {
            Exposition scraped = await Exposition.OfAsync(shop.Products);
            Assert.That(
                scraped.Series.Count(series => series.StartsWith("products_viewed_total", StringComparison.Ordinal)
                    && series != """products_viewed_total{product_id="other"}"""), Is.EqualTo(200));
            await shop.ProductAsync(stock: 0);
            await shop.RestartAsync();
        }
    }

    [Test]
    public async Task Given_an_order_that_has_become_old_when_five_minutes_have_passed_then_it_is_gone_and_not_before()
    {
        ManualClock clock = NewClock();
        var period = TimeSpan.FromMinutes(5);
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null, "Shop:OrderRetention=3");
        await clock.UntilWaitingAsync(period);
        DateTimeOffset tooEarly = clock.GetUtcNow() + TimeSpan.FromDays(3);
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        string order = await shop.OrderAsync("prod_0");
        await shop.Orders.PostAsync($"/orders/{order}/cancel");
        // An order stays until the stock is known to have followed it.
        while (Number(shop, "orders", "SELECT count(*) FROM pending_stock") > 0)
        {
            await clock.PassAsync(TimeSpan.FromMilliseconds(20));
            await Task.Delay(5);
        }

        await clock.PassAsync(tooEarly - clock.GetUtcNow());
        await clock.UntilWaitingAsync(period);
        await clock.PassAsync(period - TimeSpan.FromMilliseconds(1));
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
        Assert.That(Number(shop, "orders", "SELECT count(*) FROM orders"), Is.EqualTo(1));
        await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsSoAsync(() => Number(shop, "orders", "SELECT count(*) FROM orders") == 0);
    }

    // The shop has no times before 1970.
    private static ManualClock NewClock() => new() { Start = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero) };

    private static async Task<int> CountAsync(HttpClient client, string path, string mark,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", "text/html" } } };
        foreach ((string name, string value) in headers) request.Headers.Add(name, value);
        using HttpResponseMessage page = await client.SendAsync(request);
        return Regex.Count(await page.Content.ReadAsStringAsync(), Regex.Escape(mark), RegexOptions.None,
            TimeSpan.FromMinutes(1));
    }

    private static long Number(ShopUnderTest shop, string file, string sql)
    {
        using SqliteConnection connection = Open(shop, file, SqliteOpenMode.ReadOnly);
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant of this class
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteConnection Open(ShopUnderTest shop, string file, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(shop.DataDirectory, $"{file}.db"),
            Mode = mode,
            Pooling = false,
        }.ToString());
        connection.Open();
        return connection;
    }
}
