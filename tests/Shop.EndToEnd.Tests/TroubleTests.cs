using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Trouble on demand, through HTTP: who may make it, where it is seen, what it does, and that it ends.
/// </summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class TroubleTests(Engine engine) : EngineFixture(engine)
{
    private static readonly string[] Names =
    [
        "slow_commits", "failing_commits", "slow_answers", "failing_answers", "inventory_down", "stock_runs_out",
        "locked_table", "slow_network", "busy_processor", "memory_leak", "starved_threads", "flash_crowd",
            "hostile_client", "crash",
    ];

    // Whatever a test can't do to its own process has a process of its own, in Shop.Faults.Tests.
    private static readonly string[] Harmless =
        [.. Names.Except(["crash", "starved_threads", "memory_leak", "locked_table", "slow_network"])];

    [Test]
    public async Task Given_a_shop_then_each_port_lists_the_same_faults_off_and_within_their_bounds()
    {
        string[] lists = await Task.WhenAll(SharedShop.Shop.ByName.Values.Select(async client =>
            (await client.GetJsonAsync("/faults")).ToJsonString()));
        Assert.That(lists.Distinct().Count(), Is.EqualTo(1));
        JsonArray faults = JsonNode.Parse(lists[0])!.AsArray();
        Assert.That(faults.Select(fault => (string)fault!["name"]!), Is.EquivalentTo(Names));
        foreach (JsonNode? fault in faults)
        {
            (decimal min, decimal max, decimal byDefault) =
                ((decimal)fault!["min"]!, (decimal)fault["max"]!, (decimal)fault["default"]!);
            Assert.That(byDefault, Is.InRange(min, max), fault.ToJsonString());
            Assert.That(((string)fault["unit"]!, min, max, byDefault), Is.EqualTo(Documented((string)fault["name"]!)),
                fault.ToJsonString());
            Assert.That(((bool)fault["active"]!, (decimal)fault["intensity"]!, fault["ends_at"]),
                Is.EqualTo((false, 0m, (JsonNode?)null)));
        }
    }

    [TestCaseSource(nameof(Harmless))]
    public async Task Given_a_fault_when_it_is_started_then_it_is_seen_everywhere_until_its_time_is_over(string name)
    {
        var clock = new AheadClock();
        await using ShopUnderTest shop = await StartAsync(clock);
        (HttpResponseMessage started, JsonNode? fault) =
            await shop.Products.SendJsonAsync(HttpMethod.Put, $"/faults/{name}", new { duration_seconds = 90 });
        Assert.That((int)started.StatusCode, Is.EqualTo(200), fault?.ToJsonString());
        decimal intensity = (decimal)fault!["intensity"]!;
        TimeSpan left = DateTimeOffset.Parse((string)fault["ends_at"]!, CultureInfo.InvariantCulture)
            - clock.GetUtcNow();
        Assert.That(left, Is.InRange(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(90)));
        await SeenAsync(shop, name, (double)intensity);
        clock.Move(TimeSpan.FromSeconds(90));
        await Eventually.IsSoAsync(async () => !await IsActiveAsync(shop, name));
        await SeenAsync(shop, name, 0);
    }

    [TestCase("locked_table")]
    [TestCase("slow_network")]
    public async Task Given_a_fault_of_PostgreSQL_when_it_is_started_then_it_strikes_the_stock_there_and_is_refused_on_files(
        string name)
    {
        // A write that waits for the lock is refused after so many seconds.
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=3");
        (HttpResponseMessage answer, JsonNode? body) = await shop.Products.SendJsonAsync(
            HttpMethod.Put, $"/faults/{name}", new { });
        if (EngineFixture.Current == Engine.Sqlite)
        {
            Assert.That((int)answer.StatusCode, Is.EqualTo(400));
            Assert.That(
                (string)body!["error"]!,
                Is.EqualTo($"{name} needs PostgreSQL, and this shop keeps its data in files."));
            Assert.That(await shop.Products.GetStringAsync("/live"), Does.Not.Contain(name));
            return;
        }

        Assert.That((int)answer.StatusCode, Is.EqualTo(200), body?.ToJsonString());
        if (name == "locked_table")
        {
            await Eventually.IsSoAsync(
                async () =>
                (int)(await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Response.StatusCode == 503);
            await shop.Inventory.GetJsonAsync("/inventory/prod_0"); // reads go by
        }
        else
        {
            var time = Stopwatch.StartNew();
            await shop.Inventory.GetJsonAsync("/inventory/prod_0");
            Assert.That(time.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.15)));
            await shop.OrderAsync("prod_0");
            Assert.That(time.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.5)), "two more writes");
        }

        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(
            async () => (int)(await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Response.StatusCode == 201);
    }

    [Test]
    public async Task Given_faults_that_run_when_one_is_deleted_and_then_all_then_they_have_ended()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        foreach (string name in new[] { "slow_answers", "failing_answers", "inventory_down" })
            await shop.Orders.SendJsonAsync(HttpMethod.Put, $"/faults/{name}", new { intensity = 0.5 });
        await shop.Inventory.DeleteAsync("/faults/slow_answers");
        Assert.That((await ActiveAsync(shop)), Is.EqualTo(new[] { "failing_answers", "inventory_down" }));
        await shop.Inventory.DeleteAsync("/faults");
        Assert.That(await ActiveAsync(shop), Is.Empty);
        Assert.That(() => File.Exists(Path.Combine(shop.DataDirectory, "faults.json")), Is.False.After(60_000, 20),
            "there until what they did is undone");
    }

    [Test]
    public async Task Given_a_fault_that_runs_when_the_shop_is_started_again_then_it_goes_on_until_its_end()
    {
        var clock = new AheadClock();
        await using ShopUnderTest shop = await StartAsync(clock);
        // With each commit failing, a start would fail too, and so would the last writes of a stop.
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/failing_commits",
            new { intensity = 1, duration_seconds = 900 });
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/slow_answers",
            new { intensity = 0.001, duration_seconds = 60, route = "/orders" });
        JsonNode before = await shop.Orders.GetJsonAsync("/faults");
        await shop.RestartAsync();
        Assert.That((await shop.Orders.GetJsonAsync("/faults")).ToJsonString(), Is.EqualTo(before.ToJsonString()));
        Assert.That((int)(await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Response.StatusCode,
            Is.EqualTo(503));
        await shop.StopAsync();
        clock.Move(TimeSpan.FromSeconds(100));
        await shop.RestartAsync(isRunning: false);
        Assert.That(await ActiveAsync(shop), Is.EqualTo(new[] { "failing_commits" }));
        clock.Move(TimeSpan.FromSeconds(800));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).Length == 0);
        await shop.OrderAsync("prod_0");
    }

    [Test]
    public async Task Given_a_clock_that_is_set_back_when_the_shop_is_started_again_then_a_fault_ends_within_an_hour()
    {
        var clock = new AheadClock();
        clock.Move(TimeSpan.FromDays(60));
        await using ShopUnderTest shop = await StartAsync(clock);
        await StartAsync(shop, "slow_answers", 0.001m);
        await shop.StopAsync();
        clock.Move(TimeSpan.FromDays(-60));
        await shop.RestartAsync(isRunning: false);
        Assert.That(await ActiveAsync(shop), Is.EqualTo(new[] { "slow_answers" }));
        clock.Move(TimeSpan.FromHours(1));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).Length == 0);
    }

    [TestCase("""{"intensity":0}""", "intensity")]
    [TestCase("""{"intensity":10.001}""", "intensity")]
    [TestCase("""{"intensity":"1"}""", "intensity")]
    [TestCase("""{"intensity":0.0001}""", "intensity")]
    [TestCase("""{"duration_seconds":0}""", "duration_seconds")]
    [TestCase("""{"duration_seconds":3601}""", "duration_seconds")]
    [TestCase("""{"route":"/orders"}""", "route")]
    [TestCase("""{"intensty":1}""", "intensty")]
    [TestCase("""{"intensity":99,"duration_seconds":-1}""", "duration_seconds")]
    public async Task Given_a_wrong_value_when_a_fault_is_started_then_400_names_it_and_nothing_runs(
        string body, string named)
    {
        (HttpResponseMessage answer, JsonNode? problem) =
            await SharedShop.Shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/slow_commits", body);
        Assert.That((int)answer.StatusCode, Is.EqualTo(400), problem?.ToJsonString());
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EqualTo(new[] { named }));
        Assert.That(await ActiveAsync(SharedShop.Shop), Is.Empty);
    }

    [TestCase("slow_answers", """{"route":"/nope"}""", "route")]
    [TestCase("failing_answers", """{"route":"/"}""", "route")]
    [TestCase("flash_crowd", """{"intensity":1.5}""", "intensity")]
    [TestCase("hostile_client", """{"intensity":2.5}""", "intensity")]
    [TestCase("starved_threads", """{"intensity":1.5}""", "intensity")]
    public async Task Given_a_route_that_is_none_or_half_of_what_is_counted_when_a_fault_is_started_then_400_names_it(
        string fault, string body, string named)
    {
        (HttpResponseMessage answer, JsonNode? problem) =
            await SharedShop.Shop.Orders.SendJsonAsync(HttpMethod.Put, $"/faults/{fault}", body);
        Assert.That((int)answer.StatusCode, Is.EqualTo(400), problem?.ToJsonString());
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EqualTo(new[] { named }));
    }

    [Test]
    public async Task Given_an_unknown_fault_or_scenario_then_404()
    {
        foreach ((HttpMethod method, string path) in new[] { (HttpMethod.Put, "/faults/none"),
            (HttpMethod.Delete, "/faults/none"), (HttpMethod.Put, "/scenarios/none") })
        {
            (HttpResponseMessage answer, _) = await SharedShop.Shop.Orders.SendJsonAsync(method, path);
            Assert.That((int)answer.StatusCode, Is.EqualTo(404), path);
        }
    }

    [Test]
    public async Task Given_settings_that_allow_no_faults_then_there_are_no_such_routes_metrics_or_panel_and_what_ran_has_ended()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        await using (ShopUnderTest on = await ShopUnderTest.StartAsync(replace: null, directory))
            await on.Orders.SendJsonAsync(HttpMethod.Put, "/faults/slow_answers");
        await using (ShopUnderTest off = await ShopUnderTest.StartAsync(replace: null, directory, "Shop:Faults=off"))
        {
            foreach (HttpClient client in off.ByName.Values)
            {
                foreach (string path in new[] { "/faults", "/scenarios" })
                    Assert.That((int)(await client.GetAsync(path)).StatusCode, Is.EqualTo(404));
                Assert.That((int)(await client.SendJsonAsync(HttpMethod.Put, "/faults/crash")).Response.StatusCode,
                    Is.EqualTo(404));
                JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
                Assert.That(document["paths"]!.AsObject().Select(path => path.Key),
                    Has.None.StartsWith("/faults").And.None.StartsWith("/scenarios"));
                Assert.That(await client.GetStringAsync("/metrics"), Does.Not.Contain("shop_fault"));
                Assert.That(await client.HtmlAsync("/live"), Does.Not.Contain("trouble"));
            }
        }

        await using (ShopUnderTest again = await ShopUnderTest.StartAsync(replace: null, directory))
            Assert.That(await ActiveAsync(again), Is.Empty);
        Directory.Delete(directory, recursive: true);
    }

    [Test]
    public async Task Given_keys_when_faults_are_started_and_ended_then_only_a_key_that_may_write_does()
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}");
        (HttpMethod, string)[] changes = [(HttpMethod.Put, "/faults/slow_answers"),
            (HttpMethod.Delete, "/faults/slow_answers"),
            (HttpMethod.Delete, "/faults"), (HttpMethod.Put, "/scenarios/presentation"),
            (HttpMethod.Delete, "/scenarios")];
        foreach ((HttpMethod method, string path) in changes)
        {
            Assert.That(await StatusAsync(method, path, null), Is.EqualTo(401), path);
            Assert.That(await StatusAsync(method, path, reader), Is.EqualTo(403), path);
            Assert.That(await StatusAsync(method, path, writer), Is.AnyOf(200, 204), path);
        }

        Assert.That((int)(await shop.Products.GetAsync("/faults")).StatusCode, Is.EqualTo(200));

        async Task<int> StatusAsync(HttpMethod method, string path, string? key) =>
            (int)(await shop.Products.SendJsonAsync(
                method, path, null, key is null ? [] : [("Authorization", $"Bearer {key}")])).Response.StatusCode;
    }

    [TestCase("X-Forwarded-For", "192.0.2.7")]
    [TestCase("Forwarded", "for=192.0.2.7")]
    [TestCase("Via", "1.1 elsewhere")]
    [TestCase("X-Real-IP", "192.0.2.7")]
    [TestCase("X-Client-IP", "192.0.2.7")]
    [TestCase("X-Envoy-External-Address", "192.0.2.7")]
    [TestCase("CF-Connecting-IP", "192.0.2.7")]
    [TestCase("CDN-Loop", "elsewhere")]
    [TestCase("Host", "shop.example")]
    public async Task Given_no_keys_when_a_request_comes_by_a_proxy_then_it_makes_no_trouble(
        string header, string value)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:AllowedHosts=shop.example");
        (HttpMethod, string)[] changes = [(HttpMethod.Put, "/faults/slow_answers"), (HttpMethod.Delete, "/faults"),
            (HttpMethod.Put, "/scenarios/presentation"), (HttpMethod.Delete, "/scenarios")];
        foreach ((HttpMethod method, string path) in changes)
        {
            (HttpResponseMessage answer, _) = await shop.Orders.SendJsonAsync(method, path, null, (header, value));
            Assert.That((int)answer.StatusCode, Is.EqualTo(403), path);
        }

        Assert.That(await ActiveAsync(shop), Is.Empty);
    }

    [TestCase("Shop:TrustedProxies=192.0.2.7", "1.1")]
    [TestCase("Shop:Products:PublicUrl=https://shop.example", "1.1")]
    [TestCase("Shop:Inventory:PublicUrl=https://stock.shop.example", "1.1")]
    [TestCase("Shop:AllowedHosts=shop.example", "1.0")]
    public async Task Given_no_keys_when_a_setting_or_the_protocol_tells_of_a_proxy_then_no_service_makes_trouble(
        string setting, string protocol)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting);
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach ((HttpMethod method, string path) in new[]
            {
                (HttpMethod.Put, "/faults/slow_answers"), (HttpMethod.Put, "/scenarios/presentation"),
            })
            {
                using var request = new HttpRequestMessage(method, path) { Version = Version.Parse(protocol) };
                using HttpResponseMessage answer = await client.SendAsync(request);
                Assert.That((int)answer.StatusCode, Is.EqualTo(403), $"{client.BaseAddress}{path}");
            }
        }

        Assert.That(await ActiveAsync(shop), Is.Empty);
    }

    // The file of the faults is a pipe that nobody reads, as a disk that does not answer.
    [Test]
    public async Task Given_many_changes_of_faults_that_wait_for_the_disk_then_health_and_metrics_answer_all_the_same()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Pipes are no files here.");
        const int Changes = 200;
        string directory = Directory.CreateTempSubdirectory("shop-trouble-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            string pipe = Path.Combine(directory, "faults.json.next");
            using (var make = Process.Start("mkfifo", pipe)) await make.WaitForExitAsync();
            Task<(HttpResponseMessage Response, JsonNode? Json)>[] changes =
                [.. Enumerable.Range(0, Changes).Select(_ =>
                    shop.Products.SendJsonAsync(HttpMethod.Put, "/faults/slow_answers", new { intensity = 0.001 }))];
            await Eventually.IsSoAsync(async () =>
                (await Exposition.OfAsync(shop.Products))["app_requests_in_progress"] == Changes);
            Assert.That(await shop.Orders.CodeAsync("/health/live"), Is.EqualTo(200));
            await File.ReadAllBytesAsync(pipe);
            foreach ((HttpResponseMessage answer, _) in await Task.WhenAll(changes))
                Assert.That((int)answer.StatusCode, Is.EqualTo(200));
        }

        Directory.Delete(directory, recursive: true);
    }

    [Test]
    public async Task Given_slow_commits_then_writes_wait_and_reads_do_not_and_an_end_lets_them_go_at_once()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await shop.OrderAsync("prod_0");
        await StartAsync(shop, "slow_commits", 0.3m);
        var time = Stopwatch.StartNew();
        await shop.OrderAsync("prod_0");
        Assert.That(time.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.55)), "two commits, one after the other");
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That(metrics["""db_commit_seconds_bucket{le="0.25"}"""],
            Is.LessThan(metrics["db_commit_seconds_count"]));
        await StartAsync(shop, "slow_commits", 10);
        Task<string> order = shop.OrderAsync("prod_0");
        await shop.Products.GetJsonAsync("/products/prod_0");
        Assert.That(order.IsCompleted, Is.False);
        await shop.Orders.DeleteAsync("/faults/slow_commits");
        time.Restart();
        await order;
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(9)));
    }

    [Test]
    public async Task Given_failing_commits_then_writes_are_503_and_what_was_acknowledged_is_there_and_the_stock_agrees()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string product = await shop.ProductAsync(stock: 1000);
        await StartAsync(shop, "failing_commits", 0.5m);
        (HttpResponseMessage Response, JsonNode? Json)[] answers =
            await Task.WhenAll(Enumerable.Range(0, 60).Select(async n =>
            {
                await Task.Delay(n * 5);
                return await shop.Orders.PostAsync("/orders", Http.Order(product));
            }));
        await shop.Orders.DeleteAsync("/faults");
        string[] placed = [.. answers.Where(answer => answer.Response.IsSuccessStatusCode)
            .Select(answer => (string)answer.Json!["order_id"]!)];
        Assert.That(answers.Where(answer => !answer.Response.IsSuccessStatusCode)
            .Select(answer => ((int)answer.Response.StatusCode, (string)answer.Json!["type"]!)).Distinct(),
            Is.EqualTo(new[] { (503, "urn:shop:problem:store-unavailable") }));
        foreach (string order in placed) await shop.Orders.GetJsonAsync($"/orders/{order}");
        await Eventually.IsSoAsync(async () => (await shop.StockAsync(product)).Reserved == placed.Length);
        Assert.That((await Exposition.OfAsync(shop.Orders))["""db_writes_total{result="failed"}"""]
            + (await Exposition.OfAsync(shop.Inventory))["""db_writes_total{result="failed"}"""], Is.Positive);
        await AgreeAsync(shop);
    }

    [Test]
    public async Task Given_slow_or_failing_answers_of_a_route_then_that_route_alone_is_slow_or_500_and_never_what_watches()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await StartAsync(shop, "slow_answers", 0.4m, "/products/{id}");
        await StartAsync(shop, "failing_answers", 1, "/inventory/{product_id}");
        var time = Stopwatch.StartNew();
        await shop.Products.GetJsonAsync("/products/prod_0");
        Assert.That(time.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.39)));
        (HttpResponseMessage failed, JsonNode? problem) =
            await shop.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory/prod_0");
        Assert.That(((int)failed.StatusCode, (string)problem!["type"]!),
            Is.EqualTo((500, "urn:shop:problem:trouble-on-demand")));
        await shop.Inventory.GetJsonAsync("/inventory?limit=1");
        await StartAsync(shop, "failing_answers", 1);
        await shop.Products.DeleteAsync("/faults/slow_answers");
        string[] spared =
        [
            "/", "/faults", "/scenarios", "/health/live", "/health/ready", "/metrics", "/openapi/v1.json", "/docs",
            "/live",
        ];
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach (string path in spared)
                Assert.That((int)(await client.GetAsync(path)).StatusCode, Is.EqualTo(200), path);
        }

        (HttpResponseMessage refused, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)refused.StatusCode, Is.EqualTo(500));
        Assert.That((await Exposition.OfAsync(shop.Orders))["""http_requests_by_status_code_total{code="500"}"""],
            Is.EqualTo(1));
        await shop.Products.DeleteAsync("/faults");
        Assert.That((await shop.Orders.GetJsonAsync("/orders")).AsArray(), Is.Empty);
    }

    [Test]
    public async Task Given_an_inventory_that_is_down_then_orders_are_503_and_what_was_cancelled_is_released_afterwards()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string product = await shop.ProductAsync(stock: 5), order = await shop.OrderAsync(product, 2);
        await StartAsync(shop, "inventory_down", 1);
        (HttpResponseMessage refused, JsonNode? problem) = await shop.Orders.PostAsync("/orders", Http.Order(product));
        Assert.That(((int)refused.StatusCode, (string)problem!["type"]!),
            Is.EqualTo((503, "urn:shop:problem:service-down")));
        (HttpResponseMessage cancelled, _) = await shop.Orders.PostAsync($"/orders/{order}/cancel");
        Assert.That((int)cancelled.StatusCode, Is.EqualTo(200));
        Assert.That(await shop.StockAsync(product), Is.EqualTo((3L, 5L, 2L)), "Inventory itself goes on");
        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(async () => (await shop.StockAsync(product)).Reserved == 0);
        Assert.That(await shop.StockAsync(product), Is.EqualTo((5L, 5L, 0L)));
    }

    [Test]
    public async Task Given_stock_that_runs_out_when_it_ends_then_each_unit_is_back_less_what_was_sold_also_over_restarts()
    {
        var clock = new AheadClock();
        await using ShopUnderTest shop = await StartAsync(clock);
        string held = await shop.OrderAsync("prod_0", 3);
        Dictionary<string, (long Level, long OnHand)> before = await StocksAsync(shop);
        await StartAsync(shop, "stock_runs_out", 1);
        await Eventually.IsSoAsync(async () => (await StocksAsync(shop)).Values.All(stock => stock.Level == 0));
        await shop.RestartAsync();
        Assert.That((await StocksAsync(shop)).Values.Select(stock => stock.Level), Is.All.Zero);
        (HttpResponseMessage refused, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_1"));
        Assert.That((int)refused.StatusCode, Is.EqualTo(409));
        await shop.Orders.PostAsync($"/orders/{held}/cancel");
        await shop.StopAsync();
        clock.Move(TimeSpan.FromHours(1));
        await shop.RestartAsync(isRunning: false);
        await Eventually.IsSoAsync(async () => (await shop.StockAsync("prod_0")).Level == before["prod_0"].Level + 3
            && !File.Exists(Path.Combine(shop.DataDirectory, "stock-taken.json")));
        foreach ((string product, (long level, long onHand)) in await StocksAsync(shop))
        {
            long released = product == "prod_0" ? 3 : 0;
            Assert.That(
                (level, onHand), Is.EqualTo((before[product].Level + released, before[product].OnHand)), product);
        }

        await AgreeAsync(shop);
    }

    [TestCase("{}")]
    [TestCase("""{"runs":[{"id":"x"}]}""")]
    [TestCase("{\"runs\":[{\"id\":\"")]
    [TestCase(null)]
    public async Task Given_stock_that_has_run_out_when_the_list_of_faults_is_lost_then_the_next_start_gives_it_back(
        string? content)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        Dictionary<string, (long Level, long OnHand)> before = await StocksAsync(shop);
        await StartAsync(shop, "stock_runs_out", 0.5m);
        string taken = Path.Combine(shop.DataDirectory, "stock-taken.json");
        await Eventually.IsSoAsync(
            async () => File.Exists(taken) && (await StocksAsync(shop)).Values.Count(stock => stock.Level == 0) >= 100);
        await shop.StopAsync();
        string list = Path.Combine(shop.DataDirectory, "faults.json");
        if (content is null) File.Delete(list);
        else await File.WriteAllTextAsync(list, content);
        await shop.RestartAsync(isRunning: false);
        await Eventually.IsSoAsync(() => Task.FromResult(!File.Exists(taken)));
        Assert.That(await StocksAsync(shop), Is.EquivalentTo(before));
        Assert.That(await ActiveAsync(shop), Is.Empty);
    }

    [Test]
    public async Task Given_commits_that_fail_when_stock_comes_back_then_it_does_once_they_work_again()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        Dictionary<string, (long Level, long OnHand)> before = await StocksAsync(shop);
        await StartAsync(shop, "stock_runs_out", 1);
        await Eventually.IsSoAsync(async () => (await StocksAsync(shop)).Values.All(stock => stock.Level == 0));
        await StartAsync(shop, "failing_commits", 1);
        await shop.Orders.DeleteAsync("/faults/stock_runs_out");
        await Eventually.IsSoAsync(async () =>
            (await Exposition.OfAsync(shop.Inventory))["""db_writes_total{result="failed"}"""] > 0);
        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(
            () => Task.FromResult(!File.Exists(Path.Combine(shop.DataDirectory, "stock-taken.json"))));
        Assert.That(await StocksAsync(shop), Is.EquivalentTo(before));
    }

    [Test]
    public async Task Given_commits_that_are_slower_than_a_request_may_take_then_they_are_slow_and_do_not_fail()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=1");
        string product = await shop.ProductAsync(stock: 5);
        await StartAsync(shop, "slow_commits", 1.5m);
        (HttpResponseMessage answer, _) = await shop.Inventory.PostAsync(
            "/inventory/increase", new { product_id = product, quantity = 1 });
        await shop.Orders.DeleteAsync("/faults");
        Assert.That((int)answer.StatusCode, Is.EqualTo(200));
    }

    [Test]
    public async Task Given_a_share_of_the_stock_that_runs_out_then_as_many_products_as_it_says_are_out()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await StartAsync(shop, "stock_runs_out", 0.1m);
        await Eventually.IsSoAsync(async () =>
            (await Exposition.OfAsync(shop.Inventory))["""inventory_products{state="out"}"""] >= 20);
        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(async () =>
            (await Exposition.OfAsync(shop.Inventory))["""inventory_products{state="out"}"""].Equals(1));
    }

    [Test]
    public async Task Given_a_flash_crowd_then_there_are_requests_and_with_its_end_there_are_no_more()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await StartAsync(shop, "flash_crowd", 200);
        await Eventually.IsSoAsync(async () => (await Exposition.OfAsync(shop.Orders))["orders_created_total"] > 10);
        await shop.Orders.DeleteAsync("/faults");
        double requests = 0;
        await Eventually.IsSoAsync(async () =>
        {
            double now = (await Exposition.OfAsync(shop.Products)).Series.Count;
            JsonNode? _ = await shop.Products.GetJsonAsync("/faults");
            double all = (await Exposition.OfAsync(
                shop.Products))["""app_requests_total{endpoint="/products/{id}",method="GET"}"""];
            bool isQuiet = all.Equals(requests);
            requests = all;
            await Task.Delay(200);
            return isQuiet && now > 0;
        });
    }

    [Test]
    public async Task Given_a_hostile_client_then_it_is_answered_and_makes_no_series()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        // The first request of a method that no route takes makes its histogram.
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach (string method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "BREW" })
                await client.SendJsonAsync(new HttpMethod(method), "/first/of/its/kind");
            foreach (string path in new[] { "/faults", "/scenarios" }) (await client.GetAsync(path)).Dispose();
        }

        await shop.Products.SendJsonAsync(HttpMethod.Put, "/faults/none");
        await shop.Products.DeleteAsync("/faults");
        string[][] before = await SeriesAsync();
        const string Unmatched = """app_requests_total{endpoint="unmatched",method="other"}""";
        double unknown = (await Exposition.OfAsync(shop.Inventory))[Unmatched];
        await StartAsync(shop, "hostile_client", 400);
        await Eventually.IsSoAsync(async () => (await Exposition.OfAsync(shop.Inventory))[Unmatched] > unknown + 30);
        await shop.Products.DeleteAsync("/faults");
        Assert.That(await SeriesAsync(), Is.EqualTo(before));

        async Task<string[][]> SeriesAsync() => await Task.WhenAll(shop.ByName.Values.Select(async client =>
            (await Exposition.OfAsync(client)).Series.Order(StringComparer.Ordinal).ToArray()));
    }

    [Test]
    public async Task Given_a_scenario_when_time_passes_then_its_faults_and_traffic_come_and_go_also_over_a_restart()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """
            [{"name":"mine","description":"For a test.","steps":[
                {"at":0,"traffic":20},
                {"at":100,"fault":"slow_answers","intensity":0.001,"seconds":100},
                {"at":300,"fault":"inventory_down","seconds":100},
                {"at":500,"traffic":0}]}]
            """);
        var clock = new AheadClock();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null, $"Shop:ScenarioFile={file}");
        (HttpResponseMessage played, JsonNode? scenario) =
            await shop.Orders.SendJsonAsync(HttpMethod.Put, "/scenarios/mine");
        Assert.That(((int)played.StatusCode, (bool)scenario!["active"]!, (int)scenario["seconds"]!),
            Is.EqualTo((200, true, 500)));
        await Eventually.IsSoAsync(async () => (await Exposition.OfAsync(shop.Orders))["orders_created_total"] > 0);
        Assert.That(await ActiveAsync(shop), Is.Empty);
        clock.Move(TimeSpan.FromSeconds(100));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).SequenceEqual(["slow_answers"]));
        await shop.RestartAsync();
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).SequenceEqual(["slow_answers"])
            && (await Exposition.OfAsync(shop.Orders))["orders_created_total"] > 0);
        clock.Move(TimeSpan.FromSeconds(100));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).Length == 0);
        clock.Move(TimeSpan.FromSeconds(100));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).SequenceEqual(["inventory_down"]));
        Assert.That((int)(await shop.Orders.GetJsonAsync("/traffic"))["rate"]!, Is.EqualTo(20));
        clock.Move(TimeSpan.FromSeconds(200));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).Length == 0
            && (await shop.Orders.GetJsonAsync("/scenarios")).AsArray().All(one => !(bool)one!["active"]!));
        Assert.That((int)(await shop.Orders.GetJsonAsync("/traffic"))["rate"]!, Is.Zero, "its last step ends it");
        File.Delete(file);
    }

    // What docs/faults.md and each description say of them.
    [Test]
    public async Task Given_the_scenarios_of_the_shop_then_their_timetables_are_what_is_said_of_them()
    {
        JsonArray all = (await SharedShop.Shop.Orders.GetJsonAsync("/scenarios")).AsArray();
        Assert.That(all.Select(one => ((string)one!["name"]!, (int)one["seconds"]! / 60)),
            Is.EqualTo(new[] { ("presentation", 10), ("a-bad-day", 30), ("slow-decline", 15) }));
        foreach (JsonNode? scenario in all)
        {
            (int At, int? Traffic, string? Fault, decimal? Intensity, int Seconds)[] steps =
                [.. scenario!["steps"]!.AsArray().Select(step => ((int)step!["at"]!, (int?)step["traffic"],
                    (string?)step["fault"], (decimal?)step["intensity"], (int?)step["seconds"] ?? 0))];
            (string name, int length) = ((string)scenario["name"]!, (int)scenario["seconds"]!);
            var faults = steps.Where(step => step.Fault is not null).ToArray();
            // There is traffic all the time, and none after it.
            Assert.That((steps[0].At, steps[0].Traffic > 0, steps[^1].At, steps[^1].Traffic),
                Is.EqualTo((0, true, length, (int?)0)), name);
            Assert.That(steps[1..^1].Select(step => step.Traffic), Has.None.EqualTo(0), name);
            // Each begins after a quiet time, and has ended when the traffic does.
            Assert.That(faults[0].At, Is.AtLeast(60), name);
            Assert.That(faults.Max(step => step.At + step.Seconds), Is.LessThanOrEqualTo(length), name);
            for (int i = 1; i < faults.Length; i++)
            {
                int quiet = faults[i].At - (faults[i - 1].At + faults[i - 1].Seconds);
                if (name == "presentation") Assert.That((quiet, faults[i].Seconds), Is.EqualTo((60, 60)), name);
                if (name == "slow-decline")
                {
                    Assert.That((quiet, faults[i].Fault), Is.EqualTo((0, faults[0].Fault)), name);
                    Assert.That(faults[i].Intensity!.Value, Is.GreaterThan(faults[i - 1].Intensity!.Value), name);
                }
            }

            if (name == "a-bad-day")
            {
                Assert.That(faults.Select(step => step.Fault), Is.Unique);
                Assert.That(faults[1..^1].Select(step => faults.Any(other => other != step
                    && other.At < step.At + step.Seconds && other.At + other.Seconds > step.At)), Is.All.True);
            }
        }
    }

    [Test]
    public async Task Given_a_scenario_of_hours_then_its_traffic_lasts_as_long_and_has_the_key_of_whoever_starts_it_anew()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """
            [{"name":"long","description":"x","steps":[{"at":0,"traffic":20},{"at":7200,"traffic":0}]}]
            """);
        (string writer, string hash) = ApiKeys.Make();
        var clock = new AheadClock();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(clock), null, $"Shop:ScenarioFile={file}",
            $"Shop:ApiKeys=ada:write:{hash}");
        Assert.That(await PutAsync("/scenarios/long", null), Is.EqualTo(200));
        await Eventually.IsSoAsync(async () => await OrdersAsync() > 0);
        clock.Move(TimeSpan.FromHours(1.5));
        double before = await OrdersAsync();
        await Eventually.IsSoAsync(async () => await OrdersAsync() > before + 20);

        // After a restart, nobody's key is known.
        await shop.RestartAsync();
        await Eventually.IsSoAsync(async () => await Refused() > 0);
        Assert.That(await OrdersAsync(), Is.Zero);
        Assert.That(await PutAsync("/traffic", new { rate = 20 }), Is.EqualTo(200));
        await Eventually.IsSoAsync(async () => await OrdersAsync() > 0);
        File.Delete(file);

        async Task<int> PutAsync(string path, object? body) => (int)(await shop.Products.SendJsonAsync(
            HttpMethod.Put, path, body, ("Authorization", $"Bearer {writer}"))).Response.StatusCode;

        async Task<double> OrdersAsync() => (await Exposition.OfAsync(shop.Orders))["orders_created_total"];

        async Task<double> Refused() =>
            (await Exposition.OfAsync(shop.Orders))["""http_requests_by_status_code_total{code="401"}"""];
    }

    [Test]
    public async Task Given_a_scenario_with_traffic_when_another_is_played_then_the_traffic_of_the_first_ends()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """
            [{"name":"busy","description":"x","steps":[{"at":0,"traffic":20},{"at":600,"traffic":0}]},
             {"name":"quiet","description":"x","steps":[{"at":600,"traffic":20}]}]
            """);
        await using (ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:ScenarioFile={file}"))
        {
            await shop.Orders.SendJsonAsync(HttpMethod.Put, "/scenarios/busy");
            await Eventually.IsAsync(RateAsync, 20);
            await shop.Orders.SendJsonAsync(HttpMethod.Put, "/scenarios/quiet");
            Assert.That(await RateAsync(), Is.Zero);

            async Task<int> RateAsync() => (int)(await shop.Products.GetJsonAsync("/traffic"))["rate"]!;
        }

        File.Delete(file);
    }

    [Test]
    public async Task Given_a_scenario_that_is_played_when_it_is_ended_then_its_faults_end_with_it()
    {
        var clock = new AheadClock();
        await using ShopUnderTest shop = await StartAsync(clock);
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/scenarios/presentation");
        clock.Move(TimeSpan.FromSeconds(60));
        await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).SequenceEqual(["slow_commits"]));
        await shop.Products.DeleteAsync("/scenarios");
        Assert.That(await ActiveAsync(shop), Is.Empty);
        Assert.That((await shop.Orders.GetJsonAsync("/scenarios")).AsArray().Select(one => (bool)one!["active"]!),
            Is.All.False);
    }

    [TestCase("[{\"name\":\"x\",\"description\":\"x\",\"steps\":[{\"at\":0,\"fault\":\"none\",\"seconds\":1}]}]",
        "which is no fault")]
    [TestCase(
        """[{"name":"x","description":"x","steps":[{"at":0,"fault":"slow_commits","intensity":99,"seconds":1}]}]""",
        "an intensity that is from 0.001 to 10")]
    [TestCase("[{\"name\":\"x\",\"description\":\"x\",\"steps\":[{\"at\":9,\"traffic\":1},{\"at\":0,\"traffic\":1}]}]",
        "step 2 of x is before step 1")]
    [TestCase("[{\"name\":\"x\",\"description\":\"x\",\"steps\":[]}]", "x has no steps")]
    [TestCase("[{\"name\":\"x\",\"description\":\"x\",\"steps\":[{\"at\":604801,\"traffic\":1}]}]", "more than a week")]
    [TestCase("{", "can't be read")]
    public async Task Given_a_file_of_scenarios_that_makes_no_sense_when_the_shop_starts_then_a_line_says_why(
        string content, string why)
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        string file = Path.Combine(directory, "mine.json");
        await File.WriteAllTextAsync(file, content);
        using var shop = new ShopProcess(directory, $"--Shop:ScenarioFile={file}");
        Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
        Assert.That(shop.Log, Does.Contain("Shop:ScenarioFile").And.Contain(why).And.Not.Contain("   at "));
        Directory.Delete(directory, recursive: true);
    }

    [Test]
    public async Task Given_the_panel_on_the_console_when_its_forms_are_sent_then_faults_and_scenarios_start_and_end()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        Assert.That(await shop.Products.HtmlAsync("/live"), Does.Contain("action=\"/live/trouble\""));
        (int Status, string[] Active)[] steps =
        [
            await PostAsync(("fault", "slow_answers"), ("action", "start"), ("intensity", "0.01"),
                ("duration_seconds", "60")),
            await PostAsync(("fault", "slow_answers"), ("action", "end")),
            await PostAsync(("fault", "slow_answers"), ("action", "start"), ("intensity", "11")),
            await PostAsync(("fault", "none"), ("action", "start")),
            await PostAsync(("scenario", "presentation"), ("action", "start")),
            await PostAsync(("scenario", "presentation"), ("action", "end")),
        ];
        Assert.That(steps.Select(step => (step.Status, string.Join(' ', step.Active))), Is.EqualTo(new[]
        {
            (303, "slow_answers"), (303, ""), (400, ""), (404, ""), (303, ""), (303, ""),
        }));

        async Task<(int, string[])> PostAsync(params (string Name, string Value)[] fields)
        {
            using HttpResponseMessage answer =
                await shop.Products.PostFormAsync("/live/trouble", shop.Origin, fields);
            return ((int)answer.StatusCode, await ActiveAsync(shop));
        }
    }

    // By the table of docs/faults.md. What has no unit is whole or is not.
    private static (string Unit, decimal Min, decimal Max, decimal Default) Documented(string fault)
    {
        string[] row = [.. File.ReadLines(Repository.PathOf("docs", "faults.md"))
            .First(line => line.StartsWith($"| `{fault}` |", StringComparison.Ordinal)).Split('|')
            .Select(cell => cell.Trim())];
        decimal Number(string text) => text.StartsWith("all", StringComparison.Ordinal) ? Environment.ProcessorCount
            : decimal.Parse(text, NumberStyles.Number, CultureInfo.InvariantCulture);
        (string unit, string range) = (row[2], row[3]);
        if (range.Length == 0) return (unit, 1, 1, 1);
        string[] bounds = range.Split(" to ");
        return (unit, Number(bounds[0]), Number(bounds[1]), Number(row[4]));
    }

    private static Task<ShopUnderTest> StartAsync(TimeProvider clock) =>
        ShopUnderTest.StartAsync(services => services.AddSingleton(clock), null);

    private static async Task StartAsync(ShopUnderTest shop, string name, decimal intensity, string? route = null)
    {
        (HttpResponseMessage answer, JsonNode? json) =
            await shop.Products.SendJsonAsync(HttpMethod.Put, $"/faults/{name}", new { intensity, route });
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), json?.ToJsonString());
    }

    private static async Task SeenAsync(ShopUnderTest shop, string name, double intensity)
    {
        foreach (HttpClient client in shop.ByName.Values)
        {
            Exposition metrics = await Exposition.OfAsync(client);
            Assert.That((metrics[$$"""shop_fault_active{fault="{{name}}"}"""],
                    metrics[$$"""shop_fault_intensity{fault="{{name}}"}"""]),
                Is.EqualTo((intensity > 0 ? 1d : 0d, intensity)));
            Assert.That((await client.HtmlAsync("/live")).Contains("<strong>Trouble on demand:</strong>",
                StringComparison.Ordinal), Is.EqualTo(intensity > 0));
            using HttpResponseMessage ready = await client.GetAsync("/health/ready");
            JsonNode check = JsonNode.Parse(await ready.Content.ReadAsStringAsync())!["checks"]!["faults"]!;
            Assert.That((string)check["status"]!, Is.EqualTo("healthy"));
            Assert.That(((string)check["description"]!).Contains(name, StringComparison.Ordinal),
                Is.EqualTo(intensity > 0));
        }
    }

    // The verb compares files.
    private static async Task AgreeAsync(ShopUnderTest shop)
    {
        await shop.CloseAsync();
        if (Current != Engine.Sqlite) return;
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={shop.DataDirectory}");
        Assert.That(code, Is.Zero, output);
    }

    private static async Task<bool> IsActiveAsync(ShopUnderTest shop, string name) =>
        (await ActiveAsync(shop)).Contains(name);

    private static async Task<string[]> ActiveAsync(ShopUnderTest shop) =>
        [.. (await shop.Orders.GetJsonAsync("/faults")).AsArray().Where(fault => (bool)fault!["active"]!)
            .Select(fault => (string)fault!["name"]!)];

    private static async Task<Dictionary<string, (long Level, long OnHand)>> StocksAsync(ShopUnderTest shop) =>
        (await shop.Inventory.GetJsonAsync("/inventory?limit=1000")).AsArray().ToDictionary(
            stock => (string)stock!["product_id"]!, stock => ((long)stock!["stock_level"]!, (long)stock["on_hand"]!),
            StringComparer.Ordinal);
}
