using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// The real Alertmanager with the project's own configuration, and a receiver that listens: which alerts are delivered,
/// and which are not told, since another one that is told explains them.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AlertmanagerTests
{
    private static readonly (string, string)[] Service = [("service", "order-service")];
    private static readonly (string, string)[] Other = [("service", "product-service")];
    private static readonly (string, string) Node = ("instance", "node-exporter:9100");

    private readonly string _directory = Directory.CreateTempSubdirectory("shop-alerts-").FullName;
    private readonly ConcurrentDictionary<string, bool> _delivered = new(StringComparer.Ordinal);
    private readonly HttpClient _client = DirectHttpClient.Create();
    private WebApplication _receiver = null!;
    private Process _alertmanager = null!;
    private Uri _address = null!;

    [SetUp]
    public async Task Start()
    {
        string program = Tools.Need("prometheus-alertmanager");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _receiver = builder.Build();
        _receiver.Urls.Add("http://127.0.0.1:0");
        _receiver.MapPost("/{receiver}", async (string receiver, HttpRequest request) =>
        {
            JsonNode notice = (await JsonNode.ParseAsync(request.Body))!;
            foreach (JsonNode? alert in notice["alerts"]!.AsArray())
                _delivered[$"{receiver}: {Named(alert!["labels"]!)}"] = true;
        });
        await _receiver.StartAsync();
        File.WriteAllText(Path.Combine(_directory, "alertmanager.yml"), Configuration(_receiver.Urls.Single()));
        for (int attempt = 0; _address is null && attempt < 5; attempt++) await StartAsync(program);
        Assert.That(_address, Is.Not.Null, "Alertmanager did not start");
    }

    [TearDown]
    public async Task Stop()
    {
        if (_alertmanager is { HasExited: false }) _alertmanager.Kill();
        if (_alertmanager is not null) await _alertmanager.WaitForExitAsync();
        _alertmanager?.Dispose();
        if (_receiver is not null) await _receiver.DisposeAsync();
        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Test]
    public Task Given_a_service_that_is_down_then_its_own_tickets_are_not_told_and_all_others_are() => SendAsync(
        told:
        [
            Fired("ServiceDown", "page", [("job", "order-service"), ("instance", "shop:5002"), .. Service]),
            Fired("CommitsSlow", "ticket", Other),
            Fired("MachineMemoryLow", "ticket", Node),
            Fired("TargetDown", "ticket", [("job", "node"), Node]),
            Fired("TargetDown", "ticket", [("job", "shop-process"), ("instance", "shop:5001")]),
            Fired("ContainersUnnamed", "ticket", [("job", "cadvisor"), ("instance", "cadvisor:8080")]),
            Fired("WriteQueueFilling", "page", Service),
            Fired("RefundsUnusual", "ticket", ("currency", "EUR")),
        ],
        untold:
        [
            Fired("CommitsSlow", "ticket", Service),
            Fired("AvailabilityBudgetBurn", "ticket", [("window", "1d"), .. Service]),
            Fired("WritesRefused", "ticket", Service),
        ]);

    [Test]
    public Task Given_all_services_down_then_the_process_that_is_scraped_on_their_port_is_not_told() => SendAsync(
        told:
        [
            Fired("ServiceDown", "page", [("job", "product-service"), ("instance", "shop:5001"), .. Other]),
            Fired("ServiceDown", "page", [("job", "order-service"), ("instance", "shop:5002"), .. Service]),
            Fired("TargetDown", "ticket", [("job", "grafana"), ("instance", "grafana:3000")]),
        ],
        untold: [Fired("TargetDown", "ticket", [("job", "shop-process"), ("instance", "shop:5001")])]);

    [Test]
    public Task Given_the_same_trouble_as_a_page_and_as_a_ticket_then_the_page_is_told() => SendAsync(
        told:
        [
            Fired("CommitsFailing", "page", Service),
            Fired("CommitsFailing", "ticket", Other),
            Fired("AvailabilityBudgetBurn", "page", [("window", "1h"), .. Service]),
            Fired("LatencyBudgetBurn", "ticket", [("window", "3d"), .. Service]),
            Fired("DiskAlmostFull", "page", [Node, ("mountpoint", "/"), ("device", "/dev/sda1")]),
            Fired("DiskAlmostFull", "ticket", [Node, ("mountpoint", "/data"), ("device", "/dev/sdb1")]),
            Fired("DiskAlmostFull", "ticket",
                [("instance", "other:9100"), ("mountpoint", "/"), ("device", "/dev/sda1")]),
        ],
        untold:
        [
            Fired("CommitsFailing", "ticket", Service),
            Fired("AvailabilityBudgetBurn", "ticket", [("window", "3d"), .. Service]),
            Fired("DiskAlmostFull", "ticket", [Node, ("mountpoint", "/"), ("device", "/dev/sda1")]),
        ]);

    [Test]
    public Task Given_Watchdog_then_it_is_told_apart() => SendAsync(
        told: [Fired(Alerts.Watchdog, "none"), Fired("MachineMemoryLow", "ticket", Node)], untold: []);

    private static JsonObject Fired(string alert, string severity, params (string Name, string Value)[] labels)
    {
        var known = Alerts.All.Select(rule => (rule.Name, rule.Yaml.At("labels").Text("severity")));
        Assert.That(known, Has.Some.EqualTo((alert, severity)), "there is no such alert");
        var all = new JsonObject { ["alertname"] = alert, ["severity"] = severity };
        foreach ((string name, string value) in labels) all[name] = value;
        return new JsonObject { ["labels"] = all };
    }

    private static string Named(JsonNode labels) => string.Join(' ',
        labels.AsObject().OrderBy(label => label.Key, StringComparer.Ordinal)
            .Select(label => $"{label.Key}={label.Value}"));

    private async Task SendAsync(JsonObject[] told, JsonObject[] untold)
    {
        var alerts = told.Concat(untold).Select(alert => alert.DeepClone());
        using HttpResponseMessage taken = await _client.PostAsJsonAsync(new Uri(_address, "/api/v2/alerts"), alerts);
        Assert.That(taken.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        string[] toTell = Sorted(told.Select(Delivery)),
            toKeep = Sorted(untold.Select(alert => Named(alert["labels"]!)));
        string[] delivered = [], suppressed = [];
        await WatchedShop.UntilAsync(async () =>
        {
            JsonArray all = (await _client.GetFromJsonAsync<JsonArray>(new Uri(_address, "/api/v2/alerts")))!;
            suppressed = Sorted(all.Where(alert => (string)alert!["status"]!["state"]! == "suppressed")
                .Select(alert => Named(alert!["labels"]!)));
            delivered = Sorted(_delivered.Keys);
            return suppressed.SequenceEqual(toKeep) && delivered.SequenceEqual(toTell);
        }, () => Task.FromResult($"told:\n{string.Join('\n', delivered)}\nnot told:\n{string.Join('\n', suppressed)}"));
    }

    private static string Delivery(JsonObject alert)
    {
        string severity = (string)alert["labels"]!["severity"]!;
        return $"{(severity == "none" ? "watchdog" : severity)}: {Named(alert["labels"]!)}";
    }

    private static string[] Sorted(IEnumerable<string> lines) => [.. lines.Order(StringComparer.Ordinal)];

    // The project's own, with a receiver that listens in place of each, and little time to wait:
    // enough to learn which alert inhibits which.
    private static string Configuration(string receiver)
    {
        YamlNode root = Yaml.Load("monitoring", "alertmanager", "alertmanager.yml");
        foreach (YamlNode one in root.At("receivers").Items())
        {
            var map = (YamlMappingNode)one;
            string name = one.Text("name")!;
            foreach (YamlNode kind in map.Children.Keys.Where(key => key.ToString() != "name").ToArray())
                map.Children.Remove(kind);
            map.Add("webhook_configs", new YamlSequenceNode(new YamlMappingNode("url", $"{receiver}/{name}")));
        }

        foreach (YamlNode route in root.At("route").At("routes").Items().Prepend(root.At("route")!))
        {
            var map = (YamlMappingNode)route;
            map.Children[new YamlScalarNode("group_wait")] = new YamlScalarNode("1s");
            map.Children[new YamlScalarNode("group_interval")] = new YamlScalarNode("1s");
        }

        using var text = new StringWriter();
        new YamlStream(new YamlDocument(root)).Save(text, assignAnchors: false);
        return text.ToString();
    }

    // A port that was free a moment ago may be taken by now: then another one.
    private async Task StartAsync(string program)
    {
        int port = FreePort.Next();
        string[] arguments =
        [
            $"--config.file={_directory}/alertmanager.yml", $"--storage.path={_directory}/data",
            $"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ];
        _alertmanager = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        _alertmanager.BeginErrorReadLine();
        _alertmanager.BeginOutputReadLine();
        var address = new Uri($"http://127.0.0.1:{port}");
        var patience = Stopwatch.StartNew();
        while (!_alertmanager.HasExited && patience.Elapsed < TimeSpan.FromSeconds(60))
        {
            if (await IsReadyAsync(address))
            {
                _address = address;
                return;
            }

            await Task.Delay(50);
        }
    }

    private async Task<bool> IsReadyAsync(Uri address)
    {
        try
        {
            using HttpResponseMessage ready = await _client.GetAsync(new Uri(address, "/-/ready"));
            return ready.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
