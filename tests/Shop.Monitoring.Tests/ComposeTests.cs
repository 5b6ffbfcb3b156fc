using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>The compose files, read as Compose reads them: what must hold on machines that no test runs on.</summary>
internal sealed partial class ComposeTests
{
    private const string Receiver = "--web.enable-remote-write-receiver";

    private static readonly string[] Main = ["docker-compose.yml"];
    private static readonly string[] WithLoad = ["docker-compose.yml", "monitoring/load.compose.yml"];
    private static readonly string[] LoadTest = ["loadtest/advanced/docker-compose.yml"];
    private static readonly string[] Linux = ["docker-compose.yml", "monitoring/linux.compose.yml"];

    private static readonly string[] Scale = ["docker-compose.yml", "scale.compose.yml"];

    private static readonly string[] Traces = ["docker-compose.yml", "monitoring/traces.compose.yml"];

    private static readonly string[][] All = [Main, WithLoad, LoadTest, Linux, Scale, Traces];

    // With the overlay of many hosts the shop's own volume is there, and unused.
    private static readonly string[][] ThatUseAll = [Main, WithLoad, LoadTest, Linux, Traces];

    [TestCaseSource(nameof(All))]
    public void Given_a_service_then_it_is_pinned_bounded_and_has_only_the_rights_that_it_needs(params string[] files)
    {
        foreach ((string name, Service service) in Read(files))
        {
            Assert.Multiple(() =>
            {
                // With its registry, which Podman asks for; a digest may be added, see monitoring/pin.
                if (!service.IsBuilt)
                {
                    Assert.That(service.Text("image"),
                        Does.Match(@"^(docker|ghcr)\.io/[\w./-]+:v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$"), name);
                }

                Assert.That(service.Text("mem_limit"), Does.Match(@"^\d+[mg]$"), name);
                Assert.That(service.Text("read_only"), Is.EqualTo("true"), name);
                YamlNode log = service.Yaml("logging")!;
                string kept = $"{log.Text("driver")} {log.At("options").Text("max-size")} "
                    + $"{log.At("options").Text("max-file")}";
                Assert.That(kept, Is.EqualTo("json-file 10m 3"), $"{name} writes its log until the disk is full");
                // k6 writes its results, which belong to whoever started it.
                Assert.That(service.List("cap_add"),
                    Is.EqualTo(name == "k6" ? new[] { "DAC_OVERRIDE" } : []), name);
                Assert.That(service.Text("user"),
                    Is.EqualTo(name switch { "k6" => "0", "postgres" => "postgres", _ => null }), name);
                Assert.That(service.Text("pid"), Is.EqualTo(name == "node-exporter" ? "host" : null), name);
                Assert.That(service.Text("privileged"), Is.EqualTo(name == "cadvisor" ? "true" : null), name);
                if (name == "cadvisor") return; // it may do everything, so there is nothing to take away
                Assert.That(service.List("cap_drop"), Is.EqualTo(new[] { "ALL" }), name);
                // SELinux would hide the machine's files from it.
                string[] more = name == "node-exporter" ? ["label=disable"] : [];
                Assert.That(service.List("security_opt"),
                    Is.EqualTo(more.Prepend("no-new-privileges:true")), name);
            });
        }
    }

    [TestCaseSource(nameof(All))]
    public void Given_a_port_then_it_is_bound_to_this_machine_alone(params string[] files)
    {
        foreach ((string name, Service service) in Read(files))
        {
            Assert.That(service.List("ports"), Is.All.StartsWith("127.0.0.1:"), name);
            foreach (string flag in service.List("command")
                .Where(flag => flag.Contains("listen-address") && service.Text("network_mode") == "host"))
            {
                Assert.That(flag, Does.Contain("=127.0.0.1:").Or.Contain("=${DOCKER_GATEWAY:-172.17.0.1}:"), name);
            }
        }
    }

    [TestCaseSource(nameof(All))]
    public void Given_a_mount_then_it_is_a_folder_that_every_Linux_has_or_one_of_the_repository_that_SELinux_lets_in(
        params string[] files)
    {
        // A file that is mounted by itself stays the old one after an editor or Git has replaced it. A
        // folder that is missing stops "up" as a whole: rootless Docker and snap's have no /var/lib/docker.
        // Docker Desktop refuses rslave.
        string folder = Path.GetDirectoryName(Repository.PathOf(files[0].Split('/')))!;
        foreach ((string name, Service service) in Read(files))
        {
            foreach (string[] mount in service.List("volumes").Select(mount => mount.Split(':')))
            {
                if (mount[0].StartsWith('.'))
                {
                    Assert.That(Directory.Exists(Path.Combine(folder, mount[0])),
                        Is.True, $"{name}: {mount[0]} is no folder");
                    Assert.That(mount[2].Split(','), Has.Some.EqualTo("z"), $"{name}: {mount[0]}");
                }
                else if (mount[0].StartsWith('/'))
                {
                    Assert.That(mount[0], Is.AnyOf("/", "/sys", "/var/run"), name);
                    Assert.That(mount[2], Is.EqualTo("ro"), $"{name}: {mount[0]}: neither relabelled nor written");
                }
            }
        }
    }

    [TestCaseSource(nameof(All))]
    public void Given_a_service_then_it_waits_for_the_health_of_no_other_and_is_watched_itself(params string[] files)
    {
        foreach ((string name, Service service) in Read(files))
        {
            // A list has no conditions: it says in which order, not how.
            Assert.That(service.Yaml("depends_on"), Is.Null.Or.InstanceOf<YamlSequenceNode>(), name);
            if (name != "k6") Assert.That(service.List("depends_on"), Is.Empty, name);
            if (files == LoadTest || name == "k6") continue; // which end
            Assert.That(service.Text("restart"), Is.EqualTo("unless-stopped"), name);
            YamlNode? check = service.Yaml("healthcheck");
            Assert.That(check, Is.Not.Null, $"{name}: an OCI image has none of its own");
            Assert.That($"{check.Text("interval")} {check.Text("timeout")} {check.Text("retries")}",
                Does.Match("^1[05]s 5s (3|6|12)$"), name);
        }
    }

    [TestCaseSource(nameof(ThatUseAll))]
    public void Given_volumes_and_networks_that_are_used_then_they_are_declared(params string[] files)
    {
        YamlNode[] texts = [.. files.Select(file => Yaml.Load(file.Split('/')))];
        string[] Declared(string key) =>
            [.. texts.SelectMany(text => text.At(key).Members()).Select(member => member.Key)];
        Service[] services = [.. Read(files).Values];
        Assert.That(services.SelectMany(service => service.List("volumes")).Select(mount => mount.Split(':')[0])
            .Where(source => source[0] is not '.' and not '/').Distinct(), Is.EquivalentTo(Declared("volumes")));
        Assert.That(services.SelectMany(service => service.Networks).Distinct(), Is.EquivalentTo(Declared("networks")));
    }

    private static IEnumerable<TestCaseData> Meetings()
    {
        string[] main =
        [
            "alertmanager alerts", "alertmanager prometheus", "alerts prometheus", "cadvisor node-exporter",
            "cadvisor prometheus", "grafana prometheus", "node-exporter prometheus", "prometheus shop",
        ];
        yield return new TestCaseData(Main, main);
        yield return new TestCaseData(WithLoad, new[] { "k6 prometheus", "k6 shop" }.Concat(main));
        yield return new TestCaseData(LoadTest,
            new[] { "grafana prometheus", "k6 prometheus", "k6 shop", "prometheus shop" });
        yield return new TestCaseData(Scale, new[]
        {
            "haproxy prometheus", "haproxy shop", "postgres shop", "postgres postgres-exporter",
            "postgres-exporter prometheus", "postgres-exporter shop", "haproxy postgres-exporter",
        }.Concat(main));
        yield return new TestCaseData(Traces, new[]
        {
            "shop tempo", "loki shop", "grafana tempo", "grafana loki", "loki tempo", "prometheus tempo",
            "loki prometheus",
        }.Concat(main));
    }

    [TestCaseSource(nameof(Meetings))]
    public void Given_the_networks_then_only_those_meet_that_have_something_to_say_to_each_other(
        string[] files, IEnumerable<string> expected)
    {
        Dictionary<string, Service> services = Read(files);
        string[] meetings = [.. from one in services
                                from other in services
                                where string.CompareOrdinal(one.Key, other.Key) < 0
                                    && one.Value.Networks.Intersect(other.Value.Networks).Any()
                                select $"{one.Key} {other.Key}"];
        Assert.That(meetings, Is.EquivalentTo(expected));
    }

    [Test]
    public void Given_no_load_test_then_Prometheus_takes_nothing_that_others_write()
    {
        Assert.That(Read(Main)["prometheus"].List("command"), Has.None.EqualTo(Receiver));
        Assert.That(Read(WithLoad)["prometheus"].List("command"),
            Is.EqualTo(Read(Main)["prometheus"].List("command").Append(Receiver)), "and differs in nothing else");
        Assert.That(Read(LoadTest)["prometheus"].List("command"), Has.Some.EqualTo(Receiver));
        Assert.That(Read(LoadTest)["prometheus"].List("ports"), Is.Empty, "a page in a browser could write");
    }

    [Test]
    public void Given_the_compose_file_of_load_tests_then_it_differs_from_the_main_one_only_as_it_says()
    {
        Dictionary<string, Service> main = Read(WithLoad), load = Read(LoadTest);
        Assert.That(load.Keys, Is.EquivalentTo(new[] { "shop", "prometheus", "grafana", "k6" }));
        foreach ((string name, Service service) in load.Where(service => service.Key != "shop")) // which it extends
        {
            foreach (string same in new[] { "image", "mem_limit", "user" })
                Assert.That(service.Text(same), Is.EqualTo(main[name].Text(same)), $"{same} of {name}");
            string[] Data(Service of) => [.. of.List("volumes").Where(mount => mount[0] is not '.')];
            Assert.That(Data(service), Is.EqualTo(Data(main[name])),
                $"{name} has a read-only root: what it writes needs a volume");
            string[] Environment(Service of) => [.. of.Yaml("environment").Members()
                .Where(variable => variable.Key != "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")
                .Select(variable => $"{variable.Key}={variable.Value}")];
            Assert.That(Environment(service), Is.EqualTo(Environment(main[name])), name);
        }
    }

    [Test]
    public void Given_the_targets_of_the_load_tests_Prometheus_then_each_is_there_and_scraped_as_in_the_main_one()
    {
        Dictionary<string, YamlNode> main = Jobs("prometheus.yml"), load = Jobs("loadtest.yml");
        IEnumerable<string> hosts = load.Values.SelectMany(job => job.At("static_configs").Items())
            .SelectMany(config => config.At("targets").Items()).Select(target => target.ToString().Split(':')[0]);
        Assert.That(hosts.Where(host => host != "localhost").Distinct(), Is.SubsetOf(Read(LoadTest).Keys));
        foreach ((string name, YamlNode job) in load) Assert.That(job, Is.EqualTo(main[name]), name);
        Assert.That(Yaml.Load("monitoring", "prometheus", "loadtest.yml").At("global"),
            Is.EqualTo(Yaml.Load("monitoring", "prometheus", "prometheus.yml").At("global")));
    }

    [Test]
    public void Given_the_memory_that_README_says_then_it_is_what_the_compose_file_allows()
    {
        var said = Limit().Matches(Repository.Text("README.md"))
            .ToDictionary(row => row.Groups["name"].Value, row => $"{row.Groups["megabytes"].Value}m");
        Dictionary<string, Service> services = Read(Main);
        Assert.That(said, Is.EquivalentTo(
            services.ToDictionary(service => service.Key, service => service.Value.Text("mem_limit")!)));
        int sum = services.Values.Sum(service => int.Parse(service.Text("mem_limit")!.TrimEnd('m')));
        Assert.That(Repository.Text("README.md"), Does.Contain($"{sum:N0} MB in all"));
    }

    [TestCase("Dockerfile")]
    [TestCase("Dockerfile.runtime")]
    public void Given_the_check_of_the_shops_health_then_the_image_and_the_compose_file_have_the_same(string dockerfile)
    {
        YamlNode check = Read(Main)["shop"].Yaml("healthcheck")!;
        string command = string.Join(", ", check.At("test").Items().Skip(1).Select(word => $"\"{word}\""));
        Assert.That(Repository.Text(dockerfile), Does.Contain($"HEALTHCHECK --interval={check.Text("interval")} "
            + $"--timeout={check.Text("timeout")} --retries={check.Text("retries")} CMD [{command}]\n"));
        Assert.That(Repository.Text(dockerfile), Does.Contain("USER 1654").And.Contain("VOLUME /data"));
    }

    [Test]
    public void Given_a_clone_in_any_folder_then_the_network_has_the_name_that_README_says()
    {
        Assert.That(Repository.Text(".env"), Does.Contain("COMPOSE_PROJECT_NAME=shop\n"));
        Assert.That(Repository.Text("README.md"), Does.Contain("--network shop_default"));
    }

    [Test]
    public void Given_the_machines_own_network_by_its_overlay_then_Node_Exporter_differs_in_nothing_else()
    {
        Service apart = Read(Main)["node-exporter"], own = Read(Linux)["node-exporter"];
        Assert.That(
            own.List("command").Where(flag => !flag.StartsWith("--web.listen-address=", StringComparison.Ordinal)),
            Is.EqualTo(apart.List("command")));
        Assert.That((own.Text("network_mode"), own.Networks, own.List("ports")),
            Is.EqualTo(("host", Array.Empty<string>(), Array.Empty<string>())));
        Assert.That(own.Text("pid"), Is.EqualTo("host"), "else it reads its own mounts");
    }

    private static Dictionary<string, YamlNode> Jobs(string file) =>
        Yaml.Load("monitoring", "prometheus", file).At("scrape_configs").Items()
            .ToDictionary(job => job.Text("job_name")!);

    // As Compose puts files together: what a later one says of a service takes the place of what an earlier one says.
    private static Dictionary<string, Service> Read(string[] files)
    {
        var services = new Dictionary<string, Service>(StringComparer.Ordinal);
        foreach (string file in files)
        {
            foreach ((string name, YamlNode yaml) in Yaml.Load(file.Split('/')).At("services").Members())
            {
                if (!services.TryGetValue(name, out Service? service)) services[name] = service = new Service();
                if (yaml.At("extends") is { } extends)
                {
                    service.Add(Read([Path.GetRelativePath(".",
                        Path.Combine(Path.GetDirectoryName(file)!, extends.Text("file")!))])[extends.Text("service")!]);
                }

                service.Add(yaml);
            }
        }

        return services;
    }

    [GeneratedRegex(@"^\| (?<name>[a-z-]+) \| (?<megabytes>\d+) MB \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Limit();

    private sealed class Service
    {
        private readonly Dictionary<string, YamlNode> _values = new(StringComparer.Ordinal);

        public bool IsBuilt => _values.ContainsKey("build");

        /// <summary>Those that it is in: the default one, where it says nothing.</summary>
        public string[] Networks => Text("network_mode") is not null
            ? []
            : _values.ContainsKey("networks") ? [.. List("networks")] : ["default"];

        public void Add(Service other)
        {
            foreach ((string key, YamlNode value) in other._values) _values[key] = value;
        }

        public void Add(YamlNode yaml)
        {
            foreach ((string key, YamlNode value) in yaml.Members())
            {
                // YAML's own way to take over what another mapping has, less what stands here.
                if (key == "<<")
                    foreach ((string inherited, YamlNode of) in value.Members()) _values.TryAdd(inherited, of);
                else if (value.Tag == "!reset") _values.Remove(key);
                else _values[key] = value;
            }
        }

        public YamlNode? Yaml(string key) => _values.GetValueOrDefault(key);

        public string? Text(string key) => (Yaml(key) as YamlScalarNode)?.Value;

        public IEnumerable<string> List(string key) => Yaml(key).Items().Select(item => item.ToString());
    }
}
