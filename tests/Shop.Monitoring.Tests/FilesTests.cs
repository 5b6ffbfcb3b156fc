using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>The files that only Docker and Grafana read: their structure.</summary>
internal sealed class FilesTests
{
    private static readonly YamlNode Compose = Yaml.Load("docker-compose.yml");

    private static IEnumerable<string> DashboardNames => Dashboards.All.Keys;

    [TestCaseSource(nameof(DashboardNames))]
    public void Given_a_dashboard_then_it_is_complete_and_its_own(string name)
    {
        JsonNode dashboard = Dashboards.All[name];
        JsonArray panels = dashboard["panels"]!.AsArray();
        Assert.Multiple(() =>
        {
            Assert.That((string)dashboard["uid"]!, Is.EqualTo($"shop-{name}"));
            Assert.That((bool)dashboard["editable"]!, Is.False);
            Assert.That((int)dashboard["graphTooltip"]!, Is.EqualTo(1), "shared crosshair");
            Assert.That(panels.Select(panel => (int)panel!["id"]!),
                Is.EqualTo(Enumerable.Range(1, panels.Count)), "ids in order");
            Assert.That(panels.Select(panel => (string)panel!["title"]!), Is.Unique);
            Assert.That(dashboard["templating"]!["list"]!.AsArray().Select(variable => (string)variable!["name"]!),
                Has.Some.EqualTo("datasource"));
            Assert.That(dashboard["annotations"]!["list"]!.AsArray().Select(annotation => (string)annotation!["name"]!),
                Is.EquivalentTo(new[] { "Restarts", "Firing alerts", "Trouble on demand" }));
            Assert.That(dashboard["links"]!.AsArray(), Is.Not.Empty);
        });
    }

    [TestCaseSource(nameof(DashboardNames))]
    public void Given_a_dashboard_then_every_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(string name)
    {
        foreach (Panel panel in Dashboards.Panels.Where(panel => panel.Dashboard == name))
        {
            Assert.Multiple(() =>
            {
                Assert.That((string?)panel.Json["description"], Is.Not.Empty, panel.Title);
                Assert.That((string?)panel.Json["fieldConfig"]!["defaults"]!["unit"], Is.Not.Empty, panel.Title);
                Assert.That(panel.Json["fieldConfig"]!["defaults"]!["thresholds"], Is.Not.Null, panel.Title);
                Assert.That((string)panel.Json["datasource"]!["uid"]!, Is.EqualTo("${datasource}"), panel.Title);
                Assert.That(panel.Queries, Is.Not.Empty, panel.Title);
                Assert.That(panel.Type, Is.AnyOf("timeseries", "stat", "bargauge", "heatmap", "table"),
                    "import needs no plugin");
                if (panel.Type is "timeseries")
                {
                    Assert.That(panel.Json["targets"]!.AsArray().Select(target => (string)target!["legendFormat"]!),
                        Is.All.Not.Empty, panel.Title);
                }
            });
        }
    }

    [TestCaseSource(nameof(DashboardNames))]
    public void Given_a_dashboard_then_its_panels_do_not_overlap_and_fit_the_width(string name)
    {
        var taken = new HashSet<(int, int)>();
        foreach (JsonNode? panel in Dashboards.All[name]["panels"]!.AsArray())
        {
            JsonNode place = panel!["gridPos"]!;
            (int x, int y, int w, int h) = ((int)place["x"]!, (int)place["y"]!, (int)place["w"]!, (int)place["h"]!);
            Assert.That(x + w, Is.LessThanOrEqualTo(24), (string)panel["title"]!);
            foreach (int column in Enumerable.Range(x, w))
            {
                foreach (int line in Enumerable.Range(y, h))
                    Assert.That(taken.Add((column, line)), Is.True, $"{panel["title"]} overlaps");
            }
        }
    }

    [Test]
    public void Given_the_dashboards_then_there_are_the_five_and_they_link_to_each_other() =>
        Assert.That(Dashboards.All.Values.Select(dashboard => (string)dashboard["uid"]!), Is.EquivalentTo(
            new[] { "shop-overview", "shop-service", "shop-infrastructure", "shop-business", "shop-loadtest" }));

    [TestCase("loadtest")]
    [TestCase(".ci")]
    public void Given_packages_of_npm_then_a_lock_file_says_which_bytes_and_names_no_registry(string folder)
    {
        JsonObject packages = JsonNode.Parse(Repository.Text(folder, "package-lock.json"))!["packages"]!.AsObject();
        foreach ((string name, JsonNode? package) in packages.Where(package => package.Key.Length > 0))
        {
            Assert.That((string?)package!["integrity"], Does.StartWith("sha512-"), name);
            Assert.That(package["resolved"], Is.Null, name);
        }

        Assert.That(Repository.Text(".ci", "run"),
            Does.Contain($"npm ci --silent --no-audit --no-fund --prefix {folder} ").And.Not.Contain("npm install"));
    }

    [Test]
    public void Given_the_targets_of_Prometheus_then_each_is_a_service_of_the_compose_file()
    {
        var targets = from job in Yaml.Load("monitoring", "prometheus", "prometheus.yml").At("scrape_configs").Items()
                      from config in job.At("static_configs").Items()
                      from target in config.At("targets").Items()
                      select target.ToString().Split(':')[0];
        Assert.That(targets.Where(host => host != "localhost").Distinct(),
            Is.SubsetOf(Compose.At("services").Members().Select(service => service.Key)));
    }

    [Test]
    public void Given_the_provisioning_of_Grafana_then_its_source_is_Prometheus_and_its_dashboards_are_where_they_are_mounted()
    {
        YamlNode source = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "prometheus.yml")
            .At("datasources").Items().Single();
        YamlNode provider = Yaml.Load("monitoring", "grafana", "provisioning", "dashboards", "shop.yml")
            .At("providers").Items().Single();
        string[] mounts = [.. Compose.At("services")!.At("grafana")!.At("volumes").Items()
            .Select(volume => volume.ToString())];
        Assert.Multiple(() =>
        {
            Assert.That((source.Text("uid"), source.Text("url"), source.Text("isDefault")),
                Is.EqualTo(("prometheus", "http://prometheus:9090", "true")));
            Assert.That(mounts,
                Has.Some.EqualTo($"./monitoring/grafana/dashboards:{provider.At("options").Text("path")}:ro,z"));
            Assert.That(mounts, Has.Some.StartsWith(
                "./monitoring/grafana/provisioning/datasources:/etc/grafana/provisioning/datasources:"));
            Assert.That(mounts, Has.Some.StartsWith(
                "./monitoring/grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:"));
            Assert.That(Dashboards.All.Values.Select(
                    dashboard => (string)dashboard["templating"]!["list"]![0]!["current"]!["value"]!),
                Is.All.EqualTo(source.Text("uid")));
        });
    }
}
