using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>
/// Each fault of trouble on demand, looked for by a real Prometheus: its panel moves, the alert that is meant for it fires, and after its end
/// both are as before, and the books agree. What no alert is for moves its panel alone.
/// </summary>
[Category("Slow")]
internal sealed class TroubleTests
{
    private const string Burns = "{alertname=\"AvailabilityBudgetBurn\",window=\"1h\",alertstate=\"firing\"}";

    private static IEnumerable<TestCaseData> Faults()
    {
        yield return Fault("slow_commits", 0.5, "service", "Commit time", null, 0.3, "{alertname=\"CommitsSlow\",alertstate=\"firing\"}");
        yield return Fault("failing_commits", 0.5, "service", "Writes by result", "failed", 0.5,
            "{alertname=\"CommitsFailing\",severity=\"page\",alertstate=\"firing\"}");
        yield return Fault("slow_answers", 0.3, "service", "Latency quantiles", null, 0.25,
            "{alertname=\"LatencyBudgetBurn\",window=\"1h\",alertstate=\"firing\"}");
        yield return Fault("failing_answers", 0.5, "overview", "Errors", "order-service", 0.1, Burns);
        yield return Fault("inventory_down", 1, "overview", "Errors", "order-service", 0.1, Burns);
        yield return Fault("stock_runs_out", 0.2, "business", "Products by stock", "out", 20,
            "{alertname=\"StockRunningOut\",alertstate=\"firing\"}");
        yield return Fault("memory_leak", 50, "service", "Memory", "managed", 200e6, null);
        yield return Fault("hostile_client", 300, "service", "Requests by route", "unmatched", 1, null);
        yield return Fault("flash_crowd", 200, "overview", "Requests", "product-service", 60, null);
    }

    [TestCaseSource(nameof(Faults))]
    public async Task Given_a_fault_when_it_runs_then_its_panel_moves_and_its_alert_fires_and_afterwards_all_is_as_before(
        string name, double intensity, string dashboard, string title, string? part, double above, string? alert)
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        string instance = "";
        // Ten times as much would be a crowd. Its rate is seen after two scrapes.
        await StartAsync(watched, "flash_crowd", name == "flash_crowd" ? 20 : 60);
        await WatchedShop.UntilAsync(async () =>
        {
            instance = (await watched.QueryAsync("node_uname_info")).Select(sample => sample.Labels["instance"]).FirstOrDefault() ?? "";
            return instance.Length > 0 && (await watched.QueryAsync("rate(orders_created_total[5s]) > 0")).Count > 0;
        }, () => Task.FromResult("Nothing is ordered."));
        await WatchedShop.UntilAsync(async () => await ShownAsync() <= above, async () => $"{title} is {await ShownAsync()} before.");

        await StartAsync(watched, name, intensity);
        await WatchedShop.UntilAsync(async () => (await watched.QueryAsync($"shop_fault_active{{fault=\"{name}\"}} == 1")).Count == 3,
            () => Task.FromResult("No metric shows it."));
        await WatchedShop.UntilAsync(async () => await ShownAsync() > above, async () => $"{title} is {await ShownAsync()}.");
        if (alert is not null) await WatchedShop.UntilAsync(IsFiringAsync, () => Task.FromResult($"{alert} does not fire."));

        await watched.Shop.Orders.DeleteAsync($"/faults/{name}");
        if (name == "flash_crowd") await StartAsync(watched, name, 20);
        if (alert is not null) await WatchedShop.UntilAsync(async () => !await IsFiringAsync(), () => Task.FromResult($"{alert} goes on firing."));
        await WatchedShop.UntilAsync(async () => await ShownAsync() <= above, async () => $"{title} is {await ShownAsync()} afterwards.");
        await watched.Shop.Orders.DeleteAsync("/faults");
        await watched.Shop.CloseAsync();
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={watched.Shop.DataDirectory}");
        Assert.That(code, Is.Zero, output);

        async Task<bool> IsFiringAsync() => (await watched.QueryAsync($"ALERTS{alert}")).Count > 0;

        // The most that the panel shows, or the one line of it.
        async Task<double> ShownAsync()
        {
            Panel panel = Dashboards.Panels.Single(panel => panel.Dashboard == dashboard && panel.Title == title);
            double most = 0;
            foreach (JsonNode? target in panel.Json["targets"]!.AsArray())
            {
                string query = Dashboards.Filled((string)target!["expr"]!, dashboard == "overview" ? ".*" : "order-service", instance);
                string legend = (string)target["legendFormat"]!;
                foreach ((IReadOnlyDictionary<string, string> labels, double value) in await watched.QueryAsync(query))
                {
                    bool isPart = part is null || legend == part || labels.Values.Contains(part);
                    if (isPart && value > most) most = value;
                }
            }

            return most;
        }
    }

    private static TestCaseData Fault(string name, double intensity, string dashboard, string title, string? part, double above, string? alert) =>
        new TestCaseData(name, intensity, dashboard, title, part, above, alert).SetArgDisplayNames(name, title);

    private static async Task StartAsync(WatchedShop watched, string name, double intensity)
    {
        (HttpResponseMessage answer, JsonNode? json) =
            await watched.Shop.Products.SendJsonAsync(HttpMethod.Put, $"/faults/{name}", new { intensity, duration_seconds = 900 });
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), json?.ToJsonString());
    }
}
