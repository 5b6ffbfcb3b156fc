using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Http;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>Many hosts on one PostgreSQL behind HAProxy: what scale.compose.yml starts, and what watches it.</summary>
[Category("CI")]
internal sealed partial class ScaleTests
{
    private static readonly string[] Services = ["products", "orders", "inventory"];

    private static readonly JsonNode Dashboard =
        JsonNode.Parse(Repository.Text("monitoring", "grafana", "scale", "scale.json"))!;

    private static readonly IReadOnlyList<Panel> Panels = Dashboards.Scale;

    [Test]
    public void Given_the_alerts_of_many_hosts_then_each_fires_where_its_cases_say_and_has_its_page()
    {
        (int exitCode, string output) =
            Tools.Run("promtool", "test", "rules",
                Repository.PathOf("monitoring", "prometheus", "tests", "scale", "alerts.yml"));
        Assert.That(exitCode, Is.Zero, output);
        YamlNode[] alerts = [.. Yaml.Load("monitoring", "prometheus", "scale", "alerts.yml").At("groups").Items()
            .SelectMany(group => group.At("rules").Items())];
        string[] pages = [.. Directory.GetFiles(Repository.PathOf("docs", "runbooks", "scale"))
            .Select(Path.GetFileNameWithoutExtension)!];
        Assert.That(alerts.Select(alert => alert.Text("alert")), Is.EquivalentTo(pages));
        string cases = Repository.Text("monitoring", "prometheus", "tests", "scale", "alerts.yml");
        foreach (YamlNode alert in alerts)
        {
            string name = alert.Text("alert")!;
            Assert.That(alert.At("annotations").Text("runbook_url"), Is.EqualTo($"docs/runbooks/scale/{name}.md"));
            Assert.That(cases, Does.Contain($"{name}, fires").And.Contain($"{name}, does not fire"));
            string page = Repository.Text("docs", "runbooks", "scale", $"{name}.md");
            foreach (Match panel in PanelNames().Matches(page))
                Assert.That(Panels.Select(shown => shown.Title), Does.Contain(panel.Groups["panel"].Value), name);
        }
    }

    [Test]
    public void Given_Prometheus_of_many_hosts_then_it_differs_from_the_other_only_in_what_there_is_more_of()
    {
        YamlNode one = Yaml.Load("monitoring", "prometheus", "prometheus.yml"),
            many = Yaml.Load("monitoring", "prometheus", "scale.yml");
        Assert.That(many.At("global"), Is.EqualTo(one.At("global")));
        Assert.That(many.At("alerting"), Is.EqualTo(one.At("alerting")));
        Assert.That(many.At("rule_files").Items().Select(file => file.ToString()),
            Is.EqualTo(new[] { "rules/*.yml", "scale/*.yml" }));
        Dictionary<string, YamlNode> before = Jobs(one), after = Jobs(many);
        Assert.That(after.Keys, Is.EquivalentTo(before.Keys.Concat(["postgres", "haproxy"])));
        foreach ((string name, YamlNode job) in before)
        {
            string target = job.At("static_configs").Items().Single().At("targets").Items().Single().ToString();
            if (!target.StartsWith("shop:", StringComparison.Ordinal))
            {
                Assert.That(after[name], Is.EqualTo(job), name);
                continue;
            }

            YamlNode found = after[name].At("dns_sd_configs").Items().Single();
            Assert.That(found.At("names").Items().Single().ToString() + ":" + found.Text("port"),
                Is.EqualTo(target), name);
            Assert.That(after[name].Text("metrics_path"), Is.EqualTo(job.Text("metrics_path")), name);
        }
    }

    [Test]
    public void Given_the_compose_file_of_many_hosts_then_each_module_and_the_exporter_has_a_role_whose_password_is_there()
    {
        YamlNode services = Yaml.Load("scale.compose.yml").At("services")!;
        string database = services.At("postgres").At("environment").Text("POSTGRES_DB")!;
        string[] passwords = Repository.Text("scale", "secrets", "pgpass").Trim().Split('\n');
        string roles = Repository.Text("scale", "init", "roles.sh");
        Assert.That(roles, Does.Contain($"for role in {string.Join(' ', Services)}; do"));
        foreach (string service in Services)
        {
            string key = $"ConnectionStrings__{char.ToUpperInvariant(service[0])}{service[1..]}";
            Assert.That(services.At("shop").At("environment").Text(key), Is.EqualTo(
                $"Host=postgres;Database={database};Passfile=/run/secrets/pgpass;Username={service}"));
            Assert.That(passwords, Has.One.StartsWith($"postgres:5432:{database}:{service}:"));
        }

        YamlNode exporter = services.At("postgres-exporter").At("environment")!;
        Assert.That(exporter.Text("DATA_SOURCE_URI"), Is.EqualTo($"postgres:5432/{database}?sslmode=disable"));
        Assert.That(exporter.Text("DATA_SOURCE_USER"), Is.EqualTo("exporter"));
        Assert.That(passwords, Has.One.EqualTo(
            $"postgres:5432:{database}:exporter:{Repository.Text("scale", "secrets", "exporter").Trim()}"));
        Assert.That(roles, Does.Contain("CREATE ROLE exporter ").And.Contain("GRANT pg_monitor TO exporter;"));
        foreach ((string service, YamlNode definition) in services.Members())
        {
            foreach (string secret in definition.At("secrets").Items().Select(secret => secret.ToString()))
            {
                Assert.That(Repository.PathOf("scale", "secrets", secret), Does.Exist);
                Assert.That(Yaml.Load("scale.compose.yml").At("secrets").At(secret).Text("file"),
                    Is.EqualTo($"./scale/secrets/{secret}"), service);
            }
        }

        // A stream of events is silent for five seconds at most, and a list may take ten.
        string balancer = Repository.Text("scale", "haproxy", "haproxy.cfg");
        Assert.That(balancer, Does.Contain("timeout client 65s").And.Contain("timeout server 65s")
            .And.Contain("bind :8405"));
        Assert.That(services.At("haproxy").At("healthcheck").At("test").Items().Last().ToString(),
            Does.EndWith("/8405"));
    }

    [Test]
    public void Given_services_that_both_compose_files_start_then_with_many_hosts_they_differ_only_in_what_must()
    {
        YamlNode one = Yaml.Load("docker-compose.yml").At("services")!,
            many = Yaml.Load("scale.compose.yml").At("services")!;
        string[] Flags(YamlNode services) => [.. services.At("prometheus").At("command").Items()
            .Select(flag => flag.ToString())
            .Where(flag => !flag.StartsWith("--config.file=", StringComparison.Ordinal))];
        Assert.That(Flags(many), Is.EqualTo(Flags(one)), "so long as by one host: an error budget is for 30 days");
        Assert.That(one.At("shop").Text("read_only"), Is.EqualTo("true"));
        // What a host notes for its next start, as its faults, is in the data directory, which has no volume here.
        Assert.That(many.At("shop").At("tmpfs").Items().Select(folder => folder.ToString()),
            Is.EqualTo(new[] { one.At("shop").At("volumes").Items().Single().ToString().Split(':')[1] }));
        Assert.That(many.At("prometheus").Members().Select(part => part.Key), Is.EqualTo(new[] { "command" }));
        Assert.That(many.At("grafana").Members().Select(part => part.Key), Is.EqualTo(new[] { "volumes" }));
    }

    [TestCase("products", 5001)]
    [TestCase("orders", 5002)]
    [TestCase("inventory", 5003)]
    public void Given_the_balancer_then_a_service_is_asked_on_its_own_port_if_ready_and_if_only_alive(
        string service, int port)
    {
        string[][] sections = [.. Repository.Text("scale", "haproxy", "haproxy.cfg").Split("\n\n").Select(section =>
            section.Split('\n').Select(line => line.Trim()).Where(line => !line.StartsWith('#')).ToArray())];
        string servers = $"server-template {service} 1-32 shop:{port}";
        string[] ready = sections.Single(section => section[0] == $"listen {service}"),
            alive = sections.Single(section => section[0] == $"backend {service}_alive");
        Assert.That(ready, Is.SupersetOf(
            new[] { $"bind :{port}", $"use_backend {service}_alive if {{ nbsrv({service}) eq 0 }}", servers }));
        // Without a Host, HTTP/1.1 is a 400, and the shop is never ready.
        Assert.That(ready, Has.One.EqualTo(
            "http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host localhost"));
        Assert.That(alive, Has.One.EqualTo(servers));
        Assert.That(alive, Has.One.EqualTo(
            "http-check send meth GET uri /health/live ver HTTP/1.1 hdr Host localhost"));
    }

    [Test]
    public void Given_the_dashboard_of_many_hosts_then_each_panel_says_what_it_shows_and_none_lies_on_another()
    {
        var taken = new HashSet<(int, int)>();
        foreach (Panel panel in Panels)
        {
            Assert.That((string?)panel.Json["description"], Is.Not.Empty, panel.Title);
            Assert.That((string?)panel.Json["fieldConfig"]!["defaults"]!["unit"], Is.Not.Empty, panel.Title);
            Assert.That(panel.Json["targets"]!.AsArray().Select(target => (string)target!["legendFormat"]!),
                Is.All.Not.Empty, panel.Title);
            JsonNode place = panel.Json["gridPos"]!;
            for (int x = 0; x < (int)place["w"]!; x++)
            {
                for (int y = 0; y < (int)place["h"]!; y++)
                    Assert.That(taken.Add(((int)place["x"]! + x, (int)place["y"]! + y)),
                        Is.True, $"{panel.Title} lies on another");
            }
        }

        Assert.That(Panels.Select(panel => panel.Title), Is.Unique);
        Assert.That(Dashboard["annotations"]!["list"]!.AsArray().Select(annotation => (string)annotation!["name"]!),
            Is.EquivalentTo(new[] { "Restarts", "Firing alerts", "Trouble on demand" }));
        string provisioning = Repository.Text("monitoring", "grafana", "provisioning", "scale", "shop.yml");
        Assert.That(provisioning,
            Does.StartWith(Repository.Text("monitoring", "grafana", "provisioning", "dashboards", "shop.yml")),
            "the other dashboards are provided as ever");
        Assert.That(Repository.Text("scale.compose.yml"),
            Does.Contain("./monitoring/grafana/scale:/var/lib/grafana/scale:"));
        Assert.That(provisioning, Does.Contain("path: /var/lib/grafana/scale"));
    }

    [Test]
    public async Task Given_hosts_behind_HAProxy_when_they_are_used_one_is_killed_and_the_database_stops_then_panels_show_it_and_alerts_fire()
    {
        foreach (string program in new[] { "haproxy", "prometheus-postgres-exporter", "prometheus" })
            Tools.Need(program);
        using PostgresCluster cluster = PostgresCluster.StartOwn();
        await using Stack stack = await Stack.StartAsync(cluster, hosts: 2);
        for (int i = 0; i < 40; i++) await stack.OrderAsync();
        await stack.UntilAsync("sum(orders_created_total)", 40);
        foreach (Panel panel in Panels)
        {
            foreach (string query in panel.Queries)
                await WatchedShop.UntilAsync(async () => (await stack.QueryAsync(query)).Count > 0,
                    () => Task.FromResult($"{panel.Title} shows no data: {query}"));
        }

        await stack.UntilAsync("sum(up{job=\"order-service\"})", 2);
        await stack.UntilAsync("max(haproxy_backend_active_servers{proxy=\"orders\"})", 2);
        await stack.UntilAsync("count(sum by (instance) (orders_created_total) > 0)", 2);
        // The hosts say the same of what they share.
        const string Created = "orders_by_status{status=\"created\"}";
        await stack.UntilAsync($"max({Created}) - min({Created})", 0);

        stack.Hosts[0].Signal(9);
        await stack.UntilAsync("max(haproxy_backend_active_servers{proxy=\"orders\"})", 1);
        for (int i = 0; i < 10; i++) await stack.OrderAsync();
        await stack.UntilAsync("max(orders_by_status{status=\"created\"})", 50);

        cluster.Stop();
        await stack.UntilAsync("count(ALERTS{alertname=\"DatabaseUnreachable\",alertstate=\"firing\"})", 1);
        await stack.UntilAsync("count(ALERTS{alertname=\"NoHostReady\",alertstate=\"firing\"})", 3);
        // No host is ready, but those that are alive are asked: products are in memory, and the rest has its problem.
        await stack.UntilAnsweredAsync("products", "/products/prod_0",
            answer => answer.StatusCode == HttpStatusCode.OK);
        await stack.UntilAnsweredAsync("orders", "/orders",
            answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable && answer.Headers.RetryAfter is not null);
        cluster.StartAgain();
        await stack.UntilAsync(
            "count(ALERTS{alertname=~\"DatabaseUnreachable|NoHostReady\",alertstate=\"firing\"}) or vector(0)", 0);
        await stack.OrderAsync();
    }

    [Test]
    [Category("Slow")]
    public async Task Given_a_locked_table_and_a_slow_network_when_they_run_then_panels_move_and_alerts_fire_and_afterwards_all_is_as_before()
    {
        foreach (string program in new[] { "haproxy", "prometheus-postgres-exporter", "prometheus" })
            Tools.Need(program);
        using PostgresCluster cluster = PostgresCluster.StartOwn();
        await using Stack stack = await Stack.StartAsync(cluster, hosts: 1);
        HttpClient host = stack.Hosts[0].Products;
        await stack.OrderAsync();
        await SwitchAsync("flash_crowd", 20);
        await stack.UntilAsync("count(rate(orders_created_total[10s]) > 0)", 1);

        const string Held = "state=\"idle in transaction\"";
        await SwitchAsync("locked_table", null);
        await UntilShownAsync("Longest transaction", seconds => seconds > 5);
        await stack.UntilAsync("count(ALERTS{alertname=\"LongTransaction\",alertstate=\"firing\"," + Held + "})", 1);
        await host.DeleteAsync("/faults/locked_table");
        await stack.UntilAsync(
            "count(ALERTS{alertname=\"LongTransaction\",alertstate=\"firing\"," + Held + "}) or vector(0)", 0);
        await stack.OrderAsync();

        await UntilShownAsync("Commit time, 99th percentile", seconds => seconds < 0.25);
        await SwitchAsync("slow_network", 0.5);
        await UntilShownAsync("Commit time, 99th percentile", seconds => seconds > 0.4);
        await stack.UntilAsync(
            "count(ALERTS{alertname=\"CommitsSlow\",alertstate=\"firing\",service=\"order-service\"})", 1);
        await host.DeleteAsync("/faults/slow_network");
        await UntilShownAsync("Commit time, 99th percentile", seconds => seconds < 0.25);
        await stack.UntilAsync(
            "count(ALERTS{alertname=\"CommitsSlow\",alertstate=\"firing\",service=\"order-service\"}) or vector(0)", 0);

        async Task SwitchAsync(string fault, double? intensity)
        {
            (HttpResponseMessage answer, JsonNode? body) = await host.SendJsonAsync(HttpMethod.Put, $"/faults/{fault}",
                intensity is null ? new { } : (object)new { intensity, duration_seconds = 900 });
            Assert.That((int)answer.StatusCode, Is.EqualTo(200), body?.ToJsonString());
        }

        // The most that a panel shows.
        async Task UntilShownAsync(string title, Func<double, bool> isSo)
        {
            IReadOnlyList<double> shown = [];
            string query = Panels.Single(panel => panel.Title == title).Queries.Single();
            await WatchedShop.UntilAsync(
                async () => (shown = await stack.QueryAsync(query)).Count > 0 && isSo(shown.Max()),
                () => Task.FromResult($"{title} is {string.Join(", ", shown)}"));
        }
    }

    private static Dictionary<string, YamlNode> Jobs(YamlNode configuration) =>
        configuration.At("scrape_configs").Items().ToDictionary(job => job.Text("job_name")!);

    [GeneratedRegex(@"(?<=^Scale, .*|, )\*(?<panel>[^*]+)\*",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex PanelNames();

    /// <summary>Hosts, HAProxy, postgres_exporter and Prometheus with the project's files, on free ports.</summary>
    private sealed class Stack : IAsyncDisposable
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("shop-scale-").FullName;
        private readonly List<Process> _processes = [];
        private readonly HttpClient _client = DirectHttpClient.Create();
        private readonly Dictionary<string, int> _ports = new(StringComparer.Ordinal);
        private readonly System.Text.StringBuilder _log = new();
        private string _database = "";

        public List<ShopProcess> Hosts { get; } = [];

        public static async Task<Stack> StartAsync(PostgresCluster cluster, int hosts)
        {
            var stack = new Stack();
            try
            {
                await stack.StartAllAsync(cluster, hosts);
            }
            catch
            {
                await stack.DisposeAsync(); // nobody else would end what has started
                throw;
            }

            return stack;
        }

        /// <summary>Places an order by way of the balancer.</summary>
        public async Task OrderAsync()
        {
            await WatchedShop.UntilAsync(
                async () =>
                {
                    using var body =
                        new StringContent("""{"customer_id":"c","items":[{"product_id":"prod_0","quantity":1}]}""",
                            null, "application/json");
                    using HttpResponseMessage answer =
                        await _client.PostAsync(new Uri($"http://localhost:{_ports["orders"]}/orders"), body);
                    return answer.StatusCode == HttpStatusCode.Created;
                },
                () => Task.FromResult("No order is taken"));
        }

        /// <summary>Reads by way of the balancer until the answer is as wanted.</summary>
        public Task UntilAnsweredAsync(string service, string path, Predicate<HttpResponseMessage> isWanted) =>
            WatchedShop.UntilAsync(
                async () =>
                {
                    using HttpResponseMessage answer =
                        await _client.GetAsync(new Uri($"http://localhost:{_ports[service]}{path}"));
                    return isWanted(answer);
                },
                () => Task.FromResult($"The answer to {path} is another"));

        public async Task<IReadOnlyList<double>> QueryAsync(string query)
        {
            // Grafana fills in the variables.
            string filled = OfDatabase(query.Replace("$__rate_interval", "10s").Replace("$instance", ".*"));
            using var form = new FormUrlEncodedContent([new("query", filled)]);
            try
            {
                using HttpResponseMessage response =
                    await _client.PostAsync(new Uri($"http://127.0.0.1:{_ports["prometheus"]}/api/v1/query"), form);
                if (response.StatusCode == HttpStatusCode.ServiceUnavailable) return []; // Prometheus starts
                JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
                if ((string?)answer["status"] != "success") Assert.Fail($"{filled}: {answer["error"]}");
                return [.. answer["data"]!["result"]!.AsArray().Select(sample =>
                    double.Parse((string)sample!["value"]![1]!, System.Globalization.CultureInfo.InvariantCulture))];
            }
            catch (HttpRequestException)
            {
                return []; // it does not listen yet
            }
        }

        public Task UntilAsync(string query, double value) => WatchedShop.UntilAsync(
            async () => (await QueryAsync(query)) is [double only] && only == value,
            async () => $"{query} is {string.Join(", ", await QueryAsync(query))} and "
                + $"not {value}; {string.Join("\n", Hosts.Select(host => host.Log))}\n{_log}");

        public async ValueTask DisposeAsync()
        {
            foreach (Process process in _processes)
            {
                if (!process.HasExited) process.Kill();
                await process.WaitForExitAsync();
                process.Dispose();
            }

            foreach (ShopProcess host in Hosts) host.Dispose();
            _client.Dispose();
            Directory.Delete(_directory, recursive: true);
        }

        private async Task StartAllAsync(PostgresCluster cluster, int hosts)
        {
            string address = cluster.CreateDatabase();
            _database = Part(address, "Database");
            for (int i = 0; i < hosts; i++)
            {
                string data = Directory.CreateDirectory(Path.Combine(_directory, $"host{i}")).FullName;
                Hosts.Add(await ShopProcess.StartAsync(data, [$"--ConnectionStrings:Shop={address}"]));
            }

            string[] names = [.. BalancerFile.Names, "exporter", "prometheus"];
            foreach ((string name, int port) in names.Zip(FreePort.Next(names.Length))) _ports[name] = port;
            File.WriteAllText(
                Path.Combine(_directory, "haproxy.cfg"), BalancerFile.Of(Addresses, _ports, interval: "200ms"));
            File.WriteAllText(Path.Combine(_directory, "prometheus.yml"), Watching());
            Directory.CreateDirectory(Path.Combine(_directory, "rules"));
            foreach (string rules in Directory.GetFiles(Repository.PathOf("monitoring", "prometheus", "rules")))
                File.WriteAllText(
                    Path.Combine(_directory, "rules", Path.GetFileName(rules)),
                    WatchedShop.FasterRules(File.ReadAllText(rules), speed: 30));
            File.WriteAllText(
                Path.Combine(_directory, "rules", "scale.yml"),
                WatchedShop.Faster(OfDatabase(Repository.Text("monitoring", "prometheus", "scale", "alerts.yml"))));
            Run("haproxy", [], "-db", "-f", Path.Combine(_directory, "haproxy.cfg"));
            Run("prometheus-postgres-exporter",
                [("DATA_SOURCE_NAME", $"host={Part(address, "Host")} user={Part(address, "Username")} "
                    + $"dbname={_database} sslmode=disable")],
                $"--web.listen-address=127.0.0.1:{_ports["exporter"]}");
            Run("prometheus", [], $"--config.file={_directory}/prometheus.yml",
                $"--storage.tsdb.path={_directory}/data",
                $"--web.listen-address=127.0.0.1:{_ports["prometheus"]}");
            await UntilAsync("count(up == 1)", (hosts * 4) + 2);
        }

        // This database has another name.
        private string OfDatabase(string text) => text.Replace("datname=\"shop\"", $"datname=\"{_database}\"");

        private static string Part(string address, string key) =>
            address.Split(';').Select(part => part.Split('=', 2)).Single(part => part[0] == key)[1];

        private string[] Addresses(string service) => [.. Hosts.Select(host => service switch
        {
            "products" => host.Products.BaseAddress!.Authority,
            "orders" => host.Orders.BaseAddress!.Authority,
            _ => host.Inventory.BaseAddress!.Authority,
        })];

        private string Watching()
        {
            string Job(string name, string path, IEnumerable<string> targets) =>
                $"  - job_name: {name}\n    metrics_path: {path}\n    static_configs:\n"
                + $"      - targets: [{string.Join(", ", targets.Select(target => $"\"{target}\""))}]\n";
            return "global:\n  scrape_interval: 2s\n  scrape_timeout: 2s\n  evaluation_interval: 500ms\nrule_files: "
                    + "[rules/*.yml]\nscrape_configs:\n"
                + Job("product-service", "/metrics", Addresses("products"))
                    + Job("order-service", "/metrics", Addresses("orders"))
                + Job("inventory-service", "/metrics", Addresses("inventory"))
                    + Job("shop-process", "/metrics/process", Addresses("products"))
                + Job("postgres", "/metrics", [$"127.0.0.1:{_ports["exporter"]}"])
                    + Job("haproxy", "/metrics", [$"127.0.0.1:{_ports["metrics"]}"]);
        }

        private void Run(string program, (string Name, string Value)[] environment, params string[] arguments)
        {
            var start = new ProcessStartInfo(Tools.Need(program), arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            foreach ((string name, string value) in environment) start.Environment[name] = value;
            Process process = Process.Start(start)!;
            process.OutputDataReceived += (_, line) => Note(program, line.Data);
            process.ErrorDataReceived += (_, line) => Note(program, line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            _processes.Add(process);
        }

        private void Note(string program, string? line)
        {
            lock (_log) _log.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"{program}: {line}");
        }
    }
}
