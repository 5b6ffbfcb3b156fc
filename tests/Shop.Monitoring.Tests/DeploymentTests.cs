using System.Diagnostics;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// What the image, the compose files, Prometheus, Alertmanager and Grafana expect of each other: addresses, ports,
/// folders, health commands, times. All of it starts with a mistake in it, too; then something is empty, is never told,
/// or does not outlive its container.
/// </summary>
internal sealed partial class DeploymentTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly string[] ComposeFiles =
    [
        "docker-compose.yml", "monitoring/load.compose.yml", "monitoring/linux.compose.yml",
        "loadtest/advanced/docker-compose.yml",
    ];

    private static readonly YamlNode Compose = Yaml.Load("docker-compose.yml").At("services")!;
    private static readonly YamlNode Prometheus = Yaml.Load("monitoring", "prometheus", "prometheus.yml");
    private static readonly YamlNode LoadTest = Yaml.Load("monitoring", "prometheus", "loadtest.yml");
    private static readonly YamlNode Alertmanager = Yaml.Load("monitoring", "alertmanager", "alertmanager.yml");

    // Where each listens in its container, and what answers there if it is well.
    private static readonly Dictionary<string, (int Port, string Health)> Listeners = new(StringComparer.Ordinal)
    {
        ["prometheus"] = (9090, "/-/ready"),
        ["alertmanager"] = (9093, "/-/ready"),
        ["grafana"] = (3000, "/api/health"),
        ["node-exporter"] = (9100, "/"),
        ["cadvisor"] = (8080, "/healthz"),
    };

    [Test]
    public void Given_the_jobs_of_Prometheus_then_each_asks_the_port_of_its_own_service()
    {
        var expected = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["product-service"] = "shop:5001/metrics",
            ["order-service"] = "shop:5002/metrics",
            ["inventory-service"] = "shop:5003/metrics",
            ["shop-process"] = "shop:5001/metrics/process",
            ["node"] = "node-exporter:9100/metrics",
            ["prometheus"] = "localhost:9090/metrics",
        };
        foreach (string name in new[] { "cadvisor", "alertmanager", "grafana" })
            expected[name] = $"{name}:{Listeners[name].Port}/metrics";
        var asked = Prometheus.At("scrape_configs").Items().ToDictionary(job => job.Text("job_name")!, job =>
            $"{job.At("static_configs").Items().Single().At("targets").Items().Single()}"
            + $"{job.Text("metrics_path") ?? "/metrics"}");
        Assert.That(asked, Is.EquivalentTo(expected));
        Assert.That(Prometheus.At("scrape_configs").Items().Concat(LoadTest.At("scrape_configs").Items())
                .SelectMany(job => job.Members())
                .Select(member => member.Key), Is.All.AnyOf("job_name", "metrics_path", "static_configs"),
            "it would change what is scraped");
    }

    [Test]
    public void Given_the_times_of_Prometheus_then_rules_and_Grafana_reckon_with_them()
    {
        foreach (YamlNode configuration in new[] { Prometheus, LoadTest })
        {
            YamlNode global = configuration.At("global")!;
            Assert.That(global.Members().Select(member => $"{member.Key}={member.Value}"),
                Is.EquivalentTo(new[] { "scrape_interval=15s", "scrape_timeout=10s", "evaluation_interval=15s" }));
        }

        YamlNode source = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "prometheus.yml")
            .At("datasources").Items().Single();
        Assert.That(source.At("jsonData").Text("timeInterval"), Is.EqualTo("15s"), "$__rate_interval is made of it");
        Assert.That(source.Text("access"), Is.EqualTo("proxy"), "a browser does not reach Prometheus by that name");
        Assert.That(Repository.Text("monitoring", "README.md"), Does.Contain("what is scraped, every 15 s"));
        // A rate of a window with fewer than four scrapes is empty as soon as one fails.
        string rules = Repository.Text("monitoring", "prometheus", "rules", "alerts.yml")
            + Repository.Text("monitoring", "prometheus", "rules", "recording.yml");
        Assert.That(Minutes().Matches(rules).Select(window => int.Parse(window.Groups["minutes"].Value)),
            Is.Not.Empty.And.All.GreaterThanOrEqualTo(1));
    }

    [Test]
    public void Given_the_files_of_rules_then_Prometheus_reads_all_and_that_of_load_tests_those_that_its_dashboard_shows()
    {
        Assert.That(Prometheus.At("rule_files").Items().Select(file => file.ToString()),
            Is.EqualTo(new[] { "rules/*.yml" }));
        Assert.That(LoadTest.At("rule_files").Items().Select(file => file.ToString()),
            Is.EqualTo(new[] { "rules/recording.yml" }));
        var groups = new[] { "alerts", "recording" }.SelectMany(
            file => Yaml.Load("monitoring", "prometheus", "rules", $"{file}.yml").At("groups").Items());
        Assert.That(groups.Select(group => group.Text("name")), Is.Unique);
        var slower = groups.Where(group => group.Text("interval") is not null)
            .Select(group => $"{group.Text("name")} {group.Text("interval")}");
        Assert.That(slower, Is.EqualTo(new[] { "shop-ratios-long 1m" }),
            "an alert of a group that is evaluated rarely is late");
        string[] known = ["alert", "record", "expr", "for", "labels", "annotations"];
        Assert.That(groups.SelectMany(group => group.At("rules").Items()).SelectMany(rule => rule.Members())
                .Select(member => member.Key).Distinct(),
            Is.SubsetOf(known));
    }

    [Test]
    public void Given_alerts_then_they_go_from_Prometheus_to_Alertmanager_to_the_page_of_alerts_in_good_time()
    {
        YamlNode target = Prometheus.At("alerting").At("alertmanagers").Items().Single().At("static_configs").Items()
            .Single().At("targets").Items().Single();
        Assert.That(target.ToString(), Is.EqualTo($"alertmanager:{Listeners["alertmanager"].Port}"));
        IEnumerable<YamlNode> hooks = Alertmanager.At("receivers").Items()
            .SelectMany(receiver => receiver.At("webhook_configs").Items());
        Assert.That(hooks.Select(hook => hook.Text("url")),
            Is.EqualTo(Enumerable.Repeat("http://alerts:5004/notifications", 3)));
        // A notification that leaves out alerts is read, and one that is too large is not. An alert with all its labels
        // and texts has less than 4 KiB.
        Assert.That(hooks.Select(hook => hook.Text("max_alerts")), Is.EqualTo(new[] { "50", "50", null }),
            "of the watchdog there is one alert");
        Assert.That(Repository.Text("src", "Shop.Platform", "Alerts", "AlertsPage.cs"),
            Does.Contain("MaxBody = 256 * 1024;"), "more than 50 alerts have");
        Assert.That(hooks.Select(hook => hook.Text("send_resolved")), Is.All.Null, "what is over is told, too");
        Assert.That(Compose.At("alerts").At("ports").Items().Single().ToString(), Is.EqualTo("127.0.0.1:5004:5004"));
        Assert.That(Repository.Text("src", "Shop.Platform", "Alerts", "AlertsPage.cs"),
            Does.Contain("MapPost(\"/notifications\""));
        string Times(YamlNode route) => string.Join(' ',
            new[] { "group_wait", "group_interval", "repeat_interval" }.Select(key => route.Text(key) ?? "-"));
        YamlNode root = Alertmanager.At("route")!;
        Assert.That(Times(root), Is.EqualTo("30s 5m 4h"));
        Assert.That(root.At("group_by").Items().Select(label => label.ToString()),
            Is.EqualTo(new[] { "alertname", "service" }));
        Assert.That(root.At("routes").Items()
                .Select(route => $"{route.Text("receiver")} {Times(route)} {route.Text("continue")}".TrimEnd()),
            Is.EqualTo(new[] { "watchdog 0s 1m 5m", "page - - -" }));
        Assert.That(Alertmanager.Members().Select(member => member.Key),
            Is.EquivalentTo(new[] { "route", "receivers", "inhibit_rules" }));
    }

    [TestCaseSource(nameof(ComposeFiles))]
    public void Given_ports_then_each_is_published_under_its_own_number_once(string file)
    {
        var expected = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["shop"] = ["5001", "5002", "5003"],
            ["alerts"] = ["5004"],
            ["prometheus"] = ["9090"],
            ["alertmanager"] = ["9093"],
            ["grafana"] = ["3000"],
            ["node-exporter"] = ["9100"],
        };
        foreach ((string name, YamlNode service) in Yaml.Load(file.Split('/')).At("services").Members())
        {
            if (service.At("ports") is not YamlSequenceNode ports)
            {
                if (file == "docker-compose.yml")
                    Assert.That(name, Is.EqualTo("cadvisor"), "it is not published, since it may do everything");
                continue;
            }

            Assert.That(ports.Items().Select(port => port.ToString()),
                Is.EqualTo(expected[name].Select(port => $"127.0.0.1:{port}:{port}")), name);
        }
    }

    [TestCaseSource(nameof(ComposeFiles))]
    public void Given_what_a_container_reads_and_stores_then_its_command_names_the_folders_that_are_mounted(string file)
    {
        foreach ((string name, YamlNode service) in Yaml.Load(file.Split('/')).At("services").Members())
        {
            YamlNode with = service.At("volumes") is null && file != "loadtest/advanced/docker-compose.yml"
                ? Compose.At(name) ?? service
                : service;
            string[][] mounts = [.. with.At("volumes").Items().Select(mount => mount.ToString().Split(':'))];
            string[] flags = [.. service.At("command").Items().Select(flag => flag.ToString())];
            foreach (string flag in flags.Where(flag => flag.StartsWith("--config.file=", StringComparison.Ordinal)))
            {
                (string folder, string leaf) = (Path.GetDirectoryName(flag.Split('=')[1])!, Path.GetFileName(flag));
                string[] mount = mounts.Single(mount => mount[1] == folder);
                Assert.That(mount[2], Is.EqualTo("ro,z"), name);
                // A path of an overlay is one of the file that it lies over.
                string home = file.StartsWith("loadtest", StringComparison.Ordinal)
                    ? Repository.PathOf("loadtest", "advanced")
                    : Repository.Root;
                Assert.That(Path.Combine(home, mount[0], leaf), Does.Exist, name);
            }

            foreach (string flag in flags.Where(flag =>
                flag.Contains("storage", StringComparison.Ordinal) && flag.Contains("path=", StringComparison.Ordinal)))
            {
                Assert.That(
                    mounts.Where(mount => mount[1] == flag.Split('=')[1]).Select(mount => (mount[0], mount.Length)),
                    Is.EqualTo(new[] { ($"{name}-data", 2) }), name);
            }

            // A container that keeps what it stores has a volume for it, which is its own.
            Assert.That(
                mounts.Select(mount => mount[0]).Where(source => source.EndsWith("-data", StringComparison.Ordinal)),
                Is.All.EqualTo($"{name}-data"), name);
        }

        Assert.That(Yaml.Load("docker-compose.yml").At("volumes").Members().Select(volume => volume.Key),
            Is.EquivalentTo(new[] { "shop-data", "prometheus-data", "alertmanager-data", "grafana-data" }),
            "what must outlive a container");
        Assert.That(Compose.At("grafana").At("volumes").Items().Last().ToString(),
            Is.EqualTo("grafana-data:/var/lib/grafana"));
        Assert.That(Compose.At("shop").At("volumes").Items().Single().ToString(),
            Is.EqualTo($"shop-data:{Variable(TextOf("Dockerfile"), "Shop__DataDirectory")}"));
    }

    [Test]
    public void Given_a_health_check_then_it_asks_where_the_service_listens_and_soon_enough()
    {
        foreach ((string name, YamlNode service) in Compose.Members())
        {
            YamlNode check = service.At("healthcheck")!;
            string command = string.Join(' ', check.At("test").Items().Select(word => word.ToString()));
            string expected = name switch
            {
                "shop" => "CMD /app/Shop.Host health",
                "alerts" => "CMD /app/Shop.Host alerts health",
                _ => $"CMD wget -q -O /dev/null http://localhost:{Listeners[name].Port}{Listeners[name].Health}",
            };
            Assert.That(command, Is.EqualTo(expected), name);
            Assert.That(Seconds(check.Text("interval")), Is.InRange(10, 30), name);
            Assert.That((Seconds(check.Text("timeout")), int.Parse(check.Text("retries")!)),
                Is.EqualTo((5, name == "grafana" ? 12 : name is "shop" or "alerts" ? 3 : 6)), name);
            Assert.That(check.Members().Select(member => member.Key),
                Is.EquivalentTo(new[] { "test", "interval", "timeout", "retries" }), name);
        }
    }

    [Test]
    public void Given_a_container_that_ends_then_it_has_the_time_that_the_shop_needs_for_it()
    {
        // ShutdownTimeout is three seconds, and the last commits and the checkpoint come after it.
        foreach (string name in new[] { "shop", "alerts" })
            Assert.That(Compose.At(name).Text("stop_grace_period"), Is.EqualTo("10s"), name);
        foreach (string text in Repository.Text("docker-compose.yml").Split('\n')
            .Where(line => line.Contains("max-file", StringComparison.Ordinal)))
        {
            Assert.That(text.Trim(), Is.EqualTo("max-file: \"3\""));
        }
    }

    [Test]
    public void Given_flags_and_variables_then_they_are_those_that_were_chosen()
    {
        string[] Words(string service, string key) =>
            [.. Compose.At(service).At(key).Items().Select(word => word.ToString())];
        Assert.Multiple(() =>
        {
            Assert.That(Words("alerts", "command"), Is.EqualTo(new[] { "alerts" }));
            Assert.That(Words("prometheus", "command"), Has.Some.EqualTo("--storage.tsdb.retention.time=31d")
                .And.Some.EqualTo("--web.external-url=http://localhost:9090"));
            Assert.That(Words("alertmanager", "command"), Has.Some.EqualTo("--web.external-url=http://localhost:9093")
                .And.Some.EqualTo("--cluster.listen-address="));
            Assert.That(Words("cadvisor", "command"), Is.EqualTo(new[]
            {
                "--docker_only=true", "--housekeeping_interval=15s", "--store_container_labels=false",
                "--enable_metrics=cpu,memory,network,oom_event", "--containerd=/var/run/containerd/containerd.sock",
            }));
            Assert.That(Words("node-exporter", "command")[0], Is.EqualTo("--path.rootfs=/host"));
            Assert.That(Words("node-exporter", "volumes"), Is.EqualTo(new[] { "/:/host:ro" }));
            Assert.That(Words("cadvisor", "volumes"),
                Is.EqualTo(new[] { "/:/rootfs:ro", "/var/run:/var/run:ro", "/sys:/sys:ro" }));
            Assert.That(Words("alerts", "tmpfs"), Is.EqualTo(new[] { "/data" }));
            Assert.That(Words("grafana", "tmpfs"), Is.EqualTo(new[] { "/tmp" }));
        });
        foreach (string file in new[] { "docker-compose.yml", "loadtest/advanced/docker-compose.yml" })
        {
            string home = file == "docker-compose.yml" ? "overview" : "loadtest";
            Assert.That(Yaml.Load(file.Split('/')).At("services").At("grafana").At("environment").Members()
                .Select(variable => $"{variable.Key}={variable.Value}"), Is.EqualTo(new[]
                {
                    "GF_SECURITY_ADMIN_USER=admin", "GF_SECURITY_ADMIN_PASSWORD=${GRAFANA_PASSWORD:-admin}",
                    "GF_ANALYTICS_REPORTING_ENABLED=false", "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
                    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false", "GF_NEWS_NEWS_FEED_ENABLED=false",
                    "GF_PLUGINS_PREINSTALL_DISABLED=true",
                    $"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=/var/lib/grafana/dashboards/{home}.json",
                }), file);
            Assert.That(Repository.PathOf("monitoring", "grafana", "dashboards", $"{home}.json"), Does.Exist);
        }
    }

    [Test]
    public void Given_a_load_test_by_Compose_then_k6_knows_the_shop_Prometheus_and_where_its_script_and_its_results_are()
    {
        foreach (string file in new[] { "monitoring/load.compose.yml", "loadtest/advanced/docker-compose.yml" })
        {
            YamlNode k6 = Yaml.Load(file.Split('/')).At("services").At("k6")!;
            Assert.That(k6.At("command").Items().Select(word => word.ToString()),
                Is.EqualTo(new[] { "run", "--out", "experimental-prometheus-rw", "/loadtest/src/main.js" }), file);
            Assert.That(k6.At("environment").Members().Select(variable => $"{variable.Key}={variable.Value}"),
                Is.EqualTo(new[]
                {
                    "SCENARIO=${SCENARIO:-average}", "PRODUCT_URL=http://shop:5001", "ORDER_URL=http://shop:5002",
                    "INVENTORY_URL=http://shop:5003",
                    "RESULTS=/results",
                    "K6_PROMETHEUS_RW_SERVER_URL=http://prometheus:9090/api/v1/write", "TESTID=${TESTID:-}",
                    "K6_PROMETHEUS_RW_TREND_STATS=p(50),p(95),p(99),max",
                }), file);
            string folder = file.StartsWith("monitoring", StringComparison.Ordinal) ? "./loadtest/advanced" : ".";
            Assert.That(k6.At("volumes").Items().Select(mount => mount.ToString()),
                Is.EqualTo(new[] { $"{folder}:/loadtest:ro,z", $"{folder}/results:/results:z" }), file);
            Assert.That(k6.At("profiles").Items().Select(profile => profile.ToString()),
                Is.EqualTo(new[] { "load" }), "up alone starts no load");
            Assert.That(k6.Text("restart") ?? "no", Is.EqualTo("no"), "it would begin anew for ever");
        }

        // What the dashboard of load tests asks k6 for.
        var suffixes = Dashboards.Panels.SelectMany(panel => panel.Queries)
            .SelectMany(query => OfTrend().Matches(query)).Select(match => match.Groups["stat"].Value);
        Assert.That(suffixes.Distinct(), Is.Not.Empty.And.All.AnyOf("p50", "p95", "p99", "max"));
    }

    [Test]
    public void Given_a_shop_beside_Docker_then_Prometheus_finds_it_by_the_same_name()
    {
        Assert.That(Yaml.Load("monitoring", "host.compose.yml").At("services").At("prometheus").At("extra_hosts")
            .Items().Single().ToString(), Is.EqualTo("shop:host-gateway"));
        Assert.That(Yaml.Load("monitoring", "linux.compose.yml").At("services").At("prometheus").At("extra_hosts")
            .Items().Single().ToString(), Is.EqualTo("node-exporter:host-gateway"));
        Assert.That(Variable(TextOf("Dockerfile"), "Shop__AllowedHosts"), Is.EqualTo("shop"),
            "the name by which containers ask for it");
    }

    [TestCase("Dockerfile", "sdk:{0}-noble-aot", "runtime-deps:{0}-noble-chiseled", "")]
    [TestCase("Dockerfile.runtime", "sdk:{0}", "aspnet:{0}-noble-chiseled", "DOTNET_EnableDiagnostics=0")]
    public void Given_an_image_then_it_is_what_the_project_builds_and_runs_as_it_promises(
        string file, string build, string run, string further)
    {
        string dockerfile = TextOf(file);
        string framework =
            Regex.Match(Repository.Text("Directory.Build.props"), @"<TargetFramework>net(?<version>[\d.]+)</",
                RegexOptions.ExplicitCapture, Patience).Groups["version"].Value;
        Assert.Multiple(() =>
        {
            Assert.That(Instructions("FROM").Select(
                from => Regex.Replace(from, "@sha256:[0-9a-f]+", "", RegexOptions.None, Patience)), Is.EqualTo(new[]
                {
                    $"mcr.microsoft.com/dotnet/{string.Format(build, framework)} AS build",
                    $"mcr.microsoft.com/dotnet/{string.Format(run, framework)}",
                }));
            Assert.That(Instructions("EXPOSE"), Is.EqualTo(new[] { "5001 5002 5003" }));
            Assert.That(Instructions("ENTRYPOINT"), Is.EqualTo(new[] { "[\"/app/Shop.Host\"]" }));
            Assert.That(Instructions("VOLUME"), Is.EqualTo(new[] { Variable(dockerfile, "Shop__DataDirectory") }));
            Assert.That(Instructions("USER"), Is.EqualTo(new[] { "1654" }));
            Assert.That(Instructions("COPY").Last(),
                Is.EqualTo("--from=build --chown=1654:1654 /data /data"), "its user must write there");
            Assert.That(Instructions("ENV").Single().Split(' ', StringSplitOptions.RemoveEmptyEntries),
                Is.EquivalentTo($"""
                    Shop__DataDirectory=/data Shop__BindAddress=* Shop__AllowedHosts=shop
                    DOTNET_RUNNING_IN_CONTAINER=true ASPNETCORE_HTTP_PORTS= {further}
                    """.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)));
            Assert.That(dockerfile,
                Does.Contain("dotnet restore --locked-mode src/Shop.Host").And.Contain("-c Release -o /app")
                    .And.Contain("-p:SourceRevisionId=\"$REVISION\"").And.Contain("-p:Version=\"$VERSION\""));
            Assert.That(dockerfile,
                Does.Contain("image.version=\"$VERSION\"").And.Contain("image.revision=\"$REVISION\""));
        });

        IEnumerable<string> Instructions(string name) => InstructionsOf(dockerfile, name);
    }

    [TestCase("Dockerfile")]
    [TestCase("Dockerfile.runtime")]
    public void Given_the_projects_of_the_shop_then_the_image_restores_each_by_its_lock_file(string file)
    {
        IEnumerable<string> copied = InstructionsOf(TextOf(file), "COPY")
            .Where(copy => copy.Contains(".csproj", StringComparison.Ordinal));
        IEnumerable<string> projects =
            Directory.GetFiles(Repository.PathOf("src"), "*.csproj", SearchOption.AllDirectories)
                .Select(project => Path.GetRelativePath(Repository.Root, project).Replace('\\', '/'));
        Assert.That(copied, Is.EquivalentTo(projects.Select(project =>
            $"{project} {Path.GetDirectoryName(project)}/packages.lock.json {Path.GetDirectoryName(project)}/")));
    }

    [Test]
    public void Given_tags_that_a_registry_knows_when_images_are_pinned_then_each_has_the_digest_of_its_own_tag()
    {
        string folder = Directory.CreateTempSubdirectory("shop-pin-").FullName;
        try
        {
            string[] files =
            [
                "docker-compose.yml", "monitoring/load.compose.yml", "monitoring/traces.compose.yml",
                "loadtest/advanced/docker-compose.yml", "Dockerfile", "Dockerfile.runtime", "monitoring/pin",
            ];
            foreach (string file in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, file))!);
                File.Copy(Repository.PathOf(file.Split('/')), Path.Combine(folder, file));
            }

            // Docker, as far as it is asked: a digest that is made of the name.
            string docker = Path.Combine(folder, "bin", "docker");
            Directory.CreateDirectory(Path.GetDirectoryName(docker)!);
            File.WriteAllText(docker, """
                #!/bin/sh
                eval "image=\${$#}"
                [ "$1" = pull ] || echo "${image%:*}@sha256:$(printf %s "$image" | sha256sum | cut -d' ' -f1)"
                """);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(docker, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            for (int run = 0; run < 2; run++) // the second changes nothing
            {
                (int exitCode, string output) = Bash(folder, "monitoring/pin");
                Assert.That(exitCode, Is.Zero, output);
            }

            int pinned = 0;
            foreach (string file in files.SkipLast(1))
            {
                string[] before = Repository.Text(file.Split('/')).Split('\n'),
                    after = File.ReadAllLines(Path.Combine(folder, file));
                foreach ((string old, string now) in before.Zip(after))
                {
                    Match image = Tagged().Match(old);
                    string expected = !image.Success ? old : $"{image.Groups["before"]}{image.Groups["image"]}@sha256:"
                        + $"{Sha256(image.Groups["image"].Value)}{image.Groups["after"]}";
                    Assert.That(now, Is.EqualTo(expected), file);
                    if (image.Success) pinned++;
                }
            }

            Assert.That(pinned, Is.EqualTo(5 + 1 + 3 + 2 + 2 + 2), "every image that is not built here");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestCase("true", 1)]
    [TestCase("", 0)]
    public void Given_no_Docker_engine_when_the_containers_are_tested_then_that_is_a_failure_in_CI_and_is_said_elsewhere(
        string ci, int expected)
    {
        string folder = Directory.CreateTempSubdirectory("shop-no-engine-").FullName;
        try
        {
            string docker = Path.Combine(folder, "bin", "docker");
            Directory.CreateDirectory(Path.GetDirectoryName(docker)!);
            File.WriteAllText(docker, "#!/bin/sh\nexit 1\n");
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(docker, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            (int exitCode, string output) = Bash(folder, Repository.PathOf("tests", "containers", "run"), ci);
            Assert.That(exitCode, Is.EqualTo(expected), output);
            Assert.That(output, Does.Contain("no Docker engine"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Given_a_command_that_names_tests_then_it_runs_them_whatever_their_category_is()
    {
        string[] folders = ["docs", "monitoring"];
        string[] commands = [.. folders
            .SelectMany(folder => Directory.GetFiles(Repository.PathOf(folder), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.GetFiles(Repository.Root, "*.md"))
            .Append(Repository.PathOf("monitoring", "pictures", "render"))
            .SelectMany(File.ReadLines)
            .Where(line => line.Contains("dotnet test ", StringComparison.Ordinal)
                && line.Contains(" --filter ", StringComparison.Ordinal))];
        Assert.That(commands, Has.Length.AtLeast(5).And.All.Contain("-p:SlowTests=true"));
    }

    [Test]
    public void Given_CI_then_it_says_so_to_every_test_and_runs_the_containers()
    {
        string[] lines = [.. Repository.Text(".ci", "run").Split('\n').Select(line => line.Trim())];
        int exported = Array.FindIndex(lines, line => line.StartsWith("export CI=true", StringComparison.Ordinal));
        Assert.That(exported, Is.Positive.And.LessThan(
            Array.FindIndex(lines, line => line.StartsWith("dotnet test", StringComparison.Ordinal))));
        Assert.That(lines, Has.Some.StartsWith("if tests/containers/run"));
        Assert.That(lines, Has.Some.Contain("node --test --test-reporter=spec testing/*.test.js"));
        Assert.That(lines[^2..], Is.EqualTo(new[] { "[ \"$failed\" -eq 0 ]", "" }), "what failed is the end's verdict");
    }

    private static (int ExitCode, string Output) Bash(string folder, string script, string ci = "")
    {
        var start = new ProcessStartInfo("bash", [script])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment =
            {
                ["PATH"] = $"{folder}/bin:{Environment.GetEnvironmentVariable("PATH")}",
                ["CI"] = ci,
                ["DOCKER_HOST"] = "unix:///nowhere",
            },
        };
        using var process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }

    private static string Sha256(string text) => Convert.ToHexStringLower(
        System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));

    private static string TextOf(string dockerfile) => Repository.Text(dockerfile).Replace(" \\\n", " ");

    private static string[] InstructionsOf(string dockerfile, string name) =>
        [.. dockerfile.Split('\n').Where(line => line.StartsWith($"{name} ", StringComparison.Ordinal))
            .Select(line => line[(name.Length + 1)..].Trim())];

    private static string Variable(string dockerfile, string name) =>
        Regex.Match(dockerfile, $@"{name}=(?<value>\S*)", RegexOptions.ExplicitCapture, Patience).Groups["value"].Value;

    private static int Seconds(string? duration) => int.Parse(duration!.TrimEnd('s'));

    [GeneratedRegex(@"\[(?<minutes>\d+)m\]", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Minutes();

    [GeneratedRegex(@"\bk6_(http_req_duration|order_duration)_(?<stat>\w+)\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfTrend();

    [GeneratedRegex(@"^(?<before> *(image:|FROM) +)(?<image>[^ @]+/[^ @]+:[^ @]+)(?<after>( .*)?)$",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Tagged();
}
