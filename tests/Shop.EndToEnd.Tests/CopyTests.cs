using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>The verb <c>copy</c>: a shop moves from files to PostgreSQL and back, with all that it has.</summary>
[NonParallelizable]
[Category("CI")]
internal sealed class CopyTests
{
    private string _address = null!;
    private string _directory = null!;
    private string _back = null!;

    [SetUp]
    public void CreateDatabase()
    {
        _directory = Directory.CreateTempSubdirectory("shop-copy-").FullName;
        _back = Path.Combine(_directory, "back");
        _address = PostgresCluster.Shared.DatabaseOf(_directory);
    }

    [TearDown]
    public void DropDatabase()
    {
        PostgresCluster.Shared.DropDatabaseOf(_directory);
        Directory.Delete(_directory, recursive: true);
    }

    [Test]
    public async Task Given_a_shop_with_orders_in_every_state_when_it_is_copied_there_and_back_then_it_answers_as_before_and_goes_on()
    {
        (Dictionary<string, string> before, string product, string held) = await FillAsync();
        await CopyAsync("--from", _directory, "--to", _address);
        await using (ShopUnderTest moved = await OpenDatabaseAsync())
        {
            Assert.That(await AnswersAsync(moved), Is.EqualTo(before));
            await GoesOnAsync(moved, product, held);
            before = await AnswersAsync(moved);
        }

        Assert.That(
            (await RunAsync("--from", _directory, "--to", _address)).Output,
            Does.Contain("is not empty: it has rows in"));
        await CopyAsync("--from", _address, "--to", _back);
        await using ShopUnderTest back = await OpenFilesAsync(_back);
        Assert.That(await AnswersAsync(back), Is.EqualTo(before));
        string placed = await back.OrderAsync(product);
        await GoesOnAsync(back, product, placed);
        await back.StopAsync();
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_back}");
        await back.RestartAsync(isRunning: false);
        Assert.That(code, Is.Zero, output);
    }

    [Test]
    public async Task Given_movements_that_were_summed_up_when_a_shop_is_copied_there_and_back_then_sums_and_numbers_go_on()
    {
        string product, sums;
        var clock = new MovableClock();
        await using (ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), _directory, "Shop:DemoData=false",
            "Shop:OrderRetention=3"))
        {
            product = await shop.ProductAsync(stock: 50);
            string shipped = await shop.OrderAsync(product, 7), cancelled = await shop.OrderAsync(product, 4);
            foreach (string step in new[] { "pay", "ship", "deliver" })
                await shop.Orders.PostAsync($"/orders/{shipped}/{step}");
            await shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
            await Eventually.IsSoAsync(async () => await shop.StockAsync(product) == (43, 43, 0));
            clock.Move(TimeSpan.FromDays(4));
            await shop.RestartAsync();
            // Received, reserved twice, shipped and released.
            await Eventually.IsSoAsync(async () =>
                (await Exposition.OfAsync(shop.Inventory))["inventory_movements_deleted_total"] == 5);
            sums = await MovementsAsync(shop);
            Assert.That(sums, Does.Contain("\"opening\",\"quantity\":43,").And.Not.Contain("reserved\",\"quantity"));
        }

        await CopyAsync("--from", _directory, "--to", _address);
        await using (ShopUnderTest moved = await OpenDatabaseAsync()) await GoesOnAsync(moved, "6");
        await CopyAsync("--from", _address, "--to", _back);
        await using ShopUnderTest back = await OpenFilesAsync(_back);
        await GoesOnAsync(back, "7");

        Task<string> MovementsAsync(ShopUnderTest shop) =>
            shop.Inventory.GetStringAsync($"/inventory/{product}/movements");

        async Task GoesOnAsync(ShopUnderTest shop, string next)
        {
            Assert.That(await MovementsAsync(shop), Is.EqualTo(sums));
            await shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 1 });
            sums = await MovementsAsync(shop);
            Assert.That((string)JsonNode.Parse(sums)![0]!["id"]!, Is.EqualTo(next), "no number is used twice");
        }
    }

    [Test]
    public async Task Given_reservations_whose_movements_are_mixed_then_files_have_each_in_one_piece_and_the_books_agree()
    {
        await using (ShopUnderTest shop = await OpenDatabaseAsync())
        {
            string[] products =
                [await shop.ProductAsync(10), await shop.ProductAsync(10), await shop.ProductAsync(10),
                await shop.ProductAsync(10)];
            await shop.Orders.PostAsync("/orders", Order(products[0], products[1]));
            await shop.Orders.PostAsync("/orders", Order(products[2], products[3]));
        }

        // As two hosts would write them at the same time, with a number that was lost between them.
        await SqlAsync("""
            ALTER TABLE inventory.movements ALTER id DROP IDENTITY;
            UPDATE inventory.movements SET id = CASE id WHEN 6 THEN 17 WHEN 7 THEN 16 ELSE 10 + id END WHERE id >= 5;
            ALTER TABLE inventory.movements ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 19)
            """);
        await CopyAsync("--from", _address, "--to", _back);
        await using ShopUnderTest back = await OpenFilesAsync(_back);
        foreach (JsonNode? order in (await back.Orders.GetJsonAsync("/orders")).AsArray())
            Assert.That(
                (await back.Orders.PostAsync($"/orders/{order!["order_id"]}/cancel")).Response.StatusCode,
                Is.EqualTo(HttpStatusCode.OK));
        foreach (JsonNode? stock in (await back.Inventory.GetJsonAsync("/inventory")).AsArray())
            Assert.That((long)stock!["reserved"]!, Is.Zero);
    }

    [Test]
    public async Task Given_a_shop_that_was_killed_between_a_change_and_its_stock_then_the_stock_follows_where_it_was_copied_to()
    {
        string product;
        using (ShopProcess killed = await ShopProcess.StartAsync(_directory, ["--Shop:DemoData=false"],
            ("SHOP_FAULT_POINT", "status-changed:1")))
        {
            product = await killed.ProductAsync(5);
            string id = (string)(await killed.PlaceAsync(product, 2)).Json!["order_id"]!;
            Assert.That(
                async () => await killed.Orders.PostAsync($"/orders/{id}/cancel"),
                Throws.InstanceOf<HttpRequestException>());
            await killed.ExitAsync();
        }

        await CopyAsync("--from", _directory, "--to", _address);
        await using ShopUnderTest moved = await OpenDatabaseAsync();
        await Eventually.IsSoAsync(async () => await moved.StockAsync(product) == (5, 5, 0));
    }

    [Test]
    public async Task Given_a_copy_of_which_a_file_is_missing_when_started_then_it_is_found_out_and_nothing_is_changed()
    {
        await using (ShopUnderTest shop = await OpenDatabaseAsync()) await shop.OrderAsync(await shop.ProductAsync(5));
        await CopyAsync("--from", _address, "--to", _back);
        foreach (string missing in new[] { "products.db", "orders.db", "inventory.db" })
        {
            string rest = Directory.CreateDirectory(Path.Combine(_directory, $"without-{missing}")).FullName;
            foreach (string file in Directory.GetFiles(_back, "*.db").Where(path => Path.GetFileName(path) != missing))
                File.Copy(file, Path.Combine(rest, Path.GetFileName(file)));
            await using ShopUnderTest shop = await OpenFilesAsync(rest);
            (HttpResponseMessage ready, JsonNode? health) =
                await shop.Orders.SendJsonAsync(HttpMethod.Get, "/health/ready");
            Assert.That((int)ready.StatusCode, Is.EqualTo(503));
            Assert.That((string)health!["checks"]!["books"]!["description"]!, Does.Contain($"{missing} is missing"));
        }
    }

    [Test]
    public async Task Given_a_shop_that_runs_then_its_data_is_not_copied_and_the_line_says_so()
    {
        await using (ShopUnderTest files = await OpenFilesAsync(_back))
            await FailsAsync("is in use by another shop", "--from", _back, "--to", _address);
        await using ShopUnderTest database = await OpenDatabaseAsync();
        await FailsAsync("stop all hosts first", "--from", _address, "--to", Path.Combine(_directory, "new"));
        await FailsAsync("stop all hosts first", "--from", _back, "--to", _address);
    }

    [Test]
    public async Task Given_a_copy_that_fails_in_the_middle_then_the_target_has_nothing_of_it_and_the_line_says_why()
    {
        await FillAsync();
        await CopyAsync("--from", _directory, "--to", _address);
        await SqlAsync("UPDATE orders.order_counts SET orders = orders + 1 WHERE status = 'created'");
        await FailsAsync("order_counts of orders is not the same in the copy", "--from", _address, "--to", _back);
        await SqlAsync("UPDATE orders.order_counts SET orders = orders - 1 WHERE status = 'created'");
        await SqlAsync("UPDATE inventory.stock SET on_hand = on_hand + 1 WHERE product_id = 'prod_0'");
        await FailsAsync("the books of the files differ", "--from", _address, "--to", _back);
        Assert.That(
            Directory.EnumerateFileSystemEntries(_back).Select(Path.GetFileName), Is.EqualTo(new[] { "shop.lock" }));

        await SqlAsync("TRUNCATE orders.orders, orders.order_lines, orders.order_events, orders.pending_stock, "
            + "orders.idempotency_keys, orders.reservations, orders.order_counts");
        await SqlAsync("TRUNCATE products.products, products.idempotency_keys, inventory.stock, "
            + "inventory.opening_balances, inventory.idempotency_keys, inventory.reservation_changes");
        await FailsAsync("it has rows in movements", "--from", _directory, "--to", _address);
        await SqlAsync("TRUNCATE inventory.movements, inventory.reservations");
        await SqlAsync("ALTER TABLE orders.order_events ADD CHECK (status <> 'shipped')");
        await FailsAsync("violates check constraint", "--from", _directory, "--to", _address);
        foreach (string table in new[]
        {
            "products.products", "inventory.stock", "inventory.movements", "orders.orders", "orders.order_counts",
        })
        {
            Assert.That(await SqlAsync($"SELECT count(*) FROM {table}"), Is.Zero, table);
        }
    }

    [TestCase("from where and to where", "--from", "data")]
    [TestCase("one of --from and --to is a data directory", "--from", "data", "--to", "other")]
    [TestCase("does not exist", "--from", "no-such-directory", "--to", "Host=localhost")]
    [TestCase("ConnectionStrings:Shop is no connection string", "--from", "data", "--to", "Nonsense=x")]
    [TestCase("ConnectionStrings:Shop is no connection string", "--from", "data", "--to",
        "postgres://shop:secret@db/shop")]
    [TestCase("ConnectionStrings:Shop is no connection string", "--from",
        "postgres://shop:secret@db/shop", "--to", "data")]
    public async Task Given_arguments_that_make_no_sense_then_one_line_says_which(
        string expected, params string[] arguments) =>
        await FailsAsync(expected, arguments);

    /// <summary>A shop in files with orders in every state, products that were changed and deleted, and keys.</summary>
    private async Task<(Dictionary<string, string> Answers, string Product, string Held)> FillAsync()
    {
        await using ShopUnderTest shop = await OpenFilesAsync(_directory);
        string product = await shop.ProductAsync(5000), other = await shop.ProductAsync(50),
            gone = await shop.ProductAsync(3);
        var change = new { name = "Größe ’\U0001F600'", price = 12.34m, description = "", category = "Ä" };
        await shop.OrderAsync(other);
        await shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{other}", change);
        await shop.Products.DeleteAsync($"/products/{gone}");
        string[][] lives = [[], ["pay"], ["pay", "ship"], ["pay", "ship", "deliver"], ["cancel"], ["pay", "cancel"]];
        // More than one segment of orders and of movements.
        string[] ids = await Task.WhenAll(
            Enumerable.Range(0, 1100).Select(n => shop.OrderAsync(product, 1 + (n % 3), $"customer {n % 7}")));
        for (int n = 0; n < 30; n++)
        {
            foreach (string verb in lives[n % lives.Length])
                await shop.Orders.PostAsync($"/orders/{ids[n]}/{verb}", null, ("Idempotency-Key", $"{verb}-{n}"));
        }

        await shop.Orders.PostAsync("/orders", Order(product, other), ("Idempotency-Key", "placed"));
        await shop.Inventory.PostAsync(
            "/inventory/increase", new { product_id = product, quantity = 3 }, ("Idempotency-Key", "more"));
        await shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 2 });
        return (await AnswersAsync(shop), product, ids[^1]);
    }

    /// <summary>What all reads answer, by their paths.</summary>
    private static async Task<Dictionary<string, string>> AnswersAsync(ShopUnderTest shop)
    {
        var answers = new Dictionary<string, string>(StringComparer.Ordinal);
        async Task<List<JsonNode>> AllAsync(HttpClient client, string path)
        {
            var rows = new List<JsonNode>();
            for (string? page = path; page is not null;)
            {
                (HttpResponseMessage response, JsonNode? json) = await client.SendJsonAsync(HttpMethod.Get, page);
                Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), page);
                rows.AddRange(json!.AsArray().Select(row => row!));
                answers[path] =
                    $"{response.Header("X-Total-Count")}: {string.Join('\n', rows.Select(row => row.ToJsonString()))}";
                page = response.NextPage();
            }

            return rows;
        }

        // The stock follows a change of an order soon.
        await Eventually.IsSoAsync(
            async () => (await AllAsync(shop.Inventory, "/inventory?limit=1000")).Sum(stock => (long)stock["reserved"]!)
            == (await AllAsync(shop.Orders, "/orders?limit=1000"))
                .Where(order => (string)order["status"]! is "created" or "paid")
                .SelectMany(order => order["items"]!.AsArray()).Sum(item => (long)item!["quantity"]!));
        foreach (JsonNode product in await AllAsync(shop.Products, "/products?limit=1000"))
            await AllAsync(shop.Inventory, $"/inventory/{product["id"]}/movements?limit=1000");
        List<JsonNode> orders = await AllAsync(shop.Orders, "/orders?limit=1000");
        foreach (JsonNode order in orders.Where(order => (string)order["status"]! != "created").Take(40))
            await AllAsync(shop.Orders, $"/orders/{order["order_id"]}/events");
        for (int n = 0; n < 7; n++) await AllAsync(shop.Orders, $"/orders?customer_id=customer {n}&limit=1000");
        foreach (string status in new[] { "created", "paid", "shipped", "delivered", "cancelled" })
            await AllAsync(shop.Orders, $"/orders?status={status}&limit=1000");
        return answers;
    }

    private static async Task GoesOnAsync(ShopUnderTest shop, string product, string held)
    {
        (HttpResponseMessage replayed, JsonNode? more) = await shop.Inventory.PostAsync(
            "/inventory/increase", new { product_id = product, quantity = 3 }, ("Idempotency-Key", "more"));
        Assert.That(replayed.Header("Idempotency-Replayed"), Is.EqualTo("true"), more?.ToJsonString());
        string[] placed = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => shop.OrderAsync(product)));
        foreach (string id in new[] { held, placed[0] })
        {
            foreach (string verb in new[] { "pay", "ship" })
                Assert.That(
                    (await shop.Orders.PostAsync($"/orders/{id}/{verb}")).Response.StatusCode,
                    Is.EqualTo(HttpStatusCode.OK));
        }

        string next = await shop.ProductAsync(1);
        JsonNode newest = (await shop.Orders.GetJsonAsync("/orders?limit=20"));
        Assert.That(
            newest.AsArray().Select(order => (string)order!["order_id"]!), Is.EquivalentTo(placed),
            "the newest orders");
        await Eventually.IsSoAsync(
            async () => (await shop.Inventory.GetAsync($"/inventory/{next}")).IsSuccessStatusCode);
    }

    private static object Order(string one, string other) => new
    {
        customer_id = "someone",
        items = new[] { new { product_id = one, quantity = 2 }, new { product_id = other, quantity = 1 } },
    };

    private static Task<(int Code, string Output)> RunAsync(params string[] arguments) =>
        ShopVerb.RunAsync(["copy", .. arguments]);

    private static async Task CopyAsync(params string[] arguments)
    {
        (int code, string output) = await RunAsync(arguments);
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Contain("the books of the files agree").And.Contain("orders: the copy has the same"));
    }

    private static async Task FailsAsync(string expected, params string[] arguments)
    {
        (int code, string output) = await RunAsync(arguments);
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output.Trim().Split('\n')[^1], Does.StartWith("Shop.Host copy: ").And.Contain(expected));
        Assert.That(output, Does.Not.Contain("secret"));
    }

    private static Task<ShopUnderTest> OpenFilesAsync(string directory) =>
        ShopUnderTest.StartAsync(replace: null, directory, "Shop:DemoData=false");

    private Task<ShopUnderTest> OpenDatabaseAsync() =>
        ShopUnderTest.StartAsync(["Shop:DemoData=false", $"ConnectionStrings:Shop={_address}"]);

    private async Task<object?> SqlAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_address + ";Pooling=false");
        await using NpgsqlCommand command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}
