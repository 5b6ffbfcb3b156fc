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

    private static string[] Pages =>
    [
        .. Directory.GetFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories),
        .. Directory.GetFiles(Repository.Root, "*.md"), Repository.PathOf("monitoring", "README.md"),
        Repository.PathOf("loadtest", "README.md"), Repository.PathOf("benchmarks", "README.md"),
        Repository.PathOf("benchmarks", "RESULTS.md"),
    ];

    [Test]
    public void Given_the_pages_then_their_links_lead_to_files_and_headings_that_are_there()
    {
        int links = 0;
        foreach (string page in Pages)
        {
            foreach (Match link in Link().Matches(Block().Replace(File.ReadAllText(page), "")))
            {
                string path = link.Groups["path"].Value, heading = link.Groups["heading"].Value;
                string target = path.Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, path);
                Assert.That(Path.Exists(target), Is.True, $"{page}: {link}");
                links++;
                if (heading.Length == 0) continue;
                var headings = Heading().Matches(Block().Replace(File.ReadAllText(target), "")).Select(match =>
                    NoAnchor().Replace(match.Groups["words"].Value.ToLowerInvariant(), "").Replace(' ', '-'));
                Assert.That(headings, Has.Some.EqualTo(heading), $"{page}: {link}");
            }
        }

        Assert.That(links, Is.GreaterThan(150));
    }

    [Test]
    public void Given_settings_that_pages_and_files_of_Compose_name_then_the_shop_reads_each()
    {
        string source = string.Concat(
            Directory.GetFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        string[] files = [.. Pages, .. new[] { "scale.compose.yml", "Dockerfile", "Dockerfile.runtime" }
            .Select(file => Repository.PathOf(file))];
        string[] named = [.. files.SelectMany(file => Setting().Matches(File.ReadAllText(file)))
            .Select(match => match.Value.Replace("__", ":", StringComparison.Ordinal)).Distinct()];
        Assert.That(named, Has.Length.GreaterThan(25));
        // Those of a service begin with its name.
        Assert.That(named.Where(name => !source.Contains($"\"{name}\"", StringComparison.Ordinal)
            && !OfService().IsMatch(name)), Is.Empty);
    }

    private static IEnumerable<TestCaseData> SaidOfRules()
    {
        // A page, a piece of an expression or the time of a rule, and the words that mean the same.
        (string Alert, string Rule, string Words)[] said =
        [
            ("AvailabilityBudgetBurn", "code!~\"501|505\"", "except 501 and 505"),
            ("AvailabilityBudgetBurn", "[1h])) > 9", "fewer than ten never raise"),
            ("LatencyBudgetBurn", "le=\"0.1\"", "longer than 100 ms"),
            ("LatencyBudgetBurn", "> 9", "fewer than ten slow requests never raise"),
            ("ClockNotSynchronised", "_seconds >= 16", "by 16 seconds or more"),
            ("ClockOff", "> 50", "more than 50 ms off"),
            ("CommitsFailing", "> 1", "more than one write in a hundred fails"),
            ("CommitsFailing", "[5m])) > 9", "at least ten in five minutes"),
            ("CommitsFailing", "[15m])) > 0", "a single failed write opens a ticket"),
            ("CommitsSlow", "histogram_quantile(0.99", "One in a hundred commits"),
            ("CommitsSlow", "> 250", "longer than 250 ms"),
            ("ContainerMemoryNearLimit", "> 90", "more than 90 %"),
            ("DiskAlmostFull", "< 5", "Less than 5 % of a disk is free (a ticket)"),
            ("DiskAlmostFull", "< 3", "or less than 3 % (a page)"),
            ("DiskFillingUp", "< 40", "within a day, and less than 40 % of it is free (a ticket)"),
            ("DiskFillingUp", "< 20", "within four hours, and less than 20 % is free (a page)"),
            ("DiskFillingUp", "[6h], 24 * 3600)", "pace of the last six hours a disk is full within a day"),
            ("DiskFillingUp", "[6h], 4 * 3600)", "or within four hours"),
            ("InodesAlmostUsed", "< 5", "Less than 5 % of a disk's inodes are free (a ticket)"),
            ("InodesAlmostUsed", "< 3", "or less than 3 % (a page)"),
            ("MachineMemoryLow", "< 10", "Less than a tenth"),
            ("OrdersStopped", "[1d])) > 0", "orders in the last day"),
            ("OrdersStopped", "orders_created_total[10m])) == 0", "none for about twenty minutes"),
            ("OrdersStopped", "for: 10m", "none for about twenty minutes"),
            ("ProcessorSaturated", "for: 15m", "For a quarter of an hour"),
            ("ProcessorSaturated", "> 90", "more than 90 % of the machine's processor time"),
            ("RefundsUnusual", "> 20", "More than a fifth"),
            ("RefundsUnusual", "order_revenue_total[1h]", "revenue of the last hour"),
            ("ReservationsNotClosing", "[6h])) == 0", "for six hours none was shipped or cancelled"),
            ("ShopRestarting", "[15m]) > 2", "more than twice within 15 minutes"),
            ("StockRunningOut", "> 4", "More than 4 % of the products"),
            ("scale/DatabaseConnectionsNearlyUsedUp", "> 80", "More than 80 % of `max_connections`"),
            ("scale/LongTransaction", "> 30", "open for more than 30 s"),
            ("scale/ReplicationLag", "/ 1048576 > 64", "more than 64 MiB"),
        ];
        return said.Select(one => new TestCaseData(one.Alert, one.Rule, one.Words)
            .SetArgDisplayNames(one.Alert, one.Words));
    }

    [TestCaseSource(nameof(SaidOfRules))]
    public void Given_what_a_runbook_says_of_its_rule_then_the_rule_says_the_same(
        string alert, string part, string words)
    {
        Assert.That(Repository.Text("docs", "runbooks", alert + ".md"), Does.Contain(words));
        string file = alert.StartsWith("scale/", StringComparison.Ordinal) ? "scale" : "rules";
        IEnumerable<string> rules = Yaml.Load("monitoring", "prometheus", file, "alerts.yml").At("groups").Items()
            .SelectMany(group => group.At("rules").Items())
            .Where(rule => rule.Text("alert") == alert.Split('/')[^1])
            .Select(rule => $"{rule.Text("expr")} for: {rule.Text("for")}");
        // A number ends where it ends.
        Assert.That(rules, Has.Some.Match($@"{Regex.Escape(part)}(?![\w.])"));
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
        foreach (Panel panel in Dashboards.Panels.Concat(Dashboards.Scale))
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
        + @"|(?<metric>[a-z][a-z0-9:]*_[\w:]+)(?![\w:{]|\s*\())", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Selector();

    [GeneratedRegex(@"\w+(=~|!~|!=|=)""[^""]*""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex LabelMatcher();

    [GeneratedRegex(@"\b(by|on|without|group_left|group_right) ?\([^)]*\)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex NoMetric();

    [GeneratedRegex(
        @"\b(?<metric>(app|db|dotnet|http_requests|inventory|orders?|products?|shop)_[a-z0-9_]*"
        + @"(total|seconds|bytes|size|depth|limit|in_progress|by_status|open|level|active|intensity|value|lines|"
        + @"products|processors|threads|length|disagree|info))(_bucket|_sum|_count)?\b",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OwnMetric();

    [GeneratedRegex(@"\]\((?!https?:)(?<path>[^)\s#]*)(#(?<heading>[^)\s]+))?\)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Link();

    [GeneratedRegex("```.*?```", RegexOptions.Singleline, 60_000)]
    private static partial Regex Block();

    [GeneratedRegex(@"^#+ +(?<words>.+?)\s*$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 60_000)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]", RegexOptions.None, 60_000)]
    private static partial Regex NoAnchor();

    [GeneratedRegex(@"\bShop(:|__)[A-Z][A-Za-z]+((:|__)[A-Z][A-Za-z]+)?", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Setting();

    [GeneratedRegex("^Shop:(Products|Orders|Inventory):(Port|PublicUrl)$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfService();

    [GeneratedRegex(@"\|= ""(?<words>[^""]+)""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex LogSearch();

    [GeneratedRegex(@"absent\(up\{job=""(?<job>[\w-]+)""\}\)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Absent();

    [GeneratedRegex(@"\bjob=""(?<job>[\w-]+)""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Job();

    [GeneratedRegex(@"^(?<label>\w+) =~? ""(?<value>[^""]*)""$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Matcher();

    [GeneratedRegex(@"service:\w+:\w+", RegexOptions.None, 60_000)]
    private static partial Regex Record();

    [GeneratedRegex(@"\[(?<days>\d+)d\]", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Days();

    [GeneratedRegex(@"=(?<days>\d+)d$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Retention();

    [GeneratedRegex(@"(?<!\*)\*(?<title>[A-Z][^*\n]+)\*(?!\*)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Emphasis();

    [GeneratedRegex(@"\b(rate|irate)\([^\[\]]*\[(?<window>[^\]]+)\]", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Rate();

    [GeneratedRegex(@"\b((rate|increase|last_over_time)\(\w+_total(\{[^}]*\})?\[|count\(\w+_total(\{[^}]*\})?\))",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Counter();

    [GeneratedRegex(@"\bk6_\w+", RegexOptions.None, 60_000)]
    private static partial Regex K6();

    [GeneratedRegex(@"\bk6_\w+\{testid=~""\$testid""", RegexOptions.None, 60_000)]
    private static partial Regex RunsApart();

    [GeneratedRegex(@"code=~""5[^}]*", RegexOptions.None, 60_000)]
    private static partial Regex Failures();
}
