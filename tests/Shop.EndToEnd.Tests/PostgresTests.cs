using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>Several hosts on one PostgreSQL: each change once, whatever becomes of connections and hosts.</summary>
[NonParallelizable]
internal sealed class PostgresTests
{
    private string _address = null!;
    private string _directory = null!;

    [SetUp]
    public void CreateDatabase()
    {
        _directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        _address = PostgresCluster.Shared.DatabaseOf(_directory);
    }

    [TearDown]
    public void DropDatabase()
    {
        PostgresCluster.Shared.DropDatabaseOf(_directory);
        Assert.That(Directory.EnumerateFileSystemEntries(_directory), Is.Empty, "nothing is kept in files");
        Directory.Delete(_directory);
    }

    [TestCase(PostgresProxy.Cut.BeforeServer)]
    [TestCase(PostgresProxy.Cut.InTheMiddle)]
    [TestCase(PostgresProxy.Cut.BeforeClient)]
    public async Task Given_connections_that_are_cut_while_orders_and_stock_changes_go_on_then_each_is_made_once(
        PostgresProxy.Cut cut)
    {
        const int Clients = 12, Rounds = 12, EachNth = 9;
        int messages = 0;
        bool isCutting = false;
        await using var network = new PostgresProxy(_address,
            () => Volatile.Read(ref isCutting) && Interlocked.Increment(ref messages) % EachNth == 0 ? cut : null);
        await using ShopUnderTest one = await StartAsync(network.Address), other = await StartAsync(network.Address);
        ShopUnderTest[] hosts = [one, other];
        string[] products = [await one.ProductAsync(stock: 1000), await one.ProductAsync(stock: 1000)];
        foreach (string product in products) await HasStockAsync(other, product);
        Volatile.Write(ref isCutting, true);

        long added = 0;
        var placed = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async client =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                ShopUnderTest host = hosts[(client + round) % 2];
                // Without a key: a client that was told that it is done has changed the stock once.
                (HttpResponseMessage more, JsonNode? body) = await host.Inventory.PostAsync("/inventory/increase",
                    new { product_id = products[client % 2], quantity = 1 });
                Assert.That(more.StatusCode, Is.EqualTo(HttpStatusCode.OK), body?.ToJsonString());
                Interlocked.Increment(ref added);
                placed.Add(await PlaceAsync(host, Http.Order(products[(client + round) % 2])));
            }
        }));
        Volatile.Write(ref isCutting, false);
        Assert.That(network.Cuts, Is.GreaterThan(Clients), "connections were cut");

        await Eventually.IsSoAsync(
            async () => await CountAsync("SELECT count(*) FROM inventory.reservations WHERE NOT is_confirmed") == 0);
        Assert.Multiple(async () =>
        {
            Assert.That(placed.Distinct().Count(), Is.EqualTo(Clients * Rounds));
            Assert.That(await CountAsync("SELECT count(*) FROM inventory.reservations"),
                Is.EqualTo(Clients * Rounds), "reservations");
            Assert.That(await CountAsync(
                    "SELECT sum(on_hand)::bigint FROM inventory.stock WHERE product_id = ANY (@ids)", products),
                Is.EqualTo(2000 + added), "units on hand");
            Assert.That(await CountAsync(
                    "SELECT sum(reserved)::bigint FROM inventory.stock WHERE product_id = ANY (@ids)", products),
                Is.EqualTo(Clients * Rounds), "units reserved");
            Assert.That(await WrongLevelsAsync(), Is.Zero, "levels are the sums of their movements");
            await Eventually.IsSoAsync(async () =>
                (await Exposition.OfAsync(one.Inventory))["inventory_reservations_open"] == Clients * Rounds);
        });
    }

    [Test]
    public async Task Given_one_order_id_sent_to_two_hosts_at_once_then_there_is_one_order_and_both_answer_with_it()
    {
        await using ShopUnderTest one = await StartAsync(_address), other = await StartAsync(_address);
        string product = await one.ProductAsync(stock: 100);
        await HasStockAsync(other, product);
        for (int i = 0; i < 20; i++)
        {
            string id = Guid.CreateVersion7().ToString();
            var order = new
            {
                customer_id = "someone",
                order_id = id,
                items = new[] { new { product_id = product, quantity = 1 } },
            };
            string[] ids = await Task.WhenAll(PlaceAsync(one, order), PlaceAsync(other, order), PlaceAsync(one, order));
            Assert.That(ids, Is.All.EqualTo(id));
        }

        await Eventually.IsSoAsync(async () => (await one.StockAsync(product)).Reserved == 20);
        Assert.That(await WrongLevelsAsync(), Is.Zero);
    }

    [Test]
    public async Task Given_a_key_sent_to_two_hosts_at_once_then_the_stock_changes_once_and_both_have_the_same_answer()
    {
        await using ShopUnderTest one = await StartAsync(_address), other = await StartAsync(_address);
        string product = await one.ProductAsync(stock: 0);
        await HasStockAsync(other, product);
        for (int i = 1; i <= 20; i++)
        {
            var body = new { product_id = product, quantity = 1 };
            (HttpResponseMessage Response, JsonNode? Json)[] answers = await Task.WhenAll(
                one.Inventory.PostAsync("/inventory/increase", body, ("Idempotency-Key", $"key-{i}")),
                other.Inventory.PostAsync("/inventory/increase", body, ("Idempotency-Key", $"key-{i}")));
            Assert.That(answers.Select(answer => (answer.Response.StatusCode, (long)answer.Json!["new_stock_level"]!)),
                Is.All.EqualTo((HttpStatusCode.OK, (long)i)));
            Assert.That(answers.Count(answer => answer.Response.Header("Idempotency-Replayed") == "true"),
                Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Given_a_host_that_is_killed_after_it_has_reserved_then_another_releases_the_units()
    {
        // It releases what is older than this, and a second: by then the test has seen it.
        await using ShopUnderTest survivor = await StartAsync(_address, "Shop:RequestTimeout=4");
        string product = await survivor.ProductAsync(stock: 5);
        using (ShopProcess killed = await ShopProcess.StartAsync(_directory, [$"--ConnectionStrings:Shop={_address}"],
            ("SHOP_FAULT_POINT", "reserved:1")))
        {
            Assert.That(async () => await killed.Orders.PostAsync("/orders", Http.Order(product, 2)),
                Throws.InstanceOf<HttpRequestException>());
            Assert.That(await killed.ExitAsync(), Is.EqualTo(128 + 9));
        }

        Assert.That((await survivor.StockAsync(product)).Reserved, Is.EqualTo(2), "what it held is there");
        var time = Stopwatch.StartNew();
        await Eventually.IsSoAsync(async () => (await survivor.StockAsync(product)).Reserved == 0);
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)));
        Assert.That(await WrongLevelsAsync(), Is.Zero);
    }

    [Test]
    public async Task Given_a_database_that_is_away_then_writes_and_readiness_are_503_and_products_and_metrics_go_on()
    {
        var network = new PostgresProxy(_address, () => null);
        await using ShopUnderTest shop = await StartAsync(network.Address, "Shop:RequestTimeout=1");
        string product = await shop.ProductAsync(stock: 5);
        await network.DisposeAsync();
        Assert.Multiple(async () =>
        {
            (HttpResponseMessage write, _) = await shop.Inventory.PostAsync("/inventory/increase",
                new { product_id = product, quantity = 1 });
            Assert.That(write.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable), "a write");
            (HttpResponseMessage order, _) = await shop.Orders.PostAsync("/orders", Http.Order(product));
            Assert.That(order.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable), "an order");
            Assert.That((await shop.Orders.GetAsync("/health/ready")).StatusCode,
                Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That((await shop.Orders.GetAsync("/health/live")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That((await shop.Products.GetAsync($"/products/{product}")).StatusCode,
                Is.EqualTo(HttpStatusCode.OK));
            Assert.That((await shop.Inventory.GetAsync("/metrics")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        });
    }

    [TestCase("Host=127.0.0.1;Port=1;Keepalives=x", "ConnectionStrings:Shop is no connection string")]
    [TestCase("Database=shop", "names no Host")]
    [TestCase("{server};Database=no_such", "\"no_such\" does not exist")]
    [TestCase("postgres://shop:secret@db/shop", "write it as Host=…")]
    [TestCase("postgres://shop:secret@db/shop?sslmode=require", "write it as Host=…")]
    [TestCase("Host=db;Password=a;secret", "quotes around a value")]
    [TestCase("Host=db;Password=a;secret=b", "quotes around a value")]
    [TestCase("Host=db;Password=secret;Port=secret", "port can't have this value")]
    [TestCase("{server};Password=secret;Minimum Pool Size=5;Maximum Pool Size=1", "'Max Pool Size'")]
    public async Task Given_a_connection_string_that_is_wrong_then_the_start_says_so_in_one_line(
        string address, string expected)
    {
        string server = new NpgsqlConnectionStringBuilder(_address) { Database = null }.ConnectionString;
        using var shop = new ShopProcess(_directory,
            $"--ConnectionStrings:Shop={address.Replace("{server}", server, StringComparison.Ordinal)}");
        Assert.That(await shop.ExitAsync(), Is.EqualTo(1));
        Assert.That(shop.Log.Trim().Split('\n'), Has.Length.EqualTo(1), shop.Log);
        Assert.That(shop.Log, Does.Contain(expected).And.Not.Contain("secret"));
    }

    [Test]
    public async Task Given_hosts_that_start_together_on_an_empty_database_then_there_is_one_catalogue()
    {
        ShopUnderTest[] hosts =
            await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => StartAsync(_address, "Shop:DemoData=true")));
        await Eventually.IsSoAsync(async () => await CountAsync("SELECT count(*) FROM inventory.stock") == 200);
        Assert.That(await CountAsync("SELECT count(*) - count(DISTINCT product_id) FROM inventory.movements"),
            Is.Zero, "each opened once");
        foreach (ShopUnderTest host in hosts)
        {
            (HttpResponseMessage answer, _) = await host.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory?limit=1");
            Assert.That(answer.Header("X-Total-Count"), Is.EqualTo("200"));
            await host.DisposeAsync();
        }
    }

    [Test]
    public async Task Given_a_role_for_each_module_that_owns_its_schema_and_may_make_none_then_the_shop_works()
    {
        string[] modules = ["products", "orders", "inventory"];
        string database = new NpgsqlConnectionStringBuilder(_address).Database!;
        await using var source = NpgsqlDataSource.Create(_address + ";Pooling=false");
        async Task RunAsync(string sql)
        {
            foreach (string module in modules)
            {
                await using NpgsqlCommand command = source.CreateCommand(
                    sql.Replace("{role}", $"{database}_{module}", StringComparison.Ordinal)
                        .Replace("{module}", module, StringComparison.Ordinal));
                await command.ExecuteNonQueryAsync();
            }
        }

        await RunAsync("CREATE ROLE {role} LOGIN PASSWORD 'of-a-test'; CREATE SCHEMA {module} AUTHORIZATION {role}");
        try
        {
            await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
                ["Shop:DemoData=false", .. modules.Select(module =>
                $"ConnectionStrings:{module}=" + new NpgsqlConnectionStringBuilder(_address)
                {
                    Username = $"{database}_{module}",
                    Password = "of-a-test",
                })]);
            await PlaceAsync(shop, Http.Order(await shop.ProductAsync(stock: 5)));
        }
        finally
        {
            await RunAsync("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
        }
    }

    private static Task<ShopUnderTest> StartAsync(string address, params string[] settings) => ShopUnderTest.StartAsync(
        ["Shop:DemoData=false", "Shop:RequestTimeout=30", .. settings, $"ConnectionStrings:Shop={address}"]);

    // A request that failed may be repeated with its id.
    private static async Task<string> PlaceAsync(ShopUnderTest host, object order)
    {
        while (true)
        {
            (HttpResponseMessage answer, JsonNode? json) = await host.Orders.PostAsync("/orders", order);
            if (answer.StatusCode == HttpStatusCode.Created) return (string)json!["order_id"]!;
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable), json?.ToJsonString());
        }
    }

    private static Task HasStockAsync(ShopUnderTest host, string product) => Eventually.IsSoAsync(async () =>
    {
        (HttpResponseMessage stock, _) = await host.Inventory.SendJsonAsync(HttpMethod.Get, $"/inventory/{product}");
        (HttpResponseMessage sold, _) = await host.Products.SendJsonAsync(HttpMethod.Get, $"/products/{product}");
        return stock.IsSuccessStatusCode && sold.IsSuccessStatusCode;
    });

    private Task<long> WrongLevelsAsync() => CountAsync("""
        SELECT count(*) FROM inventory.stock s LEFT JOIN (
            SELECT product_id,
                sum(CASE kind WHEN 'received' THEN quantity WHEN 'removed' THEN -quantity
                    WHEN 'shipped' THEN -quantity ELSE 0 END) AS on_hand,
                sum(CASE kind WHEN 'reserved' THEN quantity WHEN 'released' THEN -quantity
                    WHEN 'shipped' THEN -quantity ELSE 0 END) AS reserved
            FROM inventory.movements GROUP BY product_id) m USING (product_id)
        LEFT JOIN (SELECT DISTINCT ON (product_id) product_id, on_hand, reserved
            FROM inventory.movements ORDER BY product_id, id DESC) last USING (product_id)
        WHERE (s.on_hand, s.reserved) IS DISTINCT FROM (coalesce(m.on_hand, 0), coalesce(m.reserved, 0))
            OR (s.on_hand, s.reserved) IS DISTINCT FROM (coalesce(last.on_hand, 0), coalesce(last.reserved, 0))
        """);

    private async Task<long> CountAsync(string sql, params string[] ids)
    {
        await using var source = NpgsqlDataSource.Create(_address + ";Pooling=false");
        await using NpgsqlCommand command = source.CreateCommand(sql);
        if (ids.Length > 0) command.Parameters.AddWithValue("ids", ids);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
