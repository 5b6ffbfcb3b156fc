using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// What one file expects of another: names of jobs, alerts, receivers, records and panels, windows and how long
/// Prometheus keeps what they read.
/// </summary>
internal sealed partial class ContractTests
{
    private static readonly YamlNode Alertmanager = Yaml.Load("monitoring", "alertmanager", "alertmanager.yml");

    private static IEnumerable<(string Name, YamlNode Yaml)> Records =>
        from @group in Yaml.Load("monitoring", "prometheus", "rules", "recording.yml").At("groups").Items()
        from rule in @group.At("rules").Items()
        select (rule.Text("record")!, rule);

    private static string[] Jobs =>
        [.. Yaml.Load("monitoring", "prometheus", "prometheus.yml").At("scrape_configs").Items()
            .Select(job => job.Text("job_name")!)];

    private static IEnumerable<string> Runbooks =>
        Directory.GetFiles(Repository.PathOf("docs", "runbooks"), "*.md").Select(file => Path.GetFileName(file));

    private static IEnumerable<string> Expressions =>
    [
        .. Alerts.All.Select(alert => alert.Yaml.Text("expr")!),
        .. Records.Select(record => record.Yaml.Text("expr")!),
        .. Dashboards.Panels.SelectMany(panel => panel.Queries),
    ];

    [Test]
    public void Given_the_jobs_of_Prometheus_then_each_is_missed_if_it_is_gone_and_those_of_the_shop_are_services()
    {
        string missing = Alerts.All.Single(alert => alert.Name == "TargetMissing").Yaml.Text("expr")!;
        string[] services = ["product-service", "order-service", "inventory-service"];
        Assert.That(Absent().Matches(missing).Select(match => match.Groups["job"].Value), Is.EquivalentTo(Jobs));
        Assert.That(Jobs.Where(job => job.EndsWith("-service", StringComparison.Ordinal)), Is.EquivalentTo(services));
    }

    [Test]
    public void Given_jobs_that_queries_name_then_Prometheus_has_them()
    {
        var named = Expressions.Concat(Dashboards.Annotations).SelectMany(text => Job().Matches(text))
            .Select(match => match.Groups["job"].Value);
        Assert.That(named.Distinct(), Is.SubsetOf(Jobs));
    }

    [Test]
    public void Given_the_rules_of_inhibition_then_alerts_labels_and_receivers_that_they_name_are_there()
    {
        IEnumerable<YamlNode> rules = Alertmanager.At("inhibit_rules").Items();
        IEnumerable<YamlNode> routes = Alertmanager.At("route").At("routes").Items();
        string[] matchers =
        [
            .. rules.SelectMany(rule => rule.At("source_matchers").Items().Concat(rule.At("target_matchers").Items()))
                .Concat(routes.SelectMany(route => route.At("matchers").Items())).Select(matcher => matcher.ToString()),
        ];
        IEnumerable<string> Named(string label) => from matcher in matchers
                                                   let match = Matcher().Match(matcher)
                                                   where match.Groups["label"].Value == label
                                                   select match.Groups["value"].Value;
        Assert.That(matchers, Is.All.Matches(Matcher().ToString()));
        Assert.That(Named("alertname").Distinct(), Is.SubsetOf(Alerts.All.Select(alert => alert.Name)));
        Assert.That(Named("severity").Distinct(),
            Is.SubsetOf(Alerts.All.Select(alert => alert.Yaml.At("labels").Text("severity"))));
        Assert.That(Named("job").Distinct(), Is.SubsetOf(Jobs));
        // The label by which a service's tickets follow it: up has none of its own.
        Alert down = Alerts.All.Single(alert => alert.Name == "ServiceDown");
        Assert.That(down.Yaml.At("labels").Text("service"), Is.EqualTo("{{ $labels.job }}"));
        var receivers = Alertmanager.At("receivers").Items().Select(receiver => receiver.Text("name"));
        Assert.That(routes.Prepend(Alertmanager.At("route")!).Select(route => route.Text("receiver")),
            Is.EquivalentTo(receivers));
    }

    [Test]
    public void Given_a_recording_rule_then_something_uses_it_and_what_is_used_is_there()
    {
        string runbooks = string.Concat(Runbooks.Select(page => Repository.Text("docs", "runbooks", page)));
        string[] used = [.. Expressions.Append(runbooks).SelectMany(text => Record().Matches(text))
            .Select(match => match.Value).Distinct()];
        Assert.That(used, Is.EquivalentTo(Records.Select(record => record.Name).Distinct()));
    }

    [Test]
    public void Given_the_longest_window_then_Prometheus_keeps_what_it_reads_and_the_budget_panels_and_runbooks_name_it()
    {
        int longest = Expressions.SelectMany(text => Days().Matches(text))
            .Max(match => int.Parse(match.Groups["days"].Value));
        Assert.That(longest, Is.EqualTo(30));
        foreach (string file in new[] { "docker-compose.yml", "monitoring/load.compose.yml" })
        {
            YamlNode? command = Yaml.Load(file.Split('/')).At("services").At("prometheus").At("command");
            string retention = command.Items().Select(flag => flag.ToString())
                .Single(flag => flag.Contains("retention.time"));
            Assert.That(int.Parse(Retention().Match(retention).Groups["days"].Value), Is.GreaterThan(longest), file);
        }

        foreach (Panel panel in Dashboards.Panels.Where(
            panel => panel.Title.EndsWith("budget left", StringComparison.Ordinal)))
        {
            Assert.That(panel.Queries.Single(), Does.Contain($"ratio_rate{longest}d"), panel.Title);
            Assert.That((string)panel.Json["description"]!, Does.Contain($"over {longest} days"), panel.Title);
        }

        foreach (string alert in new[] { "AvailabilityBudgetBurn", "LatencyBudgetBurn" })
        {
            string page = Repository.Text("docs", "runbooks", $"{alert}.md");
            Assert.That(page,
                Does.Contain($"over {longest} days").And.Contain($"budget left* is of the same {longest} days"));
            foreach (Alert rule in Alerts.All.Where(rule => rule.Name == alert))
                Assert.That(rule.Yaml.At("annotations").Text("summary"), Does.Contain($"of a {longest}-day budget"));
        }
    }

    [Test]
    public void Given_the_runbooks_then_the_words_that_they_look_for_in_the_log_are_the_shops()
    {
        string source = string.Concat(
            Directory.GetFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        string[] searches = [.. Runbooks.SelectMany(page => LogSearch()
            .Matches(Repository.Text("docs", "runbooks", page)).Select(match => $"{page}: {match}"))];
        Assert.That(searches, Has.Length.GreaterThan(10));
        Assert.That(searches.Where(search => !source.Contains(WordsOf(search), StringComparison.Ordinal)), Is.Empty);

        // The line of a refusal has method, path and status as parameters.
        static string WordsOf(string search) => search.Contains("answered", StringComparison.Ordinal)
            ? "{Method} {Path} answered {Status}"
            : LogSearch().Match(search).Groups["words"].Value;
    }

    /// <summary>A status or a reason that nothing has finds nothing, and so nothing seems to be wrong.</summary>
    [Test]
    public void Given_the_runbooks_then_what_their_queries_ask_for_is_what_rules_and_panels_ask_for()
    {
        var known = Expressions.Concat(Dashboards.Scale.SelectMany(panel => panel.Queries))
            .Append(Repository.Text("monitoring", "prometheus", "scale", "alerts.yml"))
            .SelectMany(Asked).ToHashSet();
        (string Page, string Metric, string Matcher)[] asked = [..
            from file in Directory.GetFiles(Repository.PathOf("docs", "runbooks"), "*.md", SearchOption.AllDirectories)
            from line in File.ReadLines(file)
            where line.StartsWith("    ", StringComparison.Ordinal) && !line.TrimStart().StartsWith('{')
            from part in Asked(line)
            select (Path.GetFileName(file), part.Metric, part.Matcher)];
        Assert.That(asked, Has.Length.GreaterThan(40));
        Assert.That(asked.Where(part => !known.Contains((part.Metric, part.Matcher))), Is.Empty);

        // Each metric alone, and each with each of its matchers.
        static IEnumerable<(string Metric, string Matcher)> Asked(string text) =>
            Selector().Matches(NoMetric().Replace(text, "")).SelectMany(selector =>
                LabelMatcher().Matches(selector.Groups["matchers"].Value).Select(matcher => matcher.Value).Prepend("")
                    .Select(matcher => (selector.Groups["metric"].Value, matcher)));
    }

    [TestCase("README.md")]
    [TestCase("SECURITY.md")]
    [TestCase("docs")]
    [TestCase("loadtest/README.md")]
    [TestCase("monitoring/README.md")]
    public void Given_pages_that_name_metrics_then_the_shop_has_each(string where)
    {
        string source = string.Concat(
            Directory.GetFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        // README.md's example of a metric of one's own, and one that the library for metrics has.
        string[] others = ["order_lookups_total", "dotnet_total_memory_bytes"];
        string path = Repository.PathOf(where.Split('/'));
        string[] pages = File.Exists(path) ? [path] : Directory.GetFiles(path, "*.md", SearchOption.AllDirectories);
        var named = pages.SelectMany(page => OwnMetric().Matches(File.ReadAllText(page)))
            .Select(match => match.Groups["metric"].Value).Except(others).ToHashSet(StringComparer.Ordinal);
        Assert.That(named.Where(metric => !source.Contains($"\"{metric}\"", StringComparison.Ordinal)), Is.Empty);
        if (where == "docs") Assert.That(named, Has.Count.GreaterThan(30));
    }

    [TestCaseSource(nameof(Runbooks))]
    public void Given_a_runbook_then_the_panels_that_it_leads_to_are_there(string page)
    {
        string text = Repository.Text("docs", "runbooks", page);
        var titles = Dashboards.All.Values
            .SelectMany(
                dashboard => dashboard["panels"]!.AsArray().Concat(dashboard["annotations"]!["list"]!.AsArray()))
            .Select(panel => (string?)panel!["title"] ?? (string)panel["name"]!).ToHashSet(StringComparer.Ordinal);
        Assert.That(Emphasis().Matches(text).Select(match => match.Groups["title"].Value).Distinct(),
            Is.SubsetOf(titles));
    }

    /// <summary>
    /// Those rules of Grafana's dashboard linter that make sense here; monitoring/README.md says why the others do not.
    /// </summary>
    [Test]
    public void Given_a_panel_then_its_rates_follow_the_resolution_and_its_counters_are_rates_and_its_variables_follow_the_time()
    {
        foreach (Panel panel in Dashboards.Panels)
        {
            foreach (string query in panel.Queries)
            {
                Assert.That(Rate().Matches(query).Select(match => match.Groups["window"].Value),
                    Is.All.EqualTo("$__rate_interval"), panel.Title);
                // k6's totals are of one run, and begin at what it has sent first: what counts is the last.
                string bare = Counter().Replace(query, "");
                Assert.That(bare, Does.Not.Match(@"\w+_total\b"), panel.Title);
                Assert.That(RunsApart().Count(query),
                    Is.EqualTo(K6().Count(query)), $"{panel.Title}: of no certain run");
            }
        }

        var variables = Dashboards.All.Values.SelectMany(dashboard => dashboard["templating"]!["list"]!.AsArray());
        foreach (JsonNode? variable in variables.Where(variable => (string)variable!["type"]! == "query"))
            Assert.That((int)variable!["refresh"]!, Is.EqualTo(2), (string)variable["name"]!);
    }

    /// <summary>What the shop answers for: in rules, panels and runbooks, a 501 or a 505 is no error.</summary>
    [Test]
    public void Given_a_query_of_5xx_then_what_clients_provoke_is_not_in_it()
    {
        const string Own = "code=~\"5..\",code!~\"501|505\"";
        IEnumerable<string> texts =
            Expressions.Concat(Runbooks.Select(page => Repository.Text("docs", "runbooks", page)));
        foreach (string text in texts)
            Assert.That(Failures().Matches(text).Select(match => match.Value), Is.All.EqualTo(Own), text);
    }

    [Test]
    public void Given_a_panel_of_what_must_be_nothing_then_anything_else_is_red()
    {
        (string, double?)[] onlyNothing = [("red", null), ("green", 0), ("red", 1)];
        foreach (Panel panel in Dashboards.Panels.Where(
            panel => panel.Title is "Orders unaccounted" or "Units unaccounted" or "Units oversold"))
        {
            JsonArray steps = panel.Json["fieldConfig"]!["defaults"]!["thresholds"]!["steps"]!.AsArray();
            Assert.That(steps.Select(step => ((string)step!["color"]!, (double?)step["value"])),
                Is.EqualTo(onlyNothing), panel.Title);
        }
    }

    [GeneratedRegex(@"(?<![\w""])((?<metric>(?!ALERTS)[a-zA-Z][\w:]*)\{(?<matchers>[^}]*)\}"
        + @"|(?<metric>[a-z][a-z0-9:]*_[\w:]+)(?![\w:{]|\s*\())", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Selector();

    [GeneratedRegex(@"\w+(=~|!~|!=|=)""[^""]*""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LabelMatcher();

    [GeneratedRegex(@"\b(by|on|without|group_left|group_right) ?\([^)]*\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NoMetric();

    [GeneratedRegex(
        @"\b(?<metric>(app|db|dotnet|http_requests|inventory|orders?|products?|shop)_[a-z0-9_]*"
        + @"(total|seconds|bytes|size|depth|limit|in_progress|by_status|open|level|active|intensity|value|lines|"
        + @"products|processors|threads|length|disagree|info))(_bucket|_sum|_count)?\b",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex OwnMetric();

    [GeneratedRegex(@"\|= ""(?<words>[^""]+)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LogSearch();

    [GeneratedRegex(@"absent\(up\{job=""(?<job>[\w-]+)""\}\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Absent();

    [GeneratedRegex(@"\bjob=""(?<job>[\w-]+)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Job();

    [GeneratedRegex(@"^(?<label>\w+) =~? ""(?<value>[^""]*)""$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Matcher();

    [GeneratedRegex(@"service:\w+:\w+", RegexOptions.None, 1000)]
    private static partial Regex Record();

    [GeneratedRegex(@"\[(?<days>\d+)d\]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Days();

    [GeneratedRegex(@"=(?<days>\d+)d$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Retention();

    [GeneratedRegex(@"(?<!\*)\*(?<title>[A-Z][^*\n]+)\*(?!\*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Emphasis();

    [GeneratedRegex(@"\b(rate|irate)\([^\[\]]*\[(?<window>[^\]]+)\]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rate();

    [GeneratedRegex(@"\b((rate|increase|last_over_time)\(\w+_total(\{[^}]*\})?\[|count\(\w+_total(\{[^}]*\})?\))",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Counter();

    [GeneratedRegex(@"\bk6_\w+", RegexOptions.None, 1000)]
    private static partial Regex K6();

    [GeneratedRegex(@"\bk6_\w+\{testid=~""\$testid""", RegexOptions.None, 1000)]
    private static partial Regex RunsApart();

    [GeneratedRegex(@"code=~""5[^}]*", RegexOptions.None, 1000)]
    private static partial Regex Failures();
}
