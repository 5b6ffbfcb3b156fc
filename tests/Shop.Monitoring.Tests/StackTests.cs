using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Npgsql;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// What HAProxy, PostgreSQL, PgBouncer, Tempo, Loki and Grafana are told, key by key: each starts with another value
/// too, and is then slower to notice, less durable, open to more, or forgets.
/// </summary>
internal sealed class StackTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly YamlNode Scale = Yaml.Load("scale.compose.yml").At("services")!;
    private static readonly YamlNode Traces = Yaml.Load("monitoring", "traces.compose.yml").At("services")!;

    private static readonly string[] Balancer =
        [.. Repository.Text("scale", "haproxy", "haproxy.cfg").Split('\n').Select(line => line.Split('#')[0].Trim())];

    [Test]
    public void Given_the_balancer_then_it_notices_and_gives_up_in_the_times_that_the_manual_says()
    {
        Assert.That(Repository.Text("docs", "scaling.md"),
            Does.Contain("HAProxy leaves it out within some four seconds"), "twice two seconds");
        Assert.That(Balancer, Is.SupersetOf(new[]
        {
            "maxconn 8000", "mode http", "timeout connect 2s", "timeout check 3s", "option forwardfor",
            "option redispatch", "retries 3", "retry-on conn-failure",
            "default-server check inter 2s fall 2 rise 2 maxconn 4096 resolvers docker init-addr none",
            "nameserver engine 127.0.0.11:53", "resolve_retries 3", "timeout resolve 1s", "timeout retry 1s",
            "hold valid 2s", "hold nx 2s", "http-request use-service prometheus-exporter if { path /metrics }",
            "http-request return status 404 unless { path /metrics }",
        }));
        // Each of the six, and no check is of the connection alone.
        foreach (string line in new[] { "balance leastconn", "option httpchk" })
            Assert.That(Balancer.Count(one => one == line), Is.EqualTo(6), line);
        Assert.That(Balancer, Has.None.Matches("(?i)http-reuse|stick|abortonclose|all-redispatch|disabled|backup"));
    }

    [Test]
    public void Given_PostgreSQL_of_many_hosts_then_it_keeps_what_it_has_acknowledged_and_ends_in_its_own_time()
    {
        YamlNode postgres = Scale.At("postgres")!;
        Assert.That(Words(postgres, "command"), Is.EqualTo(new[]
        {
            "postgres", "-c", "shared_buffers=256MB", "-c", "max_connections=200", "-c", "log_lock_waits=on",
        }), "fsync, synchronous_commit and full_page_writes stay on");
        Assert.That(Words(postgres, "volumes"), Is.EqualTo(new[]
        {
            "./scale/init:/docker-entrypoint-initdb.d:ro,z", "postgres-data:/var/lib/postgresql/data",
        }));
        Assert.That(Variables(postgres), Is.EqualTo(new[]
        {
            "POSTGRES_DB=shop", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres",
            "PGDATA=/var/lib/postgresql/data/pgdata",
        }), "its data is in the volume");
        Assert.That((postgres.Text("stop_signal"), postgres.Text("stop_grace_period"), postgres.Text("shm_size"),
            postgres.Text("user")), Is.EqualTo(("SIGINT", "60s", "128m", "postgres")));
        Assert.That(Words(postgres, "tmpfs"), Is.EqualTo(new[] { "/tmp", "/var/run/postgresql" }));
        // Ten for each of three services of three hosts, and room for the exporter and for people.
        Assert.That(Repository.Text("docs", "scaling.md"), Does.Contain("three hosts need about 100"));
    }

    [Test]
    public void Given_many_hosts_then_each_service_has_the_secrets_and_the_ports_that_it_needs_and_no_others()
    {
        string Of(string key) => string.Join("; ", Scale.Members()
            .Where(service => service.Value.At(key) is YamlSequenceNode)
            .Select(service => $"{service.Key}: {string.Join(' ', Words(service.Value, key))}"));
        Assert.That(Of("secrets"), Is.EqualTo("shop: pgpass; postgres: postgres pgpass; postgres-exporter: exporter"));
        Assert.That(Of("ports"),
            Is.EqualTo("haproxy: 127.0.0.1:5001:5001 127.0.0.1:5002:5002 127.0.0.1:5003:5003"),
            "the database is reached from containers alone");
        Assert.That(Of("networks"), Is.EqualTo(
            "shop: default database; postgres: database; postgres-exporter: default database"));
        // By any of the networks that an engine makes, and so the address of a client is the one that HAProxy names.
        Assert.That(Scale.At("shop").At("environment").Text("Shop__TrustedProxies"),
            Is.EqualTo("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"));
        foreach ((string name, string expected) in new[]
        {
            ("haproxy", "bash -c exec 3<>/dev/tcp/127.0.0.1/8405"), ("postgres", "pg_isready -q -U postgres -d shop"),
            ("postgres-exporter", "wget -q -O /dev/null http://localhost:9187/"),
        })
        {
            Assert.That(string.Join(' ', Words(Scale.At(name).At("healthcheck")!, "test")),
                Is.EqualTo($"CMD {expected}"));
        }
    }

    /// <summary>The roles as PostgreSQL's image makes them in its empty database.</summary>
    [Test]
    public async Task Given_an_empty_database_when_its_roles_are_made_then_each_owns_its_schema_and_sees_no_other()
    {
        string[] services = ["products", "orders", "inventory"];
        using PostgresCluster cluster = PostgresCluster.StartOwn();
        var database = new NpgsqlConnectionStringBuilder(cluster.CreateDatabase());
        string script = Repository.Text("scale", "init", "roles.sh");
        Assert.That(script, Does.Contain(" /run/secrets/pgpass;"));
        script = script.Replace("/run/secrets/pgpass", Repository.PathOf("scale", "secrets", "pgpass"));
        var start = new ProcessStartInfo("sh", ["-c", script])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        start.Environment["PGHOST"] = database.Host;
        start.Environment["POSTGRES_DB"] = database.Database;
        using (Process process = Process.Start(start)!)
        {
            string errors = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.That(process.ExitCode, Is.Zero, errors);
        }

        foreach (string service in services)
            Assert.That(await FailureAsync(service, $"CREATE TABLE {service}.mine (id int)"), Is.Null);
        const string Refused = "42501"; // insufficient_privilege
        foreach (string service in services)
        {
            foreach (string other in services.Where(other => other != service))
                Assert.That(await FailureAsync(service, $"SELECT * FROM {other}.mine"), Is.EqualTo(Refused));
            foreach (string sql in new[]
            {
                "CREATE TABLE public.theirs (id int)", "CREATE SCHEMA more", "CREATE ROLE more",
                "SELECT pg_read_file('PG_VERSION')",
            })
            {
                Assert.That(await FailureAsync(service, sql), Is.EqualTo(Refused), $"{service}: {sql}");
            }

            Assert.That(await FailureAsync("exporter", $"SELECT * FROM {service}.mine"), Is.EqualTo(Refused));
        }

        Assert.That(await FailureAsync("exporter", "SHOW data_directory"), Is.Null, "as one who watches may");
        await using NpgsqlDataSource all = NpgsqlDataSource.Create(database.ConnectionString);
        await using NpgsqlCommand roles = all.CreateCommand("""
            SELECT string_agg(rolname || CASE WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN '' ELSE ' without password'
                END || CASE WHEN rolsuper OR rolcreaterole OR rolcreatedb THEN ' with more' ELSE '' END, ', '
                ORDER BY rolname)
            FROM pg_authid WHERE rolcanlogin AND rolname <> 'postgres'
            """);
        Assert.That(await roles.ExecuteScalarAsync(), Is.EqualTo("exporter, inventory, orders, products"));

        async Task<string?> FailureAsync(string role, string sql)
        {
            await using NpgsqlDataSource source = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false }.ConnectionString);
            await using NpgsqlConnection connection = await source.OpenConnectionAsync();
            await using (var become = new NpgsqlCommand($"SET SESSION AUTHORIZATION {role}", connection))
                await become.ExecuteNonQueryAsync();
            try
            {
                await using var command = new NpgsqlCommand(sql, connection);
                await command.ExecuteNonQueryAsync();
                return null;
            }
            catch (PostgresException refused)
            {
                return refused.SqlState;
            }
        }
    }

    [Test]
    public void Given_PgBouncer_then_it_shares_sessions_as_the_manual_says()
    {
        string[] lines = Repository.Text("scale", "pgbouncer.ini").Split('\n');
        Assert.That(lines.SkipWhile(line => line != "[pgbouncer]").Where(line => line.Contains(" = ")),
            Is.EquivalentTo(new[]
            {
                "listen_addr = *", "listen_port = 6432", "auth_type = scram-sha-256",
                "auth_file = /etc/pgbouncer/userlist.txt", "pool_mode = transaction", "default_pool_size = 10",
                "max_client_conn = 2000", "server_login_retry = 1",
                "ignore_startup_parameters = search_path,options",
            }));
        string manual = Repository.Text("docs", "scaling.md");
        Assert.That(manual, Does.Contain("ten for each service. `scale/pgbouncer.ini` is its configuration, in "
            + "transaction mode").And.Contain("/etc/pgbouncer/userlist.txt").And.Contain("again each second"));
        foreach (string service in new[] { "products", "orders", "inventory" })
        {
            Assert.That(manual, Does.Contain($"Host=pgbouncer;Port=6432;Database={service};Username={service};"));
            Assert.That(lines, Has.One.StartsWith($"{service} = host=postgres port=5432 dbname=shop connect_query='"));
        }
    }

    /// <summary>Where both store is in their volumes, all of it, since their root can't be written.</summary>
    [Test]
    public void Given_Tempo_and_Loki_then_they_keep_what_they_get_in_their_volumes_and_for_as_long_as_they_say()
    {
        Assert.That(Keys(Yaml.Load("monitoring", "tempo", "tempo.yml")), Is.EquivalentTo(new[]
        {
            "stream_over_http_enabled: true", "server.http_listen_port: 3200", "server.log_level: warn",
            // From other containers, too.
            "distributor.receivers.otlp.protocols.http.endpoint: 0.0.0.0:4318",
            "compactor.compaction.block_retention: 48h",
            "overrides.defaults.ingestion.rate_limit_bytes: 15000000",
            "overrides.defaults.ingestion.burst_size_bytes: 20000000",
            "overrides.defaults.ingestion.max_traces_per_user: 50000",
            "overrides.defaults.global.max_bytes_per_trace: 5000000", "storage.trace.backend: local",
            "storage.trace.wal.path: /var/tempo/wal", "storage.trace.local.path: /var/tempo/blocks",
            "usage_report.reporting_enabled: false",
        }));
        Assert.That(Repository.Text("monitoring", "tempo", "tempo.yml"), Does.Contain("kept for two days"));
        Assert.That(Keys(Yaml.Load("monitoring", "loki", "loki.yml")), Is.EquivalentTo(new[]
        {
            "auth_enabled: false", "server.http_listen_port: 3100", "server.log_level: warn",
            "common.instance_addr: 127.0.0.1", "common.path_prefix: /loki",
            "common.storage.filesystem.chunks_directory: /loki/chunks",
            "common.storage.filesystem.rules_directory: /loki/rules", "common.replication_factor: 1",
            "common.ring.kvstore.store: inmemory",
            // Lines are deleted by whole tables of the index, a day each.
            "schema_config.configs.0.from: 2025-01-01", "schema_config.configs.0.store: tsdb",
            "schema_config.configs.0.object_store: filesystem", "schema_config.configs.0.schema: v13",
            "schema_config.configs.0.index.prefix: index_", "schema_config.configs.0.index.period: 24h",
            "limits_config.allow_structured_metadata: true", "limits_config.retention_period: 168h",
            "limits_config.ingestion_rate_mb: 8", "limits_config.ingestion_burst_size_mb: 16",
            "compactor.working_directory: /loki/compactor", "compactor.retention_enabled: true",
            "compactor.delete_request_store: filesystem", "analytics.reporting_enabled: false",
        }));
        Assert.That(Repository.Text("monitoring", "loki", "loki.yml"), Does.Contain("kept for a week"));
        foreach ((string name, string folder) in new[] { ("tempo", "/var/tempo"), ("loki", "/loki") })
        {
            YamlNode service = Traces.At(name)!;
            Assert.That(Words(service, "command"), Is.EqualTo(new[] { $"-config.file=/etc/{name}/{name}.yml" }));
            Assert.That(Words(service, "volumes"),
                Is.EqualTo(new[] { $"./monitoring/{name}:/etc/{name}:ro,z", $"{name}-data:{folder}" }));
        }

        Assert.That(Words(Traces.At("loki")!, "tmpfs"), Is.EqualTo(new[] { "/tmp" }));
        Assert.That(Traces.At("shop").At("environment").Members().Select(each => $"{each.Key}={each.Value}"),
            Has.Some.EqualTo("OTEL_TRACES_SAMPLER=${OTEL_TRACES_SAMPLER:-parentbased_traceidratio}")
                .And.Some.EqualTo("OTEL_TRACES_SAMPLER_ARG=${OTEL_TRACES_SAMPLER_ARG:-1}"), "each request");
    }

    [Test]
    public void Given_what_Grafana_is_provided_with_then_a_link_asks_for_the_time_around_it_and_nobody_edits_it()
    {
        Assert.That(Keys(Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "traces.yml"))
                .Where(key => !key.Contains(".uid", StringComparison.Ordinal)
                    && !key.Contains("query", StringComparison.Ordinal)
                    && !key.Contains("queries", StringComparison.Ordinal)),
            Is.EquivalentTo(new[]
            {
                "apiVersion: 1", "datasources.0.name: Tempo", "datasources.0.type: tempo",
                "datasources.0.access: proxy", "datasources.0.url: http://tempo:3200",
                "datasources.0.editable: false", "datasources.0.jsonData.tracesToLogsV2.datasourceUid: loki",
                "datasources.0.jsonData.tracesToLogsV2.spanStartTimeShift: -1m",
                "datasources.0.jsonData.tracesToLogsV2.spanEndTimeShift: 1m",
                "datasources.0.jsonData.tracesToLogsV2.filterByTraceID: false",
                "datasources.0.jsonData.tracesToLogsV2.customQuery: true",
                "datasources.0.jsonData.tracesToMetrics.datasourceUid: prometheus",
                "datasources.0.jsonData.tracesToMetrics.spanStartTimeShift: -15m",
                "datasources.0.jsonData.tracesToMetrics.spanEndTimeShift: 15m",
                "datasources.0.jsonData.tracesToMetrics.tags.0.key: service.name",
                "datasources.0.jsonData.tracesToMetrics.tags.0.value: service",
                "datasources.0.jsonData.tracesToMetrics.tags.1.key: http.route",
                "datasources.0.jsonData.tracesToMetrics.tags.1.value: endpoint",
                "datasources.0.jsonData.nodeGraph.enabled: true", "datasources.1.name: Loki",
                "datasources.1.type: loki", "datasources.1.access: proxy", "datasources.1.url: http://loki:3100",
                "datasources.1.editable: false", "datasources.1.jsonData.derivedFields.0.name: Trace",
                "datasources.1.jsonData.derivedFields.0.datasourceUid: tempo",
                "datasources.1.jsonData.derivedFields.0.matcherType: label",
                "datasources.1.jsonData.derivedFields.0.matcherRegex: trace_id",
                "datasources.1.jsonData.derivedFields.0.url: $${__value.raw}",
                "datasources.1.jsonData.derivedFields.0.urlDisplayLabel: The trace of this line",
            }));
        YamlNode prometheus = Yaml.Load("monitoring", "grafana", "provisioning", "datasources", "prometheus.yml");
        // A query of a dashboard is longer than an address may be.
        Assert.That(Keys(prometheus), Is.SupersetOf(new[]
        {
            "datasources.0.editable: false", "datasources.0.jsonData.httpMethod: POST",
            "datasources.0.type: prometheus",
            "datasources.0.jsonData.exemplarTraceIdDestinations.0.urlDisplayLabel: The trace of this dot",
        }));
        foreach ((string file, int providers) in new[] { ("dashboards", 1), ("scale", 2) })
        {
            YamlNode[] all = [.. Yaml.Load("monitoring", "grafana", "provisioning", file, "shop.yml")
                .At("providers").Items()];
            Assert.That(all, Has.Length.EqualTo(providers));
            foreach (YamlNode provider in all)
            {
                Assert.That((provider.Text("folder"), provider.Text("type"), provider.Text("allowUiUpdates"),
                    provider.Text("disableDeletion")), Is.EqualTo(("Shop", "file", "false", "true")));
            }
        }
    }

    [Test]
    public void Given_the_dashboard_of_many_hosts_then_its_frame_its_marks_and_its_choice_are_those_of_the_others()
    {
        JsonNode scale = JsonNode.Parse(Repository.Text("monitoring", "grafana", "scale", "scale.json"))!,
            overview = Dashboards.All["overview"];
        Assert.That((string)scale["uid"]!, Is.EqualTo("shop-scale"));
        foreach (string key in new[]
        {
            "tags", "editable", "graphTooltip", "schemaVersion", "timezone", "refresh", "time", "links",
        })
        {
            Assert.That(scale[key]!.ToJsonString(), Is.EqualTo(overview[key]!.ToJsonString()), key);
        }

        string Marks(JsonNode dashboard) => dashboard["annotations"]!.ToJsonString();
        Assert.That(Dashboards.All.Values.Select(Marks), Is.All.EqualTo(Marks(overview)));
        Assert.That(Marks(scale), Is.EqualTo(Marks(overview)
            .Replace("max by (fault) (", "max by (fault, instance) (")
            .Replace("\"Trouble on demand\"}", "\"Trouble on demand, {{instance}}\"}")
            .Replace("\"textFormat\":\"Trouble on demand\"", "\"textFormat\":\"Trouble on demand, {{instance}}\"")));
        foreach (JsonNode dashboard in Dashboards.All.Values.Append(scale))
        {
            JsonNode link = dashboard["links"]!.AsArray().Single()!;
            Assert.That($"{link["type"]} {link["keepTime"]} {link["includeVars"]} {link["asDropdown"]}",
                Is.EqualTo("dashboards true false false"), "the time goes along");
        }

        JsonNode host = scale["templating"]!["list"]!.AsArray().Single(one => (string)one!["name"]! == "instance")!;
        const string Hosts = "label_values(shop_build_info{job=\"shop-process\"}, instance)";
        Assert.That($"{host["query"]!["query"]} {host["definition"]} {host["refresh"]} {host["includeAll"]} "
            + $"{host["multi"]} {host["allValue"]} {host["current"]!["text"]}",
            Is.EqualTo($"{Hosts} {Hosts} 2 true true .* All"));
        Assert.That(scale["panels"]!.AsArray().Where(panel => (string)panel!["type"]! != "row")
            .Select(panel => (string)panel!["datasource"]!["uid"]!), Is.All.EqualTo("${datasource}"));
    }

    /// <summary>A panel of one kind reads as the others of its kind do.</summary>
    [Test]
    public void Given_the_panels_of_a_kind_then_their_legends_and_figures_are_read_alike()
    {
        const string Lines = """{"legend":{"displayMode":"table","placement":"bottom","showLegend":true,"""
            + "\"calcs\":[\"mean\",\"max\"]},\"tooltip\":{\"mode\":\"multi\",\"sort\":\"desc\"}}";
        const string Newest = "\"reduceOptions\":{\"calcs\":[\"lastNotNull\"],\"fields\":\"\",\"values\":false}";
        foreach (Panel panel in Dashboards.Panels.Concat(Dashboards.Scale))
        {
            string options = panel.Json["options"]!.ToJsonString();
            string colour = $"{panel.Json["fieldConfig"]!["defaults"]!["color"]?["mode"]}";
            switch (panel.Type)
            {
                case "timeseries":
                    // Of totals and of what is on or off, an average says nothing.
                    bool isState = panel.Title is "Retries and refusals" or "Trouble on demand";
                    string expected = isState ? Lines.Replace("\"mean\",\"max\"", "\"lastNotNull\"") : Lines;
                    Assert.That(JsonNode.DeepEquals(panel.Json["options"], JsonNode.Parse(expected)), Is.True,
                        $"{panel.Title}: {options}");
                    Assert.That(colour, Is.EqualTo(panel.Title == "Errors" ? "shades" : "palette-classic"));
                    JsonNode custom = panel.Json["fieldConfig"]!["defaults"]!["custom"]!;
                    Assert.That($"{custom["lineWidth"]} {custom["showPoints"]} {custom["stacking"]!["group"]}",
                        Is.EqualTo("1 never A"), panel.Title);
                    break;
                case "table":
                    Assert.That(panel.Json["transformations"]!.ToJsonString(), Is.EqualTo("""
                        [{"id":"organize","options":{"excludeByName":{"Time":true,"__name__":true}}}]
                        """), panel.Title);
                    break;
                case "heatmap":
                    Assert.That($"{panel.Json["options"]!["calculate"]} {panel.Json["options"]!["yAxis"]!["unit"]}",
                        Is.EqualTo("false s"), panel.Title);
                    break;
                default:
                    Assert.That(options, Does.Contain(Newest), panel.Title);
                    Assert.That(colour, Is.EqualTo("thresholds"), panel.Title);
                    break;
            }
        }
    }

    [TestCase("docker-compose.yml")]
    [TestCase("monitoring/linux.compose.yml")]
    public void Given_what_a_machine_has_mounted_then_Node_Exporter_looks_at_its_disks_alone(string file)
    {
        const string Flag = "--collector.filesystem.mount-points-exclude=";
        string pattern = Words(Yaml.Load(file.Split('/')).At("services").At("node-exporter")!, "command")
            .Single(word => word.StartsWith(Flag, StringComparison.Ordinal))[Flag.Length..].Replace("$$", "$");
        string[] disks =
            ["/", "/home", "/data", "/boot/efi", "/var", "/var/lib", "/var/lib/postgresql", "/etc", "/mnt/run", "/srv"];
        string[] others =
        [
            "/dev", "/dev/shm", "/proc", "/proc/sys/fs/binfmt_misc", "/run", "/run/user/0", "/sys", "/sys/fs/cgroup",
            "/snap", "/snap/core/1", "/etc/hosts", "/etc/resolv.conf", "/var/lib/docker/overlay2/a/merged",
            "/var/lib/containerd/x", "/var/lib/containers/storage",
        ];
        Assert.That(disks.Where(mount => Regex.IsMatch(mount, pattern, RegexOptions.None, Patience)), Is.Empty);
        Assert.That(others.Where(mount => !Regex.IsMatch(mount, pattern, RegexOptions.None, Patience)), Is.Empty);
    }

    /// <summary>What the image is built for, by the machine that builds it.</summary>
    [TestCase("x86_64", "linux-x64")]
    [TestCase("aarch64", "linux-arm64")]
    public void Given_a_machine_then_the_native_image_is_built_by_its_profile(string machine, string profile)
    {
        string command = Repository.Text("Dockerfile").Split('\n')
            .Single(line => line.StartsWith("RUN echo ", StringComparison.Ordinal))[4..];
        Assert.That(command, Does.Contain("$(uname -m ").And.EndWith(" >/profile"));
        (int exitCode, string output) = Tools.Run("sh", "-c",
            $"uname() {{ [ \"$1\" = -m ] && echo {machine}; }}\n{command.Replace(" >/profile", "")}");
        Assert.That((exitCode, output.Trim()), Is.EqualTo((0, $"-p:PublishProfile={profile}")));
        Assert.That(Repository.PathOf("src", "Shop.Host", "Properties", "PublishProfiles", $"{profile}.pubxml"),
            Does.Exist);
        Assert.That(Regex.Count(Repository.Text("Dockerfile"), @"\$\(cat /profile\)", RegexOptions.None, Patience),
            Is.EqualTo(2), "restored and published by it");
    }

    [Test]
    public void Given_the_image_then_Compose_builds_it_from_here_with_the_version_that_is_asked_for()
    {
        YamlNode services = Yaml.Load("docker-compose.yml").At("services")!;
        foreach (string name in new[] { "shop", "alerts" })
        {
            Assert.That(Keys(services.At(name).At("build")!), Is.EquivalentTo(new[]
            {
                "context: .", "dockerfile: ${DOCKERFILE:-Dockerfile}", "args.VERSION: ${VERSION:-0.1.0}",
                "args.REVISION: ${REVISION:-unknown}",
            }), name);
        }

        foreach (string file in new[] { "Dockerfile", "Dockerfile.runtime" })
        {
            foreach (string argument in new[] { "ARG VERSION=0.1.0", "ARG REVISION=unknown" })
            {
                Assert.That(Repository.Text(file).Split('\n').Count(line => line == argument), Is.EqualTo(2),
                    "an argument holds until the next FROM");
            }
        }
    }

    [Test]
    public void Given_the_dashboard_without_Docker_then_it_listens_where_its_manual_says_and_to_this_machine_alone()
    {
        string script = Repository.Text("monitoring", "dashboard", "start"),
            manual = Repository.Text("monitoring", "README.md");
        foreach ((string variable, string address) in new[]
        {
            ("ASPNETCORE_URLS", "http://localhost:18888"),
            ("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "http://localhost:4317"),
            ("ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL", "http://localhost:4318"),
        })
        {
            Assert.That(script, Does.Contain($"export {variable}=${{{variable}:-{address}}}\n"));
        }

        Assert.That(manual, Does.Contain("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318`")
            .And.Contain("`http://localhost:18888/traces/detail/`"));
        Assert.That(script, Does.Contain("ASPIRE_DASHBOARD_TELEMETRY_OPTOUT=true")
            .And.Contain("DASHBOARD__FRONTEND__AUTHMODE=Unsecured DASHBOARD__OTLP__AUTHMODE=Unsecured"));
    }

    [Test]
    public void Given_the_files_of_the_labs_then_they_ask_the_same_ports_by_the_same_jobs_and_hold_back_the_same()
    {
        Dictionary<string, YamlNode> main = Jobs("monitoring/prometheus/prometheus.yml");
        foreach ((string file, int[] hosts) in new[]
        {
            ("docs/labs/prometheus.yml", new[] { 0 }), ("docs/labs/two-hosts.yml", [0, 1000]),
        })
        {
            Dictionary<string, YamlNode> lab = Jobs(file);
            Assert.That(lab.Keys, Is.EquivalentTo(
                new[] { "product-service", "order-service", "inventory-service", "shop-process" }), file);
            foreach ((string name, YamlNode job) in lab)
            {
                int port = int.Parse(Targets(main[name]).Single().Split(':')[1]);
                Assert.That(Targets(job), Is.EqualTo(hosts.Select(host => $"localhost:{port + host}")), file);
                Assert.That(job.Text("metrics_path"), Is.EqualTo(main[name].Text("metrics_path")), file);
            }

            Assert.That(Keys(Yaml.Load(file.Split('/')).At("global")!),
                Is.EqualTo(new[] { "scrape_interval: 2s", "evaluation_interval: 2s" }), file);
        }

        YamlNode routes = Yaml.Load("docs", "labs", "alertmanager.yml"),
            all = Yaml.Load("monitoring", "alertmanager", "alertmanager.yml");
        Assert.That(routes.At("inhibit_rules").Items(), Is.SubsetOf(all.At("inhibit_rules").Items()));
        Assert.That(Words(routes.At("route")!, "group_by"), Is.EqualTo(Words(all.At("route")!, "group_by")));
        Assert.That(Keys(routes.At("receivers")!), Is.EqualTo(new[]
        {
            $"0.name: {routes.At("route").Text("receiver")}",
            "0.webhook_configs.0.url: http://localhost:5004/notifications",
        }));

        static Dictionary<string, YamlNode> Jobs(string file) => Yaml.Load(file.Split('/')).At("scrape_configs").Items()
            .ToDictionary(job => job.Text("job_name")!);

        static IEnumerable<string> Targets(YamlNode job) =>
            job.At("static_configs").Items().SelectMany(config => Words(config, "targets"));
    }

    private static string[] Words(YamlNode node, string key) =>
        [.. node.At(key).Items().Select(word => word.ToString())];

    private static string[] Variables(YamlNode service) =>
        [.. service.At("environment").Members().Select(variable => $"{variable.Key}={variable.Value}")];

    /// <summary>Each value, with the keys that lead to it.</summary>
    private static IEnumerable<string> Keys(YamlNode node) => node switch
    {
        YamlMappingNode map => map.Members().SelectMany(member => Below(member.Key, member.Value)),
        YamlSequenceNode list => list.Children.SelectMany((item, index) => Below($"{index}", item)),
        _ => [],
    };

    private static IEnumerable<string> Below(string key, YamlNode node) =>
        node is YamlScalarNode scalar ? [$"{key}: {scalar.Value}"] : Keys(node).Select(below => $"{key}.{below}");
}
