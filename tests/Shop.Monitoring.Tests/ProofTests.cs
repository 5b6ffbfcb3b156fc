using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.Monitoring.Tests;

/// <summary>
/// What Prometheus sees of a shop that is used and well: every target, every rule, every query of every panel.
/// </summary>
internal sealed partial class ProofTests
{
    /// <summary>The alerts about how long something takes.</summary>
    private static readonly string[] OfTime = ["LatencyBudgetBurn", "CommitsSlow", "ThreadPoolStarved"];

    private WatchedShop _watched = null!;
    private Traffic _traffic = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _watched = await WatchedShop.StartAsync();
        _traffic = new Traffic(_watched.Shop);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (_traffic is null) return; // skipped: there is no Prometheus here
        await _traffic.DisposeAsync();
        await _watched.DisposeAsync();
    }

    [Test]
    public Task Given_the_projects_configuration_then_every_target_is_up() => WatchedShop.UntilAsync(
        async () => (await TargetsAsync()) is { Length: 9 } targets
            && targets.All(target => (string)target["health"]! == "up"),
        async () => string.Join("\n", (await TargetsAsync()).Select(target => target.ToJsonString())));

    [Test]
    public Task Given_the_projects_rules_then_every_one_is_healthy() => WatchedShop.UntilAsync(
        async () => (await RulesAsync()) is { Length: > 60 } rules
            && rules.All(rule => (string)rule["health"]! == "ok"),
        async () => string.Join("\n",
            (await RulesAsync()).Where(rule => (string)rule["health"]! != "ok").Select(rule => rule.ToJsonString())));

    private static IEnumerable<TestCaseData> Queries() =>
        from panel in Dashboards.Panels
        where panel.Dashboard != Dashboards.LoadTest
        from query in panel.Queries.Select((text, index) => (text, index))
        from service in query.text.Contains("$service", StringComparison.Ordinal)
            ? new[] { "product-service", "order-service", "inventory-service" }
            : [""]
        select new TestCaseData(query.text, service)
            .SetArgDisplayNames(panel.Dashboard, panel.Title, $"{query.index}", service);

    [TestCaseSource(nameof(Queries))]
    public async Task Given_a_shop_in_use_when_a_panel_asks_then_it_gets_data(string query, string service)
    {
        string instance = "";
        await WatchedShop.UntilAsync(async () =>
        {
            instance = (await _watched.QueryAsync("node_uname_info"))
                .Select(sample => sample.Labels["instance"]).FirstOrDefault() ?? "";
            return instance.Length > 0;
        }, () => Task.FromResult("There is no node_uname_info."));
        string filled = Dashboards.Filled(query, service, instance);
        await WatchedShop.UntilAsync(
            async () => (await _watched.QueryAsync(filled)).Any(sample => !double.IsNaN(sample.Value)),
            () => Task.FromResult($"No data: {filled}"));
    }

    private static IEnumerable<string> Selectors() => new[] { "alerts", "recording" }
        .SelectMany(file => Yaml.Load("monitoring", "prometheus", "rules", $"{file}.yml").At("groups").Items())
        .SelectMany(group => group.At("rules").Items())
        .SelectMany(rule => Selector().Matches(rule.Text("expr")!))
        .Select(match => match.Value).Where(selector => !selector.StartsWith("service:", StringComparison.Ordinal))
        .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    // A rule that asks for a series that nobody has is silent for ever: a bucket, a label or a
    // value of one that was renamed.
    [TestCaseSource(nameof(Selectors))]
    public Task Given_what_a_rule_asks_for_then_there_is_such_a_series(string selector) => WatchedShop.UntilAsync(
        async () => (await _watched.QueryAsync($"count({selector})")) is [{ Value: > 0 }],
        () => Task.FromResult($"No series: {selector}"));

    [Test]
    public async Task Given_the_registries_of_the_shop_then_promtool_finds_no_fault_in_what_they_show()
    {
        foreach ((string name, HttpClient client) in _watched.Shop.ByName)
        {
            foreach (string path in new[] { "/metrics", "/metrics/process" })
            {
                (int exitCode, string output) = Tools.RunWith(await client.GetStringAsync(path),
                    "promtool", "check", "metrics");
                Assert.That(exitCode, Is.Zero, $"{name} {path}: {output}");
            }
        }
    }

    [Test]
    public async Task Given_a_shop_that_is_well_then_no_alert_of_its_own_is_raised()
    {
        // The machine's own state is not the shop's: its alerts have their cases in the tests of the rules.
        string[] shopsOwn = [.. Alerts.All.Where(alert => alert.Group is not "shop-machine" and not "shop-prometheus")
            .Select(alert => alert.Name)];
        await WatchedShop.UntilAsync(
            async () => (await _watched.QueryAsync("count_over_time(up[20s])")).Any(sample => sample.Value > 35),
            () => Task.FromResult("Prometheus scrapes too slowly."));
        IReadOnlyList<string> raised = [];
        await WatchedShop.UntilAsync(
            async () =>
            {
                raised = [.. (await _watched.AlertsAsync()).Intersect(shopsOwn)];
                // On a machine with too much to do the shop is slow: then these are right.
                return !raised.Except(await IsSlowAsync() ? OfTime : []).Any();
            },
            () => Task.FromResult($"Raised: {string.Join(", ", raised)}"));
    }

    private async Task<bool> IsSlowAsync() => (await _watched.QueryAsync("""
        sum(app_request_latency_seconds_count) - sum(app_request_latency_seconds_bucket{le="0.1"}) > 9
        or sum(db_commit_seconds_count) - sum(db_commit_seconds_bucket{le="0.25"}) > 9
        """)).Any();

    [Test]
    public async Task Given_what_clients_counted_when_the_shop_is_at_rest_then_Prometheus_has_the_same_number()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        for (int n = 0; n < 25; n++) await watched.Shop.OrderAsync($"prod_{n}");
        for (int n = 0; n < 5; n++) await watched.Shop.Orders.PostAsync("/orders", Http.Order("prod_199", 50));
        foreach ((string query, double expected) in new[]
        {
            ("orders_created_total", 25d), ("""orders_rejected_total{reason="insufficient_stock"}""", 5d),
            ("""app_requests_total{endpoint="/orders",method="POST"}""", 30d), ("inventory_reservations_open", 25d),
            ("""sum(inventory_movements_total{kind="reserved"})""", 25d),
        })
        {
            await WatchedShop.UntilAsync(
                async () => (await watched.QueryAsync(query)) is [var sample] && sample.Value.Equals(expected),
                () => Task.FromResult($"{query} is not {expected}"));
        }
    }

    private async Task<JsonNode[]> TargetsAsync() =>
        [.. (await _watched.ApiAsync("/api/v1/targets"))["activeTargets"]!.AsArray()!];

    private async Task<JsonNode[]> RulesAsync() =>
        [.. (await _watched.ApiAsync("/api/v1/rules"))["groups"]!.AsArray()
            .SelectMany(group => group!["rules"]!.AsArray())!];

    // A name of a metric has an underscore, or is "up"; what is called is a function.
    [GeneratedRegex(@"\b(up|[a-z]\w*_\w*|service:[\w:]+)\b(\{[^}]*\})?(?![\w(:=~])(?!\s*\()",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Selector();
}
