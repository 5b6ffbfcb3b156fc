using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>
/// The load test of loadtest/advanced against the watched shop, run by the stand-in of k6 on Node, which writes to
/// Prometheus as k6 does: what its dashboard shows is what was sent and counted.
/// </summary>
internal sealed class LoadTestTests
{
    /// <summary>Another load test may have run since.</summary>
    private const string LongAgo = "300s";

    private readonly string _results = Directory.CreateTempSubdirectory("shop-load-").FullName;
    private WatchedShop _watched = null!;
    private JsonNode _counted = null!;

    [OneTimeSetUp]
    public async Task RunLoadTest()
    {
        _watched = await WatchedShop.StartAsync();
        (string output, string errors) = await RunAsync(_watched,
            Repository.PathOf("loadtest", "advanced", "src", "main.js"),
            // three units are fewer than buyers, so that some are refused
            ("SCENARIO", "smoke"), ("FLASH_UNITS", "3"), ("RESULTS", _results));
        // A busy machine may break the bound on time; that one, and nothing else.
        string[] wrong = [.. errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith("broken: http_req_duration ", StringComparison.Ordinal))];
        Assert.That(wrong, Is.Empty, output);
        _counted = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_results, "smoke.json")))!["metrics"]!;
        await UntilPrometheusHasAsync("sum(orders_created_total)", Counted("orders_acknowledged"));
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        Directory.Delete(_results, recursive: true);
        if (_watched is not null) await _watched.DisposeAsync();
    }

    private static IEnumerable<TestCaseData> Queries() =>
        from panel in Dashboards.Panels
        where panel.Dashboard == Dashboards.LoadTest
        from query in panel.Queries.Select((text, index) => (text, index))
        select new TestCaseData(query.text).SetArgDisplayNames(panel.Title, $"{query.index}");

    [TestCaseSource(nameof(Queries))]
    public async Task Given_a_load_test_when_its_dashboard_asks_then_it_gets_data(string query)
    {
        Assert.That((await ValuesAsync(_watched, query)).Where(double.IsFinite), Is.Not.Empty, query);
    }

    [TestCase("http_reqs", "sum(k6_http_reqs_total)")]
    [TestCase("iterations", "sum(k6_iterations_total)")]
    [TestCase("orders_acknowledged", "sum(k6_orders_acknowledged_total)")]
    [TestCase("orders_acknowledged", "sum(orders_created_total)")]
    [TestCase("orders_short", "sum(k6_orders_short_total)")]
    [TestCase("orders_short", "sum(orders_rejected_total{reason=\"insufficient_stock\"})")]
    [TestCase("orders_unaccounted", "sum(k6_orders_unaccounted_total)")]
    [TestCase("units_unaccounted", "sum(k6_units_unaccounted_total)")]
    [TestCase("units_oversold", "sum(k6_units_oversold_total)")]
    public Task Given_a_load_test_that_has_ended_then_Prometheus_has_the_number_that_it_counted(
        string counter, string query) => UntilPrometheusHasAsync(query, Counted(counter));

    [Test]
    public async Task Given_refusals_for_want_of_stock_then_they_are_no_errors_on_either_side()
    {
        Assert.That(Counted("orders_short"), Is.EqualTo(2), "five wanted three");
        Panel errors = Named("Errors, both sides");
        foreach (string query in errors.Queries)
        {
            double[] shares = await ValuesAsync(_watched, query);
            Assert.That(shares, Is.Not.Empty, query);
            Assert.That(shares, Has.All.Zero, query);
        }
    }

    [Test]
    public async Task Given_what_the_test_does_before_and_after_its_scenarios_then_that_is_in_no_latency()
    {
        IReadOnlyList<(IReadOnlyDictionary<string, string> Labels, double Value)> all =
                await _watched.QueryAsync("max by (name) (k6_http_req_duration_p95)"),
            routes = await _watched.QueryAsync(
                Filled(Named("Latency by route, seen by k6").Queries.Single(), range: LongAgo));
        Assert.That(all.Select(route => route.Labels["name"]), Is.SupersetOf(new[] { "/health/ready", "/metrics" }));
        Assert.That(routes.Select(route => route.Labels["name"]), Is.SupersetOf(new[]
        {
            "/orders", "/products", "/products/{id}",
        }).And.None.EqualTo("/health/ready").And.None.EqualTo("/metrics"));
        string both = Filled(Named("Latency, both sides").Queries.First(), range: LongAgo);
        Assert.That((await _watched.QueryAsync(both)).Single().Value, Is.EqualTo(routes.Max(route => route.Value)));
    }

    [TestCase("order_retries", "sent again")]
    [TestCase("orders_replayed", "answered from an earlier try")]
    [TestCase("orders_short", "too little stock")]
    public async Task Given_a_load_test_that_has_ended_then_its_retries_and_refusals_are_what_it_counted(
        string counter, string legend)
    {
        Panel panel = Named("Retries and refusals");
        string query = (string)panel.Json["targets"]!.AsArray()
            .Single(target => (string)target!["legendFormat"]! == legend)!["expr"]!;
        Assert.That((await _watched.QueryAsync(Filled(query))).Single().Value, Is.EqualTo(Counted(counter)), query);
    }

    [Test]
    public Task Given_a_load_test_then_its_dashboard_can_be_drawn() =>
        Picture.DrawAsync(Dashboards.LoadTest, _watched, instance: "");

    [Test]
    [Category("CI")]
    public async Task Given_answers_that_are_errors_then_both_sides_show_their_share()
    {
        // Orders that are refused, since their database is locked, each after three reads that are answered.
        string script = Path.Combine(_results, "errors.js");
        await File.WriteAllTextAsync(script, """
            import http from 'k6/http';
            export const options = { stages: [{ duration: '1s', target: 1 }] };
            export default function () {
              for (let order = 0; order < 3; order++) { // a rate needs two
                for (let read = 0; read < 3; read++) http.get(`${__ENV.PRODUCT_URL}/products/prod_0`);
                const body = JSON.stringify({ customer_id: 'ada', items: [{ product_id: 'prod_0', quantity: 1 }] });
                http.post(`${__ENV.ORDER_URL}/orders`, body, { headers: { 'Content-Type': 'application/json' } });
              }
            }
            """);
        await using WatchedShop watched = await WatchedShop.StartAsync();
        string output;
        using (StuckDatabase.OfOrders(watched.Shop.DataDirectory)) (output, _) = await RunAsync(watched, script);
        double failed = (double)JsonNode.Parse(output)!["http_req_failed"]!["values"]!["passes"]!;
        Assert.That(failed, Is.EqualTo(3));
        await UntilPrometheusHasAsync(watched, """sum(k6_http_reqs_total{expected_response="false"})""", failed);
        await UntilPrometheusHasAsync(watched, """sum(http_requests_by_status_code_total{code=~"5.."})""", failed);
        foreach (string query in Named("Errors, both sides").Queries)
        {
            // k6 sends nothing between one error and the next
            double[] shares = await ValuesAsync(watched, query, rateInterval: "60s");
            Assert.That(shares, Has.Some.Positive.And.All.AtMost(1), query);
        }
    }

    private static async Task<(string Output, string Errors)> RunAsync(
        WatchedShop watched, string script, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Tools.Need("node"), [Repository.PathOf("loadtest", "testing", "k6.js"),
            "--out", "experimental-prometheus-rw", script])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            Environment =
            {
                ["PRODUCT_URL"] = watched.Shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority),
                ["ORDER_URL"] = watched.Shop.Orders.BaseAddress!.GetLeftPart(UriPartial.Authority),
                ["INVENTORY_URL"] = watched.Shop.Inventory.BaseAddress!.GetLeftPart(UriPartial.Authority),
                ["K6_PROMETHEUS_RW_SERVER_URL"] = watched.RemoteWrite.AbsoluteUri,
                ["K6_PROMETHEUS_RW_TREND_STATS"] = "p(50),p(95),p(99),max", // as in docker-compose.yml
                ["K6_PROMETHEUS_RW_PUSH_INTERVAL"] = "1s",
                ["NODE_NO_WARNINGS"] = "1", // of some version of Node: what is on the error stream is an error
            },
        };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using var run = Process.Start(start)!;
        Task<string> errors = run.StandardError.ReadToEndAsync();
        string output = await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();
        return (output, await errors);
    }

    private static Panel Named(string title) =>
        Dashboards.Panels.Single(panel => panel.Dashboard == Dashboards.LoadTest && panel.Title == title);

    private static string Filled(string query, string rateInterval = "5s", string range = "60s") =>
        Dashboards.Filled(query, service: "", instance: "", rateInterval, range);

    private static async Task<double[]> ValuesAsync(WatchedShop watched, string query, string rateInterval = "5s") =>
        [.. (await watched.RangeAsync(Filled(query, rateInterval), legend: "")).SelectMany(one => one.Points)
            .Select(point => point.Value)];

    private double Counted(string counter) => (double?)_counted[counter]?["values"]!["count"] ?? 0;

    private Task UntilPrometheusHasAsync(string query, double expected) =>
        UntilPrometheusHasAsync(_watched, query, expected);

    // The shop's own figures come with the next scrape.
    private static Task UntilPrometheusHasAsync(WatchedShop watched, string query, double expected) =>
        WatchedShop.UntilAsync(
            async () => (await watched.QueryAsync(query)) is [var sample] && sample.Value.Equals(expected),
            async () => $"{query} is not {expected}: "
                + string.Join(", ", (await watched.QueryAsync(query)).Select(sample => $"{sample.Value}")));
}
