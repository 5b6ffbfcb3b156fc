using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// What Tempo, Loki, Grafana, Prometheus and the shop expect of each other, since their images
/// can't be run by every test.
/// </summary>
internal sealed class TraceFilesTests
{
    private static readonly YamlNode Overlay = Yaml.Load("monitoring", "traces.compose.yml").At("services")!;

    [Test]
    public void Given_the_overlay_then_the_shop_sends_to_where_Tempo_and_Loki_take_it()
    {
        YamlNode tempo = Yaml.Load("monitoring", "tempo", "tempo.yml"),
            loki = Yaml.Load("monitoring", "loki", "loki.yml");
        var sent = Overlay.At("shop").At("environment").Members()
            .ToDictionary(variable => variable.Key, variable => variable.Value.ToString());
        string taken = tempo.At("distributor").At("receivers").At("otlp").At("protocols").At("http").Text("endpoint")!;
        Assert.That(sent["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
            Is.EqualTo($"http://tempo:{taken.Split(':')[1]}/v1/traces"));
        Assert.That(sent["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"],
            Is.EqualTo($"http://loki:{loki.At("server").Text("http_listen_port")}/otlp/v1/logs"));
        Assert.That(sent["OTEL_EXPORTER_OTLP_PROTOCOL"], Is.EqualTo("http/protobuf"));
    }

    [TestCase("tempo", 3200)]
    [TestCase("loki", 3100)]
    public void Given_a_store_of_the_overlay_then_it_is_pinned_bounded_watched_and_published_to_nobody(
        string name, int port)
    {
        YamlNode service = Overlay.At(name)!, config = Yaml.Load("monitoring", name, $"{name}.yml");
        Assert.That(service.Text("image"),
            Does.Match($@"^docker\.io/grafana/{name}:\d+\.\d+\.\d+(@sha256:[0-9a-f]{{64}})?$"));
        Assert.That(service.Text("mem_limit"), Does.Match(@"^\d+m$"));
        Assert.That(service.Text("read_only"), Is.EqualTo("true"));
        Assert.That(service.At("cap_drop").Items().Single().ToString(), Is.EqualTo("ALL"));
        Assert.That(service.At("logging").At("options").Text("max-size"), Is.Not.Null);
        Assert.That(service.At("ports"), Is.Null);
        Assert.That(config.At("server").Text("http_listen_port"), Is.EqualTo($"{port}"));
        Assert.That(service.At("healthcheck").At("test").Items().Last().ToString(),
            Is.EqualTo($"http://localhost:{port}/ready"));
        Assert.That(service.At("volumes").Items().Select(mount => mount.ToString()),
            Has.One.EqualTo($"./monitoring/{name}:/etc/{name}:ro,z").And.One.StartsWith($"{name}-data:"));
        Assert.That(service.At("networks").Items().Select(network => network.ToString()),
            Is.EquivalentTo(new[] { "default", "dashboards" }), "the shop sends, and Grafana asks");
    }

    [Test]
    public void Given_the_sources_of_Grafana_then_a_dot_leads_to_a_trace_a_trace_to_its_lines_and_a_line_back()
    {
        YamlNode prometheus = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "prometheus.yml")
            .At("datasources").Items().Single();
        var sources = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "traces.yml").At("datasources")
            .Items().ToDictionary(source => source.Text("uid")!);
        Assert.That(sources.Select(source => $"{source.Value.Text("type")} {source.Value.Text("url")}"),
            Is.EqualTo(new[] { "tempo http://tempo:3200", "loki http://loki:3100" }));
        YamlNode dot = prometheus.At("jsonData").At("exemplarTraceIdDestinations").Items().Single();
        Assert.That((dot.Text("name"), dot.Text("datasourceUid")),
            Is.EqualTo(("trace_id", "tempo")), "as the shop names it");
        YamlNode lines = sources["tempo"].At("jsonData").At("tracesToLogsV2")!;
        Assert.That(lines.Text("datasourceUid"), Is.EqualTo("loki"));
        Assert.That(lines.Text("query"),
            Is.EqualTo("{service_name=\"$${__span.tags[\"service.name\"]}\"} | trace_id=\"$${__trace.traceId}\""));
        YamlNode back = sources["loki"].At("jsonData").At("derivedFields").Items().Single();
        Assert.That((back.Text("datasourceUid"), back.Text("matcherRegex")), Is.EqualTo(("tempo", "trace_id")));
        foreach (string file in new[] { "docker-compose.yml", "monitoring/load.compose.yml" })
        {
            IEnumerable<string> command = Yaml.Load(file.Split('/')).At("services").At("prometheus").At("command")
                .Items().Select(flag => flag.ToString());
            Assert.That(command, Has.One.EqualTo("--enable-feature=exemplar-storage"),
                $"{file}: else there are no dots");
        }
    }

    [TestCase("service", "=\"$service\"")]
    [TestCase("overview", "=~\"$service\"")]
    public void Given_the_row_of_traces_then_it_is_closed_until_it_is_wanted_and_asks_Tempo_and_Loki_for_the_chosen_service(
        string dashboard, string chosen)
    {
        JsonNode row = Dashboards.All[dashboard]["panels"]!.AsArray()
            .Single(panel => (string)panel!["title"]! == "Traces")!;
        Assert.That(((string)row["type"]!, (bool)row["collapsed"]!),
            Is.EqualTo(("row", true)), "without Tempo it would be an error");
        var asked = row["panels"]!.AsArray().Select(panel => panel!["targets"]!.AsArray().Single()!)
            .Select(target => $"{target["datasource"]!["uid"]} {(string?)target["query"] ?? (string?)target["expr"]}");
        Assert.That(asked, Is.EqualTo(new[]
        {
            $"tempo {{ resource.service.name{chosen} && kind = server && duration > 100ms }}",
            $"tempo {{ resource.service.name{chosen} && kind = server && status = error }}",
            $"loki {{service_name{chosen}}}",
        }));
        Assert.That(Dashboards.Panels.Where(panel => panel.Dashboard == dashboard)
                .SelectMany(panel => panel.Json["targets"]!.AsArray())
                .Where(target => (bool?)target!["exemplar"] == true).Select(target => (string)target!["expr"]!),
            Is.Not.Empty.And.All.Contains("_bucket"));
    }
}
