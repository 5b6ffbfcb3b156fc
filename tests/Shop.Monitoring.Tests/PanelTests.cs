using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Http;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// Each panel under known traffic (Panels/known.yml, and scale.yml for many hosts), asked of a real Prometheus that was
/// given it: the values must be those that were worked out by hand, under the legends that they belong to.
/// </summary>
[FixtureLifeCycle(LifeCycle.SingleInstance)]
internal sealed partial class PanelTests
{
    private static readonly YamlNode Known = Yaml.Load("tests", "Shop.Monitoring.Tests", "Panels", "known.yml");
    private static readonly YamlNode Scale = Yaml.Load("tests", "Shop.Monitoring.Tests", "Panels", "scale.yml");

    private readonly string _directory = Directory.CreateTempSubdirectory("shop-panels-").FullName;
    private readonly List<Process> _processes = [];
    private readonly HttpClient _client = DirectHttpClient.Create();
    private readonly long _now = DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 15 * 15;
    private Uri _busy = null!, _fresh = null!, _hosts = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _busy = await ServeAsync("busy", Known, 1);
        _fresh = await ServeAsync("fresh", Known, 0);
        _hosts = await ServeAsync("hosts", Scale, 1);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited) process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static IEnumerable<TestCaseData> Panels() =>
        from panel in Dashboards.Panels select new TestCaseData(panel).SetArgDisplayNames(panel.Dashboard, panel.Title);

    [TestCaseSource(nameof(Panels))]
    public async Task Given_known_traffic_when_a_panel_asks_then_it_shows_what_was_worked_out_by_hand(Panel panel) =>
        await ExpectAsync(_busy, panel, Known.At("panels").At(panel.Dashboard).At(panel.Title), at: _now);

    private static IEnumerable<TestCaseData> PanelsOfHosts() =>
        Dashboards.Scale.Select(panel => new TestCaseData(panel).SetArgDisplayNames(panel.Dashboard, panel.Title));

    [TestCaseSource(nameof(PanelsOfHosts))]
    public async Task Given_known_traffic_of_many_hosts_when_a_panel_asks_then_it_shows_what_was_worked_out_by_hand(
        Panel panel) => await ExpectAsync(_hosts, panel, Scale.At("panels").At(panel.Title), at: _now);

    private static IEnumerable<TestCaseData> RunningPanels() =>
        from panel in Dashboards.Panels
        where Known.At("running").At(panel.Dashboard).At(panel.Title) is not null
        select new TestCaseData(panel).SetArgDisplayNames(panel.Dashboard, panel.Title);

    [TestCaseSource(nameof(RunningPanels))]
    public async Task Given_a_load_test_that_runs_when_a_panel_asks_then_it_shows_what_was_worked_out_by_hand(
        Panel panel) =>
        // the run ends at -1500
        await ExpectAsync(_busy, panel, Known.At("running").At(panel.Dashboard).At(panel.Title), at: _now - 1510);

    [TestCaseSource(nameof(Panels))]
    public async Task Given_a_fresh_shop_that_nobody_has_asked_yet_when_a_panel_asks_then_it_gets_numbers_or_nothing(
        Panel panel)
    {
        foreach ((string legend, double value) in await AskAsync(_fresh, panel, _now))
            Assert.That(double.IsFinite(value), Is.True, $"{legend} is {value}");
        if (Known.At("fresh").At(panel.Dashboard).At(panel.Title) is { } expected)
            await ExpectAsync(_fresh, panel, expected, _now);
    }

    private static IEnumerable<TestCaseData> PanelsOfAChoice() =>
        from panel in Dashboards.Panels
        where panel.Dashboard == "overview"
            && panel.Json["targets"]!.AsArray().Any(target => (string?)target!["legendFormat"] == "{{service}}")
        select new TestCaseData(panel).SetArgDisplayNames(panel.Dashboard, panel.Title);

    [TestCaseSource(nameof(PanelsOfAChoice))]
    public async Task Given_one_service_that_is_chosen_when_a_panel_asks_then_it_shows_that_one_as_among_all(
        Panel panel)
    {
        const string Chosen = "order-service";
        Dictionary<string, double> all = await AskAsync(_busy, panel, _now),
            one = await AskAsync(_busy, panel, _now, Chosen);
        Assert.That(one, Is.EquivalentTo(new Dictionary<string, double> { [Chosen] = all[Chosen] }));
    }

    [Test]
    public async Task Given_a_shop_that_was_away_for_two_minutes_when_annotations_ask_then_its_restart_is_marked_once_on_each_dashboard()
    {
        foreach (JsonNode dashboard in Dashboards.All.Values)
        {
            string query = (string)dashboard["annotations"]!["list"]!.AsArray()
                .Single(annotation => (string)annotation!["name"]! == "Restarts")!["expr"]!;
            JsonArray result = await QueryAsync(_busy, "query_range",
                new() { ["query"] = query, ["start"] = $"{_now - 590}", ["end"] = $"{_now}", ["step"] = "15" });
            Assert.That(result.Single()!["values"]!.AsArray().Select(point => (double)point![0]! - _now),
                Is.All.InRange(-300, -270), (string)dashboard["title"]!);
        }
    }

    [Test]
    public async Task Given_a_fault_that_runs_and_others_that_do_not_when_annotations_ask_then_it_alone_is_marked_once()
    {
        foreach (JsonNode dashboard in Dashboards.All.Values)
        {
            JsonNode marks = dashboard["annotations"]!["list"]!.AsArray()
                .Single(annotation => (string)annotation!["name"]! == "Trouble on demand")!;
            JsonArray result =
                await QueryAsync(_busy, "query", new() { ["query"] = (string)marks["expr"]!, ["time"] = $"{_now}" });
            Assert.That(Legend((string)marks["titleFormat"]!, result.Single()!["metric"]!), Is.EqualTo("slow_commits"));
        }
    }

    [Test]
    public async Task Given_alerts_that_fire_and_that_are_pending_when_annotations_ask_then_those_that_fire_are_marked_without_Watchdog()
    {
        foreach (JsonNode dashboard in Dashboards.All.Values)
        {
            JsonNode marks = dashboard["annotations"]!["list"]!.AsArray()
                .Single(annotation => (string)annotation!["name"]! == "Firing alerts")!;
            JsonArray result =
                await QueryAsync(_busy, "query", new() { ["query"] = (string)marks["expr"]!, ["time"] = $"{_now}" });
            JsonNode labels = result.Single()!["metric"]!;
            Assert.That(Legend((string)marks["titleFormat"]!, labels), Is.EqualTo("ServiceDown"));
            Assert.That(Legend((string)marks["textFormat"]!, labels), Is.EqualTo("inventory-service page"));
        }
    }

    // Grafana writes the labels into each query, with the values of the span: its service and its route.
    [Test]
    public async Task Given_the_span_of_an_order_when_it_leads_to_metrics_then_they_are_those_of_its_service_and_route()
    {
        YamlNode tempo = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "traces.yml")
            .At("datasources").Items().Single(source => source.Text("uid") == "tempo");
        YamlNode metrics = tempo.At("jsonData").At("tracesToMetrics")!;
        Assert.That(metrics.Text("datasourceUid"), Is.EqualTo("prometheus"));
        var span = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["service.name"] = "order-service",
            ["http.route"] = "/orders",
        };
        string tags = string.Join(", ", metrics.At("tags").Items()
            .Select(tag => $"{tag.Text("value")}=\"{span[tag.Text("key")!]}\""));
        var shown = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (YamlNode query in metrics.At("queries").Items())
        {
            JsonArray found = await QueryAsync(_busy, "query", new()
            {
                ["query"] = query.Text("query")!.Replace("$$__tags", tags, StringComparison.Ordinal),
                ["time"] = $"{_now}",
            });
            foreach (JsonNode? sample in found)
                shown.Add($"{query.Text("name")} {sample!["metric"]!["method"]}".TrimEnd(),
                    double.Parse((string)sample["value"]![1]!, CultureInfo.InvariantCulture));
        }

        Assert.That(shown.Keys, Is.EquivalentTo(new[] { "Requests of this route POST", "p99 of this route" }));
        Assert.That(shown["Requests of this route POST"], Is.EqualTo(10).Within(1e-5));
        Assert.That(shown["p99 of this route"], Is.EqualTo(0.21).Within(1e-5), "11.88 of 12");
    }

    private async Task ExpectAsync(Uri prometheus, Panel panel, YamlNode? expected, long at)
    {
        Assert.That(expected, Is.Not.Null, $"no file of Panels says what '{panel.Title}' shows");
        Dictionary<string, double> values = await AskAsync(prometheus, panel, at);
        Assert.That(values.Keys, Is.EquivalentTo(expected.Members().Select(value => value.Key)));
        foreach ((string legend, YamlNode value) in expected.Members())
        {
            double number = double.Parse(value.ToString(), CultureInfo.InvariantCulture);
            Assert.That(values[legend], Is.EqualTo(number).Within(1e-5 * Math.Max(1, Math.Abs(number))), legend);
        }
    }

    private async Task<Dictionary<string, double>> AskAsync(
        Uri prometheus, Panel panel, long at, string? chosen = null)
    {
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        string service = chosen ?? (panel.Dashboard == "overview" ? ".*" : "order-service");
        foreach (JsonNode? target in panel.Json["targets"]!.AsArray())
        {
            string query = Dashboards.Filled((string)target!["expr"]!, service,
                instance: panel.Dashboard == "scale" ? "a:5001" : "node:9100", rateInterval: "1m", range: "1h");
            foreach (JsonNode? sample in await QueryAsync(prometheus, "query",
                new() { ["query"] = query, ["time"] = $"{at}" }))
            {
                string legend = Legend(panel, (string)target["legendFormat"]!, sample!["metric"]!);
                Assert.That(
                    values.TryAdd(legend, double.Parse((string)sample["value"]![1]!, CultureInfo.InvariantCulture)),
                    Is.True, $"{legend} is there twice");
            }
        }

        return values;
    }

    // A table has no legends: what tells its rows apart.
    private static string Legend(Panel panel, string format, JsonNode labels) => panel.Type == "table"
        ? (string?)labels["version"]
            ?? $"{labels["alertname"]} {labels["alertstate"]} {labels["severity"]} {labels["service"]}".TrimEnd()
        : Legend(format, labels);

    private static string Legend(string format, JsonNode labels) =>
        Label().Replace(format, label => (string?)labels[label.Groups["name"].Value] ?? "");

    private async Task<JsonArray> QueryAsync(Uri prometheus, string kind, Dictionary<string, string> parameters)
    {
        using var form = new FormUrlEncodedContent(parameters);
        using HttpResponseMessage response = await _client.PostAsync(new Uri(prometheus, $"/api/v1/{kind}"), form);
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.That((string)answer["status"]!, Is.EqualTo("success"), $"{parameters["query"]}: {answer["error"]}");
        return answer["data"]!["result"]!.AsArray();
    }

    // A Prometheus that has the known traffic already; with a scale of 0 nothing has ever happened.
    private async Task<Uri> ServeAsync(string name, YamlNode known, double scale)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;
        string samples = Path.Combine(folder, "samples.om");
        await File.WriteAllTextAsync(samples, Samples(known, scale));
        (int exitCode, string output) = Tools.Run("promtool", "tsdb", "create-blocks-from", "openmetrics", samples,
            Path.Combine(folder, "data"));
        Assert.That(exitCode, Is.Zero, output);
        await File.WriteAllTextAsync(Path.Combine(folder, "prometheus.yml"), "");
        string program = Tools.Need("prometheus");
        for (int attempt = 0; attempt < 5; attempt++)
        {
            int port = FreePort.Next();
            var process = Process.Start(new ProcessStartInfo(program, [$"--config.file={folder}/prometheus.yml",
                $"--storage.tsdb.path={folder}/data", $"--web.listen-address=127.0.0.1:{port}"])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!;
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
            _processes.Add(process);
            var address = new Uri($"http://127.0.0.1:{port}");
            var patience = Stopwatch.StartNew();
            while (!process.HasExited && patience.Elapsed < TimeSpan.FromSeconds(60))
            {
                if (await IsReadyAsync(address)) return address;
                await Task.Delay(50);
            }
        }

        throw new InvalidOperationException("Prometheus did not start.");
    }

    private async Task<bool> IsReadyAsync(Uri prometheus)
    {
        try
        {
            using HttpResponseMessage response = await _client.GetAsync(new Uri(prometheus, "/-/ready"));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private string Samples(YamlNode known, double scale)
    {
        var text = new StringBuilder();
        void Add(string series, int second, double value) =>
            text.Append(CultureInfo.InvariantCulture, $"{series} {value} {_now + second}\n");
        foreach ((string series, double[] rates) in OfHosts(known))
        {
            double[] a = [.. rates.Select(rate => scale * rate)];
            for (int second = -7200; second <= 0; second += 15)
            {
                // Not steady within the last minute, and begun anew in it: a rate knows, and what is no rate does not.
                // One of two hosts was quick before it was slow.
                double swing = second == -15 && !series.Contains("{instance=\"b\"", StringComparison.Ordinal) ? 5 : 0;
                double value = Grown(a, second) + (swing * a[1]);
                Add(series, second, second < -15 ? value : value - Grown(a, -30));
            }
        }

        foreach ((string series, YamlNode rates) in known.At("growing").Members())
        {
            double[] a = [.. rates.Items().Select(rate => scale * Number(rate))];
            for (int second = -7200; second <= 0; second += 15) Add(series, second, Grown(a, second));
        }

        foreach ((string series, YamlNode value) in known.At("gauges").Members())
        {
            foreach ((string one, double share) in Others(series).Prepend((series, 1)))
                for (int second = -600; second <= 0; second += 15) Add(one, second, share * Number(value));
        }

        foreach ((string series, YamlNode points) in known.At("samples").Members())
        {
            if (scale == 0 && series.StartsWith("k6_", StringComparison.Ordinal)) continue;
            YamlNode[][] all = [.. points.Items().Select(point => point.Items().ToArray())];
            foreach ((string one, double share) in Others(series).Prepend((series, 1)))
            {
                for (int i = 0; i < all.Length; i++)
                {
                    double swing = !OfTheRun().IsMatch(series) || i == all.Length - 1 ? 1 : i % 2 == 0 ? 0.5 : 1.3;
                    Add(one, (int)Number(all[i][0]), share * swing * Number(all[i][1]));
                }
            }
        }

        return text.Append("# EOF\n").ToString();

        static double Grown(double[] rates, int second) =>
            (rates[0] * (Math.Min(second, -600) + 7200)) + (rates[1] * Math.Max(0, second + 600));
    }

    // What a service counts, two hosts count: one has four of ten requests, those that are the quickest, and the other
    // has the rest. So the sum is what the file says, and neither the most nor the average is.
    private IEnumerable<(string Series, double[] Rates)> OfHosts(YamlNode known)
    {
        var all = known.At("counters").Members().ToDictionary(
            counter => counter.Key, counter => counter.Value.Items().Select(Number).ToArray(), StringComparer.Ordinal);
        foreach ((string series, double[] rates) in all)
        {
            if (series.Contains("{service=", StringComparison.Ordinal)
                || series.Contains("{currency=", StringComparison.Ordinal))
            {
                double[] most = all[Bound().Replace(series, "le=\"+Inf\"")];
                double[] quick = [.. rates.Zip(most).Select(pair => Math.Min(
                    series.Contains("_bucket{", StringComparison.Ordinal) ? pair.First : 0.4 * pair.First,
                    0.4 * pair.Second))];
                int labels = series.IndexOf('{', StringComparison.Ordinal) + 1;
                yield return (series.Insert(labels, "instance=\"a\","), quick);
                yield return (series.Insert(labels, "instance=\"b\","),
                    [.. rates.Zip(quick).Select(pair => pair.First - pair.Second)]);
                continue;
            }

            yield return (series, rates);
            foreach ((string other, double share) in Others(series))
                yield return (other, [.. rates.Select(rate => share * rate)]);
        }
    }

    // A machine that was not chosen, and Prometheus, which says of its own process what the shop says of the shop's.
    private static IEnumerable<(string Series, double Share)> Others(string series)
    {
        if (series.StartsWith("node_", StringComparison.Ordinal))
            yield return (series.Replace("node:9100", "other:9100", StringComparison.Ordinal), 0.3);
        if (series.Contains("job=\"shop-process\"", StringComparison.Ordinal)
            && !series.StartsWith("shop_", StringComparison.Ordinal))
        {
            yield return (series.Replace("shop-process", "prometheus", StringComparison.Ordinal), 3);
        }
    }

    // "now-300" is the time five minutes ago.
    private double Number(YamlNode node) => node.ToString() is ['n', 'o', 'w', .. string offset]
        ? _now + double.Parse(offset, CultureInfo.InvariantCulture)
        : double.Parse(node.ToString(), CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\{\{(?<name>\w+)\}\}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Label();

    [GeneratedRegex(@"le=""[^""]+""", RegexOptions.None, 60_000)]
    private static partial Regex Bound();

    // What k6 says of a run until now, which goes up and down.
    [GeneratedRegex(@"^k6_(\w+_duration_(p\d+|max)|checks_rate)\{", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfTheRun();
}
