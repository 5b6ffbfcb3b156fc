using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>A panel of a dashboard.</summary>
internal sealed record Panel(string Dashboard, JsonNode Json)
{
    public string Title => (string)Json["title"]!;

    public string Type => (string)Json["type"]!;

    public IEnumerable<string> Queries => Json["targets"]?.AsArray().Select(target => (string)target!["expr"]!) ?? [];
}

/// <summary>The dashboards as they are in the repository.</summary>
internal static class Dashboards
{
    /// <summary>The one that shows a load test, and is empty without.</summary>
    public const string LoadTest = "loadtest";

    public static IReadOnlyDictionary<string, JsonNode> All { get; } =
        Directory.GetFiles(Repository.PathOf("monitoring", "grafana", "dashboards"), "*.json")
            .ToDictionary(file => Path.GetFileNameWithoutExtension(file),
                file => JsonNode.Parse(File.ReadAllText(file))!, StringComparer.Ordinal);

    public static IEnumerable<Panel> Panels => from dashboard in All
                                               from panel in dashboard.Value["panels"]!.AsArray()
                                               where (string)panel!["type"]! != "row"
                                               select new Panel(dashboard.Key, panel);

    /// <summary>Those of the dashboard of many hosts, which stands apart.</summary>
    public static IReadOnlyList<Panel> Scale { get; } =
        [.. JsonNode.Parse(Repository.Text("monitoring", "grafana", "scale", "scale.json"))!["panels"]!.AsArray()
            .Where(panel => (string)panel!["type"]! != "row").Select(panel => new Panel("scale", panel!))];

    public static IEnumerable<string> Annotations => All.Values.SelectMany(
        dashboard => dashboard["annotations"]!["list"]!.AsArray()).Select(annotation => (string)annotation!["expr"]!);

    /// <summary>A query as Grafana would send it. A rate interval of a minute is a second here.</summary>
    public static string Filled(string query, string service, string instance) =>
        Filled(query, service, instance, "5s", "60s").Replace("[1h]", "[60s]");

    /// <summary>A query as Grafana would send it, for a time and a resolution; all runs of load tests.</summary>
    public static string Filled(
        string query, string service, string instance, string rateInterval, string range) => query
            .Replace("$__rate_interval", rateInterval).Replace("$__range", range).Replace("$service", service)
            .Replace("$instance", instance).Replace("$testid", ".*");
}
