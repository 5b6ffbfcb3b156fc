using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Monitoring.Tests;

/// <summary>
/// The real shop, watched by a real Prometheus with the project's own configuration and rules. Targets are led to free
/// ports, and time runs sixty times as fast: a minute in the configuration is a second here. Node Exporter is real too;
/// cAdvisor, Alertmanager and Grafana are an exposition that the test serves.
/// </summary>
internal sealed partial class WatchedShop : IAsyncDisposable
{
    private const int Usual = 60;

    private readonly string _directory = Directory.CreateTempSubdirectory("shop-watch-").FullName;
    private readonly List<Process> _processes = [];
    private readonly HttpClient _client = DirectHttpClient.Create();
    private readonly Uri[] _services;
    private readonly int _speed;
    private WebApplication _standIns = null!;
    private Uri _prometheus = null!;
    private DateTimeOffset _start;

    private WatchedShop(Uri[] services, int speed) => (_services, _speed) = (services, speed);

    public ShopUnderTest Shop { get; private set; } = null!;

    /// <summary>Where Prometheus takes what others write, as k6 does.</summary>
    public Uri RemoteWrite => new(_prometheus, "/api/v1/write");

    public static async Task<WatchedShop> StartAsync(params string[] settings)
    {
        ShopUnderTest shop = await ShopUnderTest.StartAsync(settings);
        WatchedShop watched = await StartAsync([.. shop.ByName.Values.Select(service => service.BaseAddress!)], Usual);
        watched.Shop = shop;
        return watched;
    }

    /// <summary>Watches a shop that is a process of its own, which the caller ends.</summary>
    /// <param name="services">Its ports: products, orders, inventory.</param>
    /// <param name="speed">How many times as fast time runs: a shop that is slow to answer a
    /// scrape needs more of it.</param>
    public static async Task<WatchedShop> StartAsync(Uri[] services, int speed)
    {
        Tools.Need("prometheus");
        Tools.Need("prometheus-node-exporter");
        var watched = new WatchedShop(services, speed) { _standIns = await ServeAsync() };
        Uri node = await watched.StartUntilItAnswersAsync("/metrics",
            port => ("prometheus-node-exporter", [$"--web.listen-address=127.0.0.1:{port}"]));
        watched._prometheus = await watched.StartUntilItAnswersAsync("/-/ready", port =>
        {
            watched.WriteConfiguration(node, port);
            return ("prometheus",
                [$"--config.file={watched._directory}/prometheus.yml", $"--storage.tsdb.path={watched._directory}/data",
                    $"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"]);
        });
        watched._start = DateTimeOffset.UtcNow;
        return watched;
    }

    /// <summary>The samples that a query answers with now.</summary>
    public async Task<IReadOnlyList<(IReadOnlyDictionary<string, string> Labels, double Value)>> QueryAsync(
        string query)
    {
        using var form = new FormUrlEncodedContent([new("query", query)]);
        using HttpResponseMessage response = await _client.PostAsync(new Uri(_prometheus, "/api/v1/query"), form);
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.That((string)answer["status"]!, Is.EqualTo("success"), $"{query}: {answer["error"]}");
        return [.. answer["data"]!["result"]!.AsArray().Select(sample => (
            (IReadOnlyDictionary<string, string>)sample!["metric"]!.AsObject()
                .ToDictionary(label => label.Key, label => (string)label.Value!, StringComparer.Ordinal),
            double.Parse((string)sample["value"]![1]!, CultureInfo.InvariantCulture)))];
    }

    /// <summary>
    /// What a query answers with since the start, or over the last two minutes where that is
    /// shorter; each series by its legend.
    /// </summary>
    public async Task<IReadOnlyList<(string Name, IReadOnlyList<(double At, double Value)> Points)>> RangeAsync(
        string query, string legend)
    {
        double now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000d,
            since = Math.Min(120, now - (_start.ToUnixTimeMilliseconds() / 1000d));
        double start = now - (Math.Floor(since / 0.5) * 0.5); // so that the last step is now
        using var form = new FormUrlEncodedContent(
            [new("query", query), new("start", $"{start}"), new("end", $"{now}"), new("step", "0.5")]);
        using HttpResponseMessage response = await _client.PostAsync(new Uri(_prometheus, "/api/v1/query_range"), form);
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.That((string)answer["status"]!, Is.EqualTo("success"), $"{query}: {answer["error"]}");
        return [.. answer["data"]!["result"]!.AsArray().Select(series => (
            Missing()
                .Replace(
                series!["metric"]!.AsObject()
                .Aggregate(legend, (name, label) => name.Replace($"{{{{{label.Key}}}}}", (string)label.Value!)), "")
                .Trim(),
            (IReadOnlyList<(double, double)>)[.. series["values"]!.AsArray().Select(
                point => ((double)point![0]!, double.Parse((string)point[1]!, CultureInfo.InvariantCulture)))]))];
    }

    public async Task<JsonNode> ApiAsync(string path) =>
        JsonNode.Parse(await _client.GetStringAsync(new Uri(_prometheus, path)))!["data"]!;

    /// <summary>The alerts that are pending or firing.</summary>
    public async Task<IReadOnlyList<string>> AlertsAsync() =>
        [.. (await ApiAsync("/api/v1/alerts"))["alerts"]!.AsArray()
            .Select(alert => (string)alert!["labels"]!["alertname"]!).Distinct(StringComparer.Ordinal)];

    public Task UntilAlertAsync(string alert) => UntilAsync(async () => (await AlertsAsync()).Contains(alert),
        async () => $"{alert} is not raised; {string.Join(", ", await AlertsAsync())} are");

    /// <summary>Waits for a condition, for as long as a slow machine may need.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<Task<string>> whatIsWrong, int seconds = 90)
    {
        var patience = Stopwatch.StartNew();
        while (!await condition())
        {
            if (patience.Elapsed > TimeSpan.FromSeconds(seconds)) Assert.Fail(await whatIsWrong());
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited) process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _standIns.DisposeAsync();
        if (Shop is not null) await Shop.DisposeAsync();
        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>So many times as fast: if it is sixty, 5m becomes 5s.</summary>
    public static string Faster(string rules, int speed = Usual) => Duration().Replace(rules, match =>
    {
        long seconds = long.Parse(match.Groups["number"].Value)
            * match.Groups["unit"].Value switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };
        return $"{Math.Max(500, seconds * 1000 / speed)}ms";
    });

    private void WriteConfiguration(Uri node, int port)
    {
        var targets = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["shop:5001"] = _services[0].Authority,
            ["shop:5002"] = _services[1].Authority,
            ["shop:5003"] = _services[2].Authority,
            ["node-exporter:9100"] = node.Authority,
            ["cadvisor:8080"] = new Uri(_standIns.Urls.First()).Authority,
            ["grafana:3000"] = new Uri(_standIns.Urls.Last()).Authority,
            ["localhost:9090"] = $"127.0.0.1:{port}",
            ["alertmanager:9093"] = new Uri(_standIns.Urls.Last()).Authority,
        };
        string configuration = targets.Aggregate(Repository.Text("monitoring", "prometheus", "prometheus.yml"),
            (text, target) => text.Replace($"[{target.Key}]", $"[\"{target.Value}\"]"));
        Assert.That(configuration, Does.Not.Contain("targets: [shop"));
        string interval = $"{Math.Max(500, 15_000 / _speed)}ms";
        configuration = configuration.Replace("scrape_timeout: 10s", $"scrape_timeout: {interval}")
            .Replace("interval: 15s", $"interval: {interval}");
        File.WriteAllText(Path.Combine(_directory, "prometheus.yml"), configuration);
        Directory.CreateDirectory(Path.Combine(_directory, "rules"));
        foreach (string rules in Directory.GetFiles(Repository.PathOf("monitoring", "prometheus", "rules")))
            File.WriteAllText(
                Path.Combine(_directory, "rules", Path.GetFileName(rules)),
                FasterRules(File.ReadAllText(rules), _speed));
    }

    // Windows in brackets and "for": names such as rate5m stay.
    public static string FasterRules(string rules, int speed) =>
        Window().Replace(rules, match => Faster(match.Value, speed))
        .Replace("4 * 3600", $"4 * {3600 / speed}").Replace("24 * 3600", $"24 * {3600 / speed}");

    // A port that was free a moment ago may be taken by now: then another one.
    private async Task<Uri> StartUntilItAnswersAsync(
        string path, Func<int, (string Program, string[] Arguments)> command)
    {
        for (int attempt = 0; attempt < 5; attempt++)
        {
            int port = FreePort.Next();
            (string program, string[] arguments) = command(port);
            var process = Process.Start(new ProcessStartInfo(Tools.Need(program), arguments)
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
            _processes.Add(process);
            var address = new Uri($"http://127.0.0.1:{port}");
            var patience = Stopwatch.StartNew();
            while (!process.HasExited && patience.Elapsed < TimeSpan.FromSeconds(60))
            {
                if (await AnswersAsync(new Uri(address, path))) return address;
                await Task.Delay(100);
            }
        }

        throw new InvalidOperationException("It did not start.");
    }

    private async Task<bool> AnswersAsync(Uri address)
    {
        try
        {
            using HttpResponseMessage response = await _client.GetAsync(address);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<WebApplication> ServeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        string[] files = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Exposition"), "*.prom");
        string exposition = string.Concat(await Task.WhenAll(files.Select(file => File.ReadAllTextAsync(file))));
        app.Run(http =>
        {
            http.Response.ContentType = "text/plain; version=0.0.4";
            return http.Response.WriteAsync(exposition);
        });
        await app.StartAsync();
        return app;
    }

    [GeneratedRegex(@"\{\{\w+\}\}", RegexOptions.None, 60_000)]
    private static partial Regex Missing();

    [GeneratedRegex(@"(?<number>\d+)(?<unit>[smhd])", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Duration();

    [GeneratedRegex(@"\[[0-9smhd:]+\]|(?<=(for|interval): )\S+", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Window();
}
