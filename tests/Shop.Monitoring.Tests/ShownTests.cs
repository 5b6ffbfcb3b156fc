using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// How panels show their values (Panels/shown.yml), what their words say of them, and what a
/// reader of a dashboard can choose.
/// </summary>
internal sealed partial class ShownTests
{
    private static readonly YamlNode Shown = Yaml.Load("tests", "Shop.Monitoring.Tests", "Panels", "shown.yml");

    // What else a panel may have in Grafana would change what it shows: a time of its own, a
    // transformation, a query that is hidden.
    private static readonly string[] OfPanels =
        ["id", "type", "title", "description", "datasource", "gridPos", "fieldConfig", "options", "targets"];
    private static readonly string[] OfValues =
        ["unit", "min", "max", "decimals", "color", "thresholds", "mappings", "custom", "links"];
    private static readonly string[] OfQueries =
    [
        "datasource", "expr", "legendFormat", "refId", "range", "instant", "format", "exemplar",
    ];

    private static IEnumerable<TestCaseData> Panels() =>
        from panel in Dashboards.Panels.Concat(Dashboards.Scale)
        select new TestCaseData(panel).SetArgDisplayNames(panel.Dashboard, panel.Title);

    [TestCaseSource(nameof(Panels))]
    public void Given_a_panel_then_it_shows_its_values_as_they_are(Panel panel)
    {
        Assert.That(Looks(panel), Is.EqualTo(Shown.At(panel.Dashboard).Text(panel.Title)));
        JsonNode field = panel.Json["fieldConfig"]!;
        Assert.That(Keys(panel.Json).Where(key => key != "transformations"), Is.EquivalentTo(OfPanels));
        Assert.That(panel.Json["transformations"], panel.Type == "table" ? Is.Not.Null : Is.Null);
        Assert.That(Keys(field), Is.EquivalentTo(new[] { "defaults", "overrides" }));
        Assert.That(Keys(field["defaults"]!), Is.SubsetOf(OfValues));
        Assert.That((string?)field["defaults"]!["thresholds"]!["mode"], Is.EqualTo("absolute"));
        if (panel.Type == "timeseries")
        {
            JsonNode custom = field["defaults"]!["custom"]!;
            string drawn = $"{custom["drawStyle"]} {custom["spanNulls"]}";
            Assert.That(drawn, Is.EqualTo("line false"), "a gap is a gap");
        }
    }

    [TestCaseSource(nameof(Panels))]
    public void Given_a_panel_then_it_asks_for_what_it_shows_a_line_of_time_or_the_newest_value(Panel panel)
    {
        bool isOfTime = panel.Type is "timeseries" or "heatmap"
            || (string?)panel.Json["options"]!["graphMode"] == "area";
        JsonNode?[] targets = [.. panel.Json["targets"]!.AsArray()];
        Assert.That(targets.Select(target => (string)target!["refId"]!), Is.Unique);
        foreach (JsonNode target in targets.OfType<JsonNode>())
        {
            Assert.That(Keys(target), Is.SubsetOf(OfQueries));
            bool isRange = (bool?)target["range"] ?? false, isInstant = (bool?)target["instant"] ?? false;
            Assert.That((isRange, isInstant), Is.EqualTo((isOfTime, !isOfTime)));
            if (!isOfTime)
                Assert.That((string)target["expr"]!, Does.Not.Contain("$__rate_interval"), "of the last moment alone");
            if (isOfTime)
            {
                Assert.That(OfK6().Replace((string)target["expr"]!, ""),
                    Does.Not.Contain("$__range"), "of another time at each point");
            }

            string? format = panel.Type switch { "table" => "table", "heatmap" => "heatmap", _ => null };
            Assert.That((string?)target["format"], Is.EqualTo(format));
        }

        if (panel.Type is "stat" or "bargauge")
            Assert.That((string?)panel.Json["options"]!["reduceOptions"]!["calcs"]![0], Is.EqualTo("lastNotNull"));
    }

    [Test]
    public void Given_shown_yml_then_it_names_no_panel_that_is_not_there() => Assert.That(
        Shown.Members().SelectMany(dashboard => dashboard.Value.Members().Select(panel => (dashboard.Key, panel.Key))),
        Is.EquivalentTo(
            Dashboards.Panels.Concat(Dashboards.Scale).Select(panel => (panel.Dashboard, panel.Title))));

    /// <summary>A quantile is named by its title or description, and by its legend.</summary>
    [Test]
    public void Given_a_quantile_then_the_words_of_its_panel_say_which()
    {
        int quantiles = 0;
        foreach (Panel panel in Dashboards.Panels.Concat(Dashboards.Scale))
        {
            var shown = new HashSet<string>(StringComparer.Ordinal);
            foreach (JsonNode? target in panel.Json["targets"]!.AsArray())
            {
                foreach (Match match in Quantile().Matches((string)target!["expr"]!))
                {
                    quantiles++;
                    double percent = match.Groups["share"].Success
                        ? 100 * double.Parse(match.Groups["share"].Value, CultureInfo.InvariantCulture)
                        : double.Parse(match.Groups["percent"].Value, CultureInfo.InvariantCulture);
                    shown.Add($"{percent}");
                    string legend = (string)target["legendFormat"]!,
                        words = $"{panel.Title}. {panel.Json["description"]}";
                    Assert.That(words,
                        Does.Match(percent.Equals(50) ? @"\b[Hh]alf\b" : $@"\b{percent}( of 100|th|,| and)"),
                        panel.Title);
                    if (OfLegend().Match(legend) is { Success: true } named)
                        Assert.That(named.Value,
                            Is.EqualTo(percent.Equals(50) && legend == "median" ? "median" : $"p{percent}"),
                            panel.Title);
                }
            }

            string[] told = [.. Told().Matches($"{panel.Title}. {panel.Json["description"]}")
                .Select(match => match.Groups["percent"].Value).Distinct()];
            Assert.That(told, Is.SubsetOf(shown.Count > 0 ? shown : told), panel.Title);
        }

        Assert.That(quantiles, Is.GreaterThan(10));
    }

    private static IEnumerable<TestCaseData> Variables()
    {
        yield return new TestCaseData("overview", "service", "label_values(app_requests_total, service)", true, "All");
        yield return new TestCaseData("service", "service",
            "label_values(app_requests_total, service)", false, "order-service");
        yield return new TestCaseData("infrastructure", "instance",
            "label_values(node_uname_info, instance)", false, null);
        yield return new TestCaseData("loadtest", "testid", "label_values(k6_vus, testid)", true, "All");
    }

    [TestCaseSource(nameof(Variables))]
    public void Given_what_a_reader_can_choose_then_it_comes_from_what_is_there_and_panels_use_it(
        string dashboard, string name, string query, bool isMany, string? first)
    {
        JsonNode variable = Dashboards.All[dashboard]["templating"]!["list"]!.AsArray()
            .Single(one => (string)one!["name"]! == name)!;
        Assert.That(((string)variable["query"]!["query"]!, (string)variable["definition"]!),
            Is.EqualTo((query, query)));
        Assert.That(((bool)variable["includeAll"]!, (bool)variable["multi"]!), Is.EqualTo((isMany, isMany)));
        Assert.That((string?)variable["allValue"], Is.EqualTo(isMany ? ".*" : null));
        Assert.That((string?)variable["current"]!["text"], Is.EqualTo(first));
        string[] uses = [.. Dashboards.Panels.Where(panel => panel.Dashboard == dashboard)
            .SelectMany(panel => panel.Queries)
            .SelectMany(text => Use().Matches(text)).Where(use => use.Groups["name"].Value == name)
            .Select(use => use.Groups["how"].Value)];
        Assert.That(uses, Is.Not.Empty.And.All.EqualTo(isMany ? "=~" : "="),
            "a choice of many is a regular expression");
    }

    [Test]
    public void Given_the_variables_then_there_are_no_others_and_queries_use_none_that_is_not_there()
    {
        foreach ((string name, JsonNode dashboard) in Dashboards.All)
        {
            string[] there = [.. dashboard["templating"]!["list"]!.AsArray()
                .Select(variable => (string)variable!["name"]!)];
            Assert.That(there, Is.EquivalentTo(Variables().Where(one => (string)one.Arguments[0]! == name)
                .Select(one => (string)one.Arguments[1]!).Prepend("datasource")));
            IEnumerable<string> used = Dashboards.Panels.Where(panel => panel.Dashboard == name)
                .SelectMany(panel => panel.Queries)
                .SelectMany(query => Variable().Matches(query)).Select(match => match.Groups["name"].Value);
            Assert.That(used.Where(variable => variable is not "__rate_interval" and not "__range"),
                Is.All.AnyOf(there), name);
        }
    }

    [Test]
    public void Given_the_dashboards_then_they_show_the_last_hour_as_it_is_scraped_and_links_and_annotations_lead_to_each_other()
    {
        foreach ((string name, JsonNode dashboard) in Dashboards.All)
        {
            string time = $"{dashboard["time"]!["from"]} {dashboard["time"]!["to"]} {dashboard["refresh"]} "
                + $"{dashboard["timezone"]}";
            Assert.That(time, Is.EqualTo("now-1h now 15s browser"), name);
            string tag = (string)dashboard["links"]!.AsArray().Single()!["tags"]!.AsArray().Single()!;
            Assert.That(Dashboards.All.Values.Select(other => (string)other["tags"]![0]!), Is.All.EqualTo(tag), name);
            foreach (JsonNode annotation in dashboard["annotations"]!["list"]!.AsArray().OfType<JsonNode>())
            {
                string state = $"{annotation["enable"]} {annotation["hide"]} {annotation["datasource"]!["uid"]} "
                    + $"{annotation["step"]}";
                Assert.That(state, Is.EqualTo("true false ${datasource} 15s"), name);
                string colour = (string)annotation["name"]! switch
                {
                    "Restarts" => "purple",
                    "Trouble on demand" => "orange",
                    _ => "red",
                };
                Assert.That((string)annotation["iconColor"]!, Is.EqualTo(colour));
            }
        }
    }

    // The words of shown.yml.
    private static string Looks(Panel panel)
    {
        JsonNode field = panel.Json["fieldConfig"]!["defaults"]!;
        var words = new List<string> { panel.Type, (string)field["unit"]! };
        foreach (string key in new[] { "min", "max", "decimals" })
        {
            if (field[key] is { } bound) words.Add($"{key} {bound}");
        }

        foreach (JsonNode? step in field["thresholds"]!["steps"]!.AsArray())
            words.Add(step!["value"] is { } from ? $"{step["color"]} from {from}" : $"{step["color"]}");
        if ((string?)field["custom"]?["thresholdsStyle"]?["mode"] is { } drawn and not "off")
            words.Add($"thresholds {drawn}");
        if ((string?)field["custom"]?["stacking"]?["mode"] is { } mode and not "none")
            words.Add(mode == "normal" ? "stacked" : mode);
        foreach (JsonNode? mapping in field["mappings"]?.AsArray() ?? [])
        {
            foreach ((string value, JsonNode? shown) in mapping!["options"]!.AsObject())
                words.Add($"{value} is {shown!["text"]} in {shown["color"]}");
        }

        foreach (JsonNode? change in panel.Json["fieldConfig"]!["overrides"]!.AsArray())
        {
            var changes = change!["properties"]!.AsArray()
                .Select(one => $"{one!["id"]}={one["value"]!.ToJsonString().Replace("\"", "")}");
            words.Add($"{change["matcher"]!["options"]} {string.Join(' ', changes)}");
        }

        return string.Join(", ", words);
    }

    private static IEnumerable<string> Keys(JsonNode node) => node.AsObject().Select(member => member.Key);

    [GeneratedRegex(@"histogram_quantile\((?<share>[\d.]+)|\bk6_\w+_p(?<percent>\d+)\b",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Quantile();

    // What k6 sent last is there until the end of the chosen time.
    [GeneratedRegex(@"last_over_time\(k6_\w+\{[^}]*\}\[\$__range\]\)", RegexOptions.None, 60_000)]
    private static partial Regex OfK6();

    [GeneratedRegex(@"\b(?<percent>\d+)( of 100|th percentile)\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Told();

    [GeneratedRegex(@"^(p\d+|median)\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfLegend();

    [GeneratedRegex(@"(?<how>=~?)""\$(?<name>\w+)""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Use();

    [GeneratedRegex(@"\$(?<name>\w+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Variable();
}
