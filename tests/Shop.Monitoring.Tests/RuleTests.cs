namespace Shop.Monitoring.Tests;

internal sealed class RuleTests
{
    [Test]
    public void Given_the_configuration_and_the_rules_then_promtool_finds_no_fault()
    {
        (int exitCode, string output) = Tools.Run("promtool", "check", "config",
            Repository.PathOf("monitoring", "prometheus", "prometheus.yml"));
        Assert.That(exitCode, Is.Zero, output);
    }

    [TestCaseSource(typeof(RuleCases), nameof(RuleCases.Names))]
    [Parallelizable]
    public void Given_a_rule_when_promtool_runs_its_cases_then_they_pass(string name)
    {
        RuleCases cases = RuleCases.Of(name);
        (bool pass, string output) = cases.Run(cases.Text);
        Assert.That(pass, Is.True, output);
    }

    /// <summary>
    /// The cases notice what is a little wrong: a window or a time that is half or twice as long, a threshold that is
    /// off by a seventh, another window's ratio, a status code or a reason that is left out, a condition that is
    /// missing. A rule that has changed is noticed by its cases above; this is the test of the cases.
    /// </summary>
    [TestCaseSource(typeof(RuleCases), nameof(RuleCases.Quick))]
    [Category("Slow")]
    [Parallelizable]
    public void Given_a_rule_with_a_small_fault_when_promtool_runs_its_cases_then_they_fail(string name) =>
        NoticeFaults(name);

    [TestCaseSource(typeof(RuleCases), nameof(RuleCases.Slow))]
    [Explicit("promtool takes minutes for the days of these")]
    public void Given_a_burn_rate_with_a_small_fault_when_promtool_runs_its_cases_then_they_fail(string name) =>
        NoticeFaults(name);

    private static void NoticeFaults(string name)
    {
        RuleCases cases = RuleCases.Of(name);
        string[] unnoticed = [.. cases.Faulty().Where(rules => cases.Run(rules).Pass)];
        Assert.That(unnoticed.Select(rules => Changed(cases.Text, rules)), Is.Empty);
    }

    private static string Changed(string right, string wrong) =>
        string.Join(" | ", wrong.Split('\n').Zip(right.Split('\n')).Where(line => line.First != line.Second)
            .Select(line => $"{line.First.Trim()} instead of {line.Second.Trim()}"));

    [Test]
    public void Given_each_alert_then_a_case_fires_it_and_another_does_not()
    {
        var cases = from file in new[] { "alerts.yml", "budgets.yml" }
                    from test in Yaml.Load("monitoring", "prometheus", "tests", file).At("tests").Items()
                    from check in test.At("alert_rule_test").Items()
                    from severity in check.At("exp_alerts").Items()
                        .Select(expected => expected.At("exp_labels").Text("severity")).DefaultIfEmpty()
                    select (Alert: check.Text("alertname")!, Severity: severity ?? "");
        ILookup<string, string> byAlert = cases.ToLookup(test => test.Alert, test => test.Severity);
        foreach (Alert alert in Alerts.All)
        {
            Assert.That(byAlert[alert.Name], Has.Some.EqualTo(alert.Yaml.At("labels").Text("severity")), alert.Name);
            if (alert.Name != Alerts.Watchdog) Assert.That(byAlert[alert.Name], Has.Some.Empty, alert.Name);
        }
    }

    [Test]
    public void Given_the_names_of_records_then_they_say_level_metric_and_operations() =>
        Assert.That(RuleCases.Names.Where(name => name.Contains(':')), Is.All.Matches("^[a-z_]+:[a-z_]+:[a-z0-9_]+$"));

    [Test]
    public void Given_each_alert_then_it_has_a_severity_words_with_the_value_and_a_runbook_that_is_there()
    {
        foreach (Alert alert in Alerts.All)
        {
            Assert.That(alert.Yaml.At("labels").Text("severity"),
                Is.EqualTo(alert.Name == Alerts.Watchdog ? "none" : "page").Or.EqualTo("ticket"), alert.Name);
            Assert.That(alert.Yaml.At("annotations").Text("summary"), Is.Not.Empty, alert.Name);
            Assert.That(alert.Yaml.At("annotations").Text("description"), Does.Contain("$value"), alert.Name);
            string runbook = alert.Yaml.At("annotations").Text("runbook_url")!;
            Assert.That(runbook, Is.EqualTo($"docs/runbooks/{alert.Name}.md"));
            Assert.That(Repository.PathOf(runbook.Split('/')), Does.Exist);
            string page = Repository.Text(runbook.Split('/'));
            Assert.That(page, Does.StartWith($"# {alert.Name}\n").And.Contain("## What it means")
                .And.Contain("## How to see it").And.Contain("## What to do"), alert.Name);
        }
    }

    [Test]
    public void Given_the_runbooks_then_each_belongs_to_an_alert() =>
        Assert.That(
            Directory.GetFiles(Repository.PathOf("docs", "runbooks"), "*.md").Select(Path.GetFileNameWithoutExtension),
            Is.EquivalentTo(Alerts.All.Select(alert => alert.Name).Distinct()));
}
