using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>
/// Each fault of trouble on demand, looked for by a real Prometheus: its panel moves, the alert that is meant for it
/// fires, and after its end both are as before, and the books agree. What no alert is for moves its panel alone.
/// </summary>
[Category("Slow")]
internal sealed class TroubleTests
{
    // For what is of fifteen minutes and more, at a tenth of the time.
    private const int Patience = 300;

    // What else the machine does may keep the alert of its processors firing.
    private const string OthersAreBusy = """
        sum(rate(node_cpu_seconds_total{mode!~"idle|iowait"}[5s]))
        - sum(rate(process_cpu_seconds_total{job="shop-process"}[5s]))
        > 0.8 * count(node_cpu_seconds_total{mode="idle"})
        """;

    private const string Burns = "{alertname=\"AvailabilityBudgetBurn\",window=\"1h\",alertstate=\"firing\"}";

    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-trouble-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    private static IEnumerable<TestCaseData> Faults()
    {
        yield return Fault("slow_commits", 0.5, "service", "Commit time", null, 0.3,
            "{alertname=\"CommitsSlow\",alertstate=\"firing\"}");
        yield return Fault("failing_commits", 0.5, "service", "Writes by result", "failed", 0.5,
            "{alertname=\"CommitsFailing\",severity=\"page\",alertstate=\"firing\"}");
        yield return Fault("slow_answers", 0.3, "service", "Latency quantiles", null, 0.25,
            "{alertname=\"LatencyBudgetBurn\",window=\"1h\",alertstate=\"firing\"}");
        yield return Fault("failing_answers", 0.5, "overview", "Errors", "order-service", 0.1, Burns);
        yield return Fault("inventory_down", 1, "overview", "Errors", "order-service", 0.1, Burns);
        yield return Fault("inventory_down", 1, "business", "Orders refused", "overloaded", 0.1,
            "{alertname=\"OrdersStopped\",alertstate=\"firing\"}");
        yield return Fault("stock_runs_out", 0.2, "business", "Products by stock", "out", 20,
            "{alertname=\"StockRunningOut\",alertstate=\"firing\"}");
        yield return Fault("memory_leak", 50, "service", "Memory", "managed", 200e6, null);
        yield return Fault("hostile_client", 300, "service", "Requests by route", "unmatched", 1, null);
        // Of a machine with more to do, it gets a fair share. Nobody shops meanwhile.
        yield return Fault("busy_processor", Environment.ProcessorCount, "service", "CPU", "cores", 0.2,
            "{alertname=\"ProcessorSaturated\",alertstate=\"firing\"}");
        yield return Fault("flash_crowd", 200, "overview", "Requests", "product-service", 60, null);
    }

    [TestCaseSource(nameof(Faults))]
    public async Task Given_a_fault_when_it_runs_then_its_panel_moves_and_its_alert_fires_and_afterwards_all_is_as_before(
        string name, double intensity, string dashboard, string title, string? part, double above, string? alert)
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        string instance = "";
        // Ten times as much would be a crowd. Its rate is seen after two scrapes.
        bool isIdle = name == "busy_processor";
        if (!isIdle) await StartAsync(watched, "flash_crowd", name == "flash_crowd" ? 20 : 60);
        await WatchedShop.UntilAsync(async () =>
        {
            instance = (await watched.QueryAsync("node_uname_info"))
                .Select(sample => sample.Labels["instance"]).FirstOrDefault() ?? "";
            return instance.Length > 0
                && (isIdle || (await watched.QueryAsync("rate(orders_created_total[5s]) > 0")).Count > 0);
        }, () => Task.FromResult("Nothing is ordered."));
        await WatchedShop.UntilAsync(async () => await ShownAsync() <= above,
            async () => $"{title} is {await ShownAsync()} before.");

        await StartAsync(watched, name, intensity);
        await WatchedShop.UntilAsync(
            async () => (await watched.QueryAsync($"shop_fault_active{{fault=\"{name}\"}} == 1")).Count == 3,
            () => Task.FromResult("No metric shows it."));
        await WatchedShop.UntilAsync(async () => await ShownAsync() > above,
            async () => $"{title} is {await ShownAsync()}.");
        if (alert is not null)
            await WatchedShop.UntilAsync(IsFiringAsync, () => Task.FromResult($"{alert} does not fire."));

        await watched.Shop.Orders.DeleteAsync($"/faults/{name}");
        if (name == "flash_crowd") await StartAsync(watched, name, 20);
        if (alert is not null)
        {
            await WatchedShop.UntilAsync(
                async () => !await IsFiringAsync() || (isIdle && (await watched.QueryAsync(OthersAreBusy)).Count > 0),
                () => Task.FromResult($"{alert} goes on firing."));
        }

        await WatchedShop.UntilAsync(async () => await ShownAsync() <= above,
            async () => $"{title} is {await ShownAsync()} afterwards.");
        await watched.Shop.Orders.DeleteAsync("/faults");
        await watched.Shop.CloseAsync();
        (int code, string output) = await ShopVerb.RunAsync("check",
            $"--Shop:DataDirectory={watched.Shop.DataDirectory}");
        Assert.That(code, Is.Zero, output);

        async Task<bool> IsFiringAsync() => (await watched.QueryAsync($"ALERTS{alert}")).Count > 0;

        Task<double> ShownAsync() => TroubleTests.ShownAsync(watched, dashboard, title, part, instance);
    }

    // What starves the pool holds up scrapes, too: at this pace each has a second and a half.
    [Test]
    public async Task Given_starved_threads_when_they_wait_then_the_pool_is_seen_and_its_alert_fires_and_afterwards_all_is_as_before()
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            await using WatchedShop watched = await WatchedShop.StartAsync(Services(shop), speed: 10);
            await UntilShownAsync(waiting => waiting <= 10);
            await StartAsync(shop.Products, "starved_threads", 24);
            await UntilShownAsync(waiting => waiting > 10);
            await UntilFiringAsync(watched, "ThreadPoolStarved", 1);
            await shop.Orders.DeleteAsync("/faults");
            await UntilFiringAsync(watched, "ThreadPoolStarved", 0);
            await UntilShownAsync(waiting => waiting <= 10);

            Task UntilShownAsync(Func<double, bool> isSo) => WatchedShop.UntilAsync(
                async () => (await watched.QueryAsync("dotnet_thread_pool_queue_length")).Count > 0
                    && isSo(await ShownAsync(watched, "service", "Thread pool", "waiting", "")),
                async () => $"{await ShownAsync(watched, "service", "Thread pool", "waiting", "")} wait.", Patience);
        }

        await AgreeAsync();
    }

    [Test]
    public async Task Given_a_crash_that_nothing_mends_and_then_one_after_the_other_then_ServiceDown_and_ShopRestarting_fire_and_end()
    {
        string[] ports = [];
        ShopProcess shop = await ShopProcess.StartAsync(_directory);
        try
        {
            ports = [.. new[] { "Products", "Orders", "Inventory" }.Zip(
                Services(shop), (name, address) => $"--Shop:{name}:Port={address.Port}")];
            await using WatchedShop watched = await WatchedShop.StartAsync(Services(shop), speed: 10);
            await UntilUpAsync(3);
            await CrashAsync();
            await UntilUpAsync(0);
            await UntilFiringAsync(watched, "ServiceDown", 3);
            shop = await ShopProcess.StartAsync(_directory, ports);
            await UntilUpAsync(3);
            await UntilFiringAsync(watched, "ServiceDown", 0);

            const string Began = "process_start_time_seconds{job=\"shop-process\"}";
            const string Firing = "ALERTS{alertname=\"ShopRestarting\",alertstate=\"firing\"}";
            double seen = (await watched.QueryAsync(Began)).Single().Value;
            while ((await watched.QueryAsync(Firing)).Count == 0)
            {
                await CrashAsync();
                shop = await ShopProcess.StartAsync(_directory, ports);
                double before = seen;
                await WatchedShop.UntilAsync(
                    async () => (await watched.QueryAsync($"{Began} > {before}")) is [var start]
                        && (seen = start.Value) > before,
                    () => Task.FromResult("The new process is not scraped."), Patience);
            }

            // The mark on every dashboard.
            string[] marks =
                [.. Dashboards.Annotations.Where(
                query => query.Contains("process_start_time_seconds", StringComparison.Ordinal)).Distinct()];
            Assert.That(marks, Is.Not.Empty);
            foreach (string mark in marks) Assert.That(await watched.RangeAsync(mark, "restart"), Is.Not.Empty, mark);

            await UntilFiringAsync(watched, "ShopRestarting", 0);

            Task UntilUpAsync(int services) => WatchedShop.UntilAsync(
                async () => (await watched.QueryAsync($"sum(up{{job=~\".+-service\"}}) == {services}")).Count > 0
                    && await ShownAsync(watched, "overview", "Services", null, "") == Math.Min(1, services),
                () => Task.FromResult($"{services} services are not up."), Patience);
        }
        finally
        {
            shop.Dispose();
        }

        await AgreeAsync();

        async Task CrashAsync()
        {
            await StartAsync(shop.Products, "crash", null);
            Assert.That(await shop.ExitAsync(), Is.EqualTo(128 + 9), shop.Log);
            shop.Dispose();
        }
    }

    private static Uri[] Services(ShopProcess shop) =>
        [shop.Products.BaseAddress!, shop.Orders.BaseAddress!, shop.Inventory.BaseAddress!];

    private static Task UntilFiringAsync(WatchedShop watched, string alert, int count) => WatchedShop.UntilAsync(
        async () => (await watched.QueryAsync($"ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}")).Count == count,
        async () => $"{count} of {alert} do not fire; {string.Join(", ", await watched.AlertsAsync())} do.", Patience);

    private async Task AgreeAsync()
    {
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_directory}");
        Assert.That(code, Is.Zero, output);
    }

    // The most that a panel shows, or the one line of it.
    private static async Task<double> ShownAsync(
        WatchedShop watched, string dashboard, string title, string? part, string instance)
    {
        Panel panel = Dashboards.Panels.Single(panel => panel.Dashboard == dashboard && panel.Title == title);
        double most = 0;
        foreach (JsonNode? target in panel.Json["targets"]!.AsArray())
        {
            string query = Dashboards.Filled(
                (string)target!["expr"]!, dashboard == "overview" ? ".*" : "order-service", instance);
            string legend = (string)target["legendFormat"]!;
            foreach ((IReadOnlyDictionary<string, string> labels, double value) in await watched.QueryAsync(query))
            {
                bool isPart = part is null || legend == part || labels.Values.Contains(part);
                if (isPart && value > most) most = value;
            }
        }

        return most;
    }

    private static TestCaseData Fault(
        string name, double intensity, string dashboard, string title, string? part, double above, string? alert) =>
        new TestCaseData(name, intensity, dashboard, title, part, above, alert).SetArgDisplayNames(name, title);

    private static Task StartAsync(WatchedShop watched, string name, double intensity) =>
        StartAsync(watched.Shop.Products, name, intensity);

    private static async Task StartAsync(HttpClient shop, string name, double? intensity)
    {
        (HttpResponseMessage answer, JsonNode? json) =
            await shop.SendJsonAsync(
                HttpMethod.Put, $"/faults/{name}",
                intensity is null ? new { } : (object)new { intensity, duration_seconds = 900 });
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), json?.ToJsonString());
    }
}
