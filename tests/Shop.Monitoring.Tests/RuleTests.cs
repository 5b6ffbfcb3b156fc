namespace Shop.Monitoring.Tests;

internal sealed class RuleTests
{
    [Test]
    public void Given_the_configuration_and_the_rules_then_promtool_finds_no_fault()
    {
        (int exitCode, string output) = Tools.Run("promtool", "check", "config", Repository.PathOf("monitoring", "prometheus", "prometheus.yml"));
        Assert.That(exitCode, Is.Zero, output);
    }

    [TestCase("alerts.yml")]
    [TestCase("recording.yml")]
    public void Given_the_tests_of_the_rules_then_they_pass(string file)
    {
        (int exitCode, string output) = Tools.Run("promtool", "test", "rules", Repository.PathOf("monitoring", "prometheus", "tests", file));
        Assert.That(exitCode, Is.Zero, output);
    }

    [Test]
    public void Given_each_alert_then_a_case_fires_it_and_another_does_not()
    {
        var cases = from test in Yaml.Load("monitoring", "prometheus", "tests", "alerts.yml").At("tests").Items()
                    from check in test.At("alert_rule_test").Items()
                    select (Alert: check.Text("alertname"), Fires: check.At("exp_alerts").Items().Any());
        ILookup<string, bool> byAlert = cases.ToLookup(test => test.Alert!, test => test.Fires);
        foreach (string alert in Alerts.All.Select(alert => alert.Name).Distinct()) Assert.That(byAlert[alert], Has.Some.True.And.Some.False, alert);
    }

    [Test]
    public void Given_each_window_of_an_objective_then_a_case_fires_it()
    {
        var fired = (from test in Yaml.Load("monitoring", "prometheus", "tests", "alerts.yml").At("tests").Items()
                     from check in test.At("alert_rule_test").Items()
                     from expected in check.At("exp_alerts").Items()
                     select (check.Text("alertname"), expected.At("exp_labels").Text("window"))).ToHashSet();
        var windows = Alerts.All.Where(alert => alert.Group == "shop-objectives").Select(alert => ((string?)alert.Name, alert.Yaml.At("labels").Text("window")));
        Assert.That(fired, Is.SupersetOf(windows));
    }

    [Test]
    public void Given_each_recording_rule_then_a_case_asks_for_it()
    {
        string tests = Repository.Text("monitoring", "prometheus", "tests", "recording.yml");
        var records = from @group in Yaml.Load("monitoring", "prometheus", "rules", "recording.yml").At("groups").Items()
                      from rule in @group.At("rules").Items()
                      select rule.Text("record");
        Assert.That(records, Is.All.Matches<string>(record => tests.Contains($"expr: round({record}, ", StringComparison.Ordinal)));
        Assert.That(records, Is.All.Matches("^[a-z_]+:[a-z_]+:[a-z0-9_]+$"));
    }

    [Test]
    public void Given_each_alert_then_it_has_a_severity_words_with_the_value_and_a_runbook_that_is_there()
    {
        foreach (Alert alert in Alerts.All)
        {
            Assert.That(alert.Yaml.At("labels").Text("severity"), Is.EqualTo("page").Or.EqualTo("ticket"), alert.Name);
            Assert.That(alert.Yaml.At("annotations").Text("summary"), Is.Not.Empty, alert.Name);
            Assert.That(alert.Yaml.At("annotations").Text("description"), Does.Contain("$value"), alert.Name);
            string runbook = alert.Yaml.At("annotations").Text("runbook_url")!;
            Assert.That(runbook, Is.EqualTo($"docs/runbooks/{alert.Name}.md"));
            Assert.That(Repository.PathOf(runbook.Split('/')), Does.Exist);
            string page = Repository.Text(runbook.Split('/'));
            Assert.That(page, Does.StartWith($"# {alert.Name}\n").And.Contain("## What it means").And.Contain("## How to see it").And.Contain("## What to do"), alert.Name);
        }
    }

    [Test]
    public void Given_the_runbooks_then_each_belongs_to_an_alert() =>
        Assert.That(Directory.GetFiles(Repository.PathOf("docs", "runbooks"), "*.md").Select(Path.GetFileNameWithoutExtension), Is.EquivalentTo(Alerts.All.Select(alert => alert.Name).Distinct()));
}
