using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// PostgreSQL fails under hosts that work: what they answer meanwhile, and that they go on by themselves.
/// </summary>
[NonParallelizable]
[Category("CI")]
internal sealed class PostgresFailureTests : OwnClusterFixture
{
    private const int MaxConnections = 60;

    [Test]
    public async Task Given_a_primary_that_is_killed_under_load_and_a_synchronous_standby_that_is_promoted_then_nothing_acknowledged_is_lost_and_the_shop_goes_on()
    {
        const long Stock = 1_000_000;
        using PostgresCluster primary = PostgresCluster.StartOwn(), standby = primary.StartStandby();
        string both = PostgresCluster.WithStandby(primary.CreateDatabase(), standby);
        ShopProcess[] hosts = await Task.WhenAll(new[] { "one", "two" }.Select(name => ShopProcess.StartAsync(
            Directory.CreateDirectory(Path.Combine(Folder, name)).FullName,
                ["--Shop:DemoData=false", "--Shop:RequestTimeout=3", $"--ConnectionStrings:Shop={both}"])));
        try
        {
            string product = await hosts[0].ProductAsync(Stock);
            await Eventually.IsAsync(() => hosts[1].Inventory.CodeAsync($"/inventory/{product}"), 200);
            var acknowledged = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
            using var end = new CancellationTokenSource();
            Task<int> living = CountLivesAsync(hosts, end.Token);
            Task[] clients =
                [.. Enumerable.Range(0, 6)
                .Select(n => PlaceUntilAsync(hosts[n % 2], product, acknowledged, end.Token))];
            await Eventually.IsAsync(() => Task.FromResult(acknowledged.Count > 50), true);
            primary.Kill();
            foreach (ShopProcess host in hosts)
            {
                await Eventually.IsAsync(() => host.Orders.CodeAsync("/health/ready"), 503);
                Assert.That(await host.Products.CodeAsync($"/products/{product}"), Is.EqualTo(200), "from memory");
            }

            using (HttpResponseMessage ready = await hosts[0].Inventory.GetAsync("/health/ready"))
            {
                // Everybody may read it: the server, the role and the database are in the log alone.
                Assert.That(await ready.Content.ReadAsStringAsync(),
                    Does.Contain("The database can't be used").And.Not.Contain("shop-pg-").And.Not.Contain("postgres"));
            }

            Assert.That(hosts[0].Log, Does.Contain("The database can't be used: "));
            int before = acknowledged.Count;
            standby.Execute("SELECT pg_promote()");
            await Eventually.IsAsync(() => Task.FromResult(acknowledged.Count > before + 50), true);
            foreach (ShopProcess host in hosts)
                await Eventually.IsAsync(() => host.Orders.CodeAsync("/health/ready"), 200);
            await end.CancelAsync();
            await Task.WhenAll(clients);
            Assert.That(await living, Is.Positive);
            foreach (string id in acknowledged.Keys)
                Assert.That(await hosts[1].Orders.CodeAsync($"/orders/{id}"), Is.EqualTo(200), id);
            // What was not acknowledged is an order, or is given back.
            await Eventually.IsAsync(async () =>
            {
                (HttpResponseMessage list, _) = await hosts[0].Orders.SendJsonAsync(HttpMethod.Get, "/orders?limit=1");
                long orders = long.Parse(
                    list.Header("X-Total-Count")!, System.Globalization.CultureInfo.InvariantCulture);
                return await hosts[0].StockAsync(product) == (Stock - orders, Stock, orders);
            }, true);
        }
        finally
        {
            foreach (ShopProcess host in hosts) host.Dispose();
        }
    }

    [Test]
    public async Task Given_a_network_that_takes_50_ms_then_orders_take_longer_and_all_is_as_ever()
    {
        await using var network = new PostgresProxy(Address, () => null) { Delay = TimeSpan.FromMilliseconds(50) };
        await using ShopUnderTest shop = await StartAsync(network.Address, "Shop:RequestTimeout=30");
        string product = await shop.ProductAsync(100);
        await Eventually.IsAsync(() => shop.Inventory.CodeAsync($"/inventory/{product}"), 200);
        string[] ids = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => shop.OrderAsync(product)));
        Assert.That(
            (await shop.Orders.PostAsync($"/orders/{ids[0]}/cancel")).Response.StatusCode,
            Is.EqualTo(HttpStatusCode.OK));
        await Eventually.IsAsync(() => shop.StockAsync(product), (61L, 100L, 39L));
        Assert.That(await shop.Orders.CodeAsync("/health/ready"), Is.EqualTo(200));
    }

    [Test]
    public async Task Given_a_table_that_somebody_has_locked_then_what_needs_it_is_503_and_goes_on_once_it_is_free()
    {
        await using ShopUnderTest shop = await StartAsync(Address, "Shop:RequestTimeout=1");
        string product = await shop.ProductAsync(5);
        await Eventually.IsAsync(() => shop.Inventory.CodeAsync($"/inventory/{product}"), 200);
        await using (var somebody = new NpgsqlConnection($"{Address};Pooling=false"))
        {
            await somebody.OpenAsync();
            await RunAsync(somebody, "BEGIN; LOCK TABLE inventory.stock IN ACCESS EXCLUSIVE MODE");
            Assert.That(
                (int)(await shop.Orders.PostAsync("/orders", Http.Order(product))).Response.StatusCode,
                Is.EqualTo(503));
            Assert.That(await shop.Products.CodeAsync($"/products/{product}"), Is.EqualTo(200));
            Assert.That(await shop.Orders.CodeAsync("/orders"), Is.EqualTo(200), "reads of other tables");
            Assert.That(await shop.Orders.CodeAsync("/health/live"), Is.EqualTo(200));
            await RunAsync(somebody, "ROLLBACK");
        }

        await Eventually.IsAsync(
            async () => (int)(await shop.Orders.PostAsync("/orders", Http.Order(product))).Response.StatusCode, 201);
        await Eventually.IsAsync(() => shop.StockAsync(product), (4L, 5L, 1L));
    }

    [Test]
    public async Task Given_more_reads_than_connections_that_wait_for_a_locked_table_then_the_service_is_ready_and_takes_orders()
    {
        await using ShopUnderTest shop = await StartAsync(Address, "Shop:RequestTimeout=30");
        string product = await shop.ProductAsync(5);
        await Eventually.IsAsync(() => shop.Inventory.CodeAsync($"/inventory/{product}"), 200);
        string id = await shop.OrderAsync(product);
        Task<int[]> reads;
        await using (var somebody = new NpgsqlConnection($"{Address};Pooling=false"))
        {
            await somebody.OpenAsync();
            await RunAsync(somebody, "BEGIN; LOCK TABLE orders.order_events IN ACCESS EXCLUSIVE MODE");
            reads = Task.WhenAll(Enumerable.Range(0, 14).Select(_ => shop.Orders.CodeAsync($"/orders/{id}/events")));
            // pg_stat_activity would stay as this transaction saw it first.
            await using NpgsqlCommand waiting = new("""
                SELECT count(*) > 3 FROM pg_locks WHERE relation = 'orders.order_events'::regclass AND NOT granted
                """, somebody);
            await Eventually.IsAsync(async () => (bool)(await waiting.ExecuteScalarAsync())!, true);
            Assert.That(await shop.Orders.CodeAsync("/health/ready"), Is.EqualTo(200));
            await shop.OrderAsync(product);
            Assert.That(reads.IsCompleted, Is.False);
            await RunAsync(somebody, "ROLLBACK");
        }

        Assert.That(await reads, Is.All.EqualTo(200));
    }

    [Test]
    public async Task Given_connections_that_somebody_has_used_up_then_writes_and_readiness_are_503_and_go_on_once_some_are_free()
    {
        await using ShopUnderTest shop = await StartAsync(Address, "Shop:RequestTimeout=1");
        string product = await shop.ProductAsync(5);
        await Eventually.IsAsync(() => shop.Inventory.CodeAsync($"/inventory/{product}"), 200);
        var somebody = new List<NpgsqlConnection>();
        try
        {
            await TakeConnectionsAsync(somebody);
            // Those of the shop end, until it gets no others.
            await Eventually.IsAsync(async () =>
            {
                await RunAsync(somebody[0], "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    + "WHERE datname = current_database() AND application_name LIKE 'shop-%'");
                await TakeConnectionsAsync(somebody);
                return somebody.Count;
            }, MaxConnections);
            Assert.That(
                (int)(await shop.Orders.PostAsync("/orders", Http.Order(product))).Response.StatusCode,
                Is.EqualTo(503));
            Assert.That(await shop.Orders.CodeAsync("/health/ready"), Is.EqualTo(503));
            Assert.That(await shop.Orders.CodeAsync("/health/live"), Is.EqualTo(200));
            Assert.That(await shop.Products.CodeAsync($"/products/{product}"), Is.EqualTo(200));
            Assert.That(await shop.Products.CodeAsync("/metrics"), Is.EqualTo(200));
        }
        finally
        {
            foreach (NpgsqlConnection connection in somebody) await connection.DisposeAsync();
        }

        await Eventually.IsAsync(
            async () => (int)(await shop.Orders.PostAsync("/orders", Http.Order(product))).Response.StatusCode, 201);
        await Eventually.IsAsync(() => shop.Orders.CodeAsync("/health/ready"), 200);
        await Eventually.IsAsync(() => shop.StockAsync(product), (4L, 5L, 1L));
    }

    private static Task<ShopUnderTest> StartAsync(string address, params string[] settings) =>
        ShopUnderTest.StartAsync(["Shop:DemoData=false", .. settings, $"ConnectionStrings:Shop={address}"]);

    protected override PostgresCluster Start() => PostgresCluster.StartOwn($"max_connections={MaxConnections}");

    private static async Task PlaceUntilAsync(
        ShopProcess host, string product, ConcurrentDictionary<string, bool> acknowledged, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            string id = Guid.NewGuid().ToString("N");
            (HttpResponseMessage response, JsonNode? answer) = await host.PlaceAsync(product, 1, id);
            using (response)
            {
                Assert.That((int)response.StatusCode, Is.EqualTo(201).Or.EqualTo(503), answer?.ToJsonString());
                if ((int)response.StatusCode == 201) acknowledged[id] = true;
            }
        }
    }

    private static async Task<int> CountLivesAsync(ShopProcess[] hosts, CancellationToken end)
    {
        int lives = 0;
        for (; !end.IsCancellationRequested; lives++)
        {
            foreach (ShopProcess host in hosts)
                Assert.That(await host.Orders.CodeAsync("/health/live"), Is.EqualTo(200));
            await Task.Delay(20, CancellationToken.None);
        }

        return lives;
    }

    /// <summary>Takes connections until there are no more.</summary>
    private async Task TakeConnectionsAsync(List<NpgsqlConnection> taken)
    {
        while (true)
        {
            var connection = new NpgsqlConnection($"{Address};Pooling=false");
            try
            {
                await connection.OpenAsync();
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.TooManyConnections)
            {
                await connection.DisposeAsync();
                return;
            }

            taken.Add(connection);
        }
    }

    private static async Task<object?> RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
