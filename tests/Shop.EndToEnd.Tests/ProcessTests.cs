using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>The host as a process of its own: how it starts, is stopped, and dies.</summary>
[Platform("Linux,MacOsX", Reason = "Signals are sent with kill.")]
internal sealed class ProcessTests
{
    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-test-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase(15)]
    [TestCase(2)]
    public async Task Given_a_running_shop_when_it_is_asked_to_stop_then_it_drains_checkpoints_and_exits_0(int signal)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        Task<HttpResponseMessage>[] underWay = [.. Enumerable.Range(0, 50)
            .Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0"))
                .ContinueWith(reply => reply.Result.Response, TaskScheduler.Default))];
        await Task.WhenAny(underWay);
        shop.Signal(signal);
        Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        int acknowledged =
            underWay.Count(reply => reply.IsCompletedSuccessfully && reply.Result.StatusCode == HttpStatusCode.Created);
        Assert.That(Directory.GetFiles(_directory, "*-wal").Select(file => new FileInfo(file).Length), Is.All.Zero);
        await using ShopUnderTest again = await ShopUnderTest.StartAsync(replace: null, _directory);
        using HttpResponseMessage stored = await again.Orders.GetAsync("/orders?limit=1");
        Assert.That(int.Parse(stored.Header("X-Total-Count")!), Is.GreaterThanOrEqualTo(acknowledged));
    }

    [Test]
    [Platform("Linux", Reason = "What a process has loaded is asked of /proc.")]
    public async Task Given_a_shop_that_has_only_started_and_been_probed_then_it_has_not_loaded_what_only_lists_need()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        string Loaded() => File.ReadAllText($"/proc/{shop.Id}/maps");
        (await shop.Orders.GetAsync("/health/ready")).Dispose();
        Assert.That(Loaded(), Does.Not.Contain("/Dapper").And.Not.Contain("/System.Linq.Expressions.dll"));
        (await shop.Orders.GetAsync("/orders")).Dispose();
        // A native program has everything inside, and loads a page of it when it is needed.
        Assert.That(Loaded(), ShopProgram.IsNative
            ? Does.Not.Contain(".dll")
            : Does.Contain("/Microsoft.Data.Sqlite.dll").And.Contain("/Dapper.AOT.dll")
                .And.Not.Contain("/System.Linq.Expressions.dll"));
    }

    [Test]
    [Platform("Linux", Reason = "What a process has loaded is asked of /proc.")]
    public async Task Given_a_shop_on_files_that_has_been_used_then_it_has_loaded_nothing_of_PostgreSQL()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        (HttpResponseMessage placed, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That(placed.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        foreach (HttpClient client in new[] { shop.Products, shop.Orders, shop.Inventory })
        {
            foreach (string path in new[] { "/metrics", "/health/ready" })
                (await client.GetAsync(path)).EnsureSuccessStatusCode().Dispose();
        }

        (await shop.Inventory.GetAsync("/inventory")).EnsureSuccessStatusCode().Dispose();
        Assert.That(File.ReadAllText($"/proc/{shop.Id}/maps"),
            Does.Not.Contain("Npgsql").And.Not.Contain("dbup-postgresql"));
    }

    [Test]
    public async Task Given_orders_under_load_when_the_process_is_killed_then_every_acknowledged_one_is_there_and_the_stock_balances()
    {
        var acknowledged = new ConcurrentQueue<string>();
        for (int round = 0; round < 5; round++)
        {
            using ShopProcess shop = await ShopProcess.StartAsync(_directory);
            int target = acknowledged.Count + 40 + (round * 13);
            using var enough = new SemaphoreSlim(0);
            Task[] clients = [.. Enumerable.Range(0, 8).Select(_ => PlaceUntilGoneAsync(shop, id =>
            {
                acknowledged.Enqueue(id);
                if (acknowledged.Count >= target) enough.Release();
            }))];
            await enough.WaitAsync();
            shop.Signal(9);
            await shop.ExitAsync();
            await Task.WhenAll(clients);
        }

        await using ShopUnderTest again = await ShopUnderTest.StartAsync(replace: null, _directory);
        var stored = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        string? next = "/orders?limit=1000";
        while (next is not null)
        {
            using HttpResponseMessage page = await again.Orders.GetAsync(next);
            foreach (JsonNode? order in JsonNode.Parse(await page.Content.ReadAsStringAsync())!.AsArray())
                stored.Add((string)order!["order_id"]!, order);
            next = page.NextPage();
        }

        Assert.That(acknowledged, Is.SubsetOf(stored.Keys));
        long held = stored.Values.Where(order => (string)order["status"]! is "created" or "paid")
            .Sum(order => (long)order["items"]![0]!["quantity"]!);
        long shipped = stored.Values.Where(order => (string)order["status"]! == "shipped")
            .Sum(order => (long)order["items"]![0]!["quantity"]!);
        Assert.That(await again.StockAsync("prod_0"),
            Is.EqualTo((1_000_000 - shipped - held, 1_000_000 - shipped, held)));
        Exposition inventory = await Exposition.OfAsync(again.Inventory);
        Assert.That(inventory["inventory_reservations_open"],
            Is.EqualTo(stored.Values.Count(order => (string)order["status"]! is "created" or "paid")));
    }

    [TestCase("Shop:Orders:Port=many", "Shop:Orders:Port")]
    [TestCase("Shop:DemoData=perhaps", "Shop:DemoData")]
    [TestCase("Shop:BindAddress=nowhere", "Shop:BindAddress")]
    [TestCase("Shop:BindAddress=192.0.2.1", "Shop:BindAddress can't be used")]
    [TestCase("Shop:Currency=euro", "Shop:Currency")]
    [TestCase("Shop:DataDirectroy=typo", "Shop:DataDirectroy")]
    [TestCase("Shop:DataDirectory=/proc/shop", "/proc/shop")]
    [TestCase("Shop:WriteQueueLimit=0", "Shop:WriteQueueLimit")]
    [TestCase("Shop:RequestTimeout=0", "Shop:RequestTimeout")]
    [TestCase("Shop:ApiKeys=ada:write:short", "Shop:ApiKeys")]
    [TestCase("Shop:MetricsKey=short", "Shop:MetricsKey")]
    [TestCase("Shop:ReadsNeedKey=true", "Shop:ApiKeys names no key")]
    [TestCase("Shop:AllowedHosts=http://shop", "Shop:AllowedHosts")]
    [TestCase("Shop:CorsOrigins=https://shop.example/path", "Shop:CorsOrigins")]
    [TestCase("Shop:Orders:PublicUrl=https://ada:secret@shop.example", "Shop:Orders:PublicUrl")]
    [TestCase("Shop:TrustedProxies=10.0.0.0/64", "Shop:TrustedProxies")]
    [TestCase("Shop:DataDirectroy=typo", "did you mean Shop:DataDirectory?")]
    [TestCase("Demo=1", "'--Demo' is not a setting")]
    [TestCase("DemoData=false", "did you mean --Shop:DemoData?")]
    [TestCase("Shop__DemoData=false", "did you mean --Shop:DemoData?")]
    [TestCase("urls=http://*:80", "'--urls' is not a setting")]
    [TestCase("Shop:DemoData", "Shop:DemoData has no value")]
    [TestCase("Shop:Products:Port=6001 --Shop:Orders:Port=6001",
        "Shop:Products:Port and Shop:Orders:Port have the same port, 6001")]
    public async Task Given_a_wrong_setting_when_started_then_one_line_names_the_key_and_the_exit_code_is_1(
        string setting, string named)
    {
        using var shop = new ShopProcess(_directory, $"--{setting}".Split(' '));
        Assert.That(await shop.ExitAsync(), Is.EqualTo(1));
        string[] lines = shop.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(1).And.All.StartsWith("Shop can't start: ").And.All.Contain(named));
    }

    [TestCase("--help", "Shop.Host health", "Shop:Orders:Port")]
    [TestCase("health --help", "Shop.Host health", "Shop:Orders:Port")]
    [TestCase("--version", "Shop 0.1.0", "revision")]
    public async Task Given_a_question_about_the_program_when_it_is_asked_then_it_answers_and_exits_0_and_starts_nothing(
        string arguments, params string[] said)
    {
        (int code, string text) = await RunAsync(arguments.Split(' '));
        Assert.That(code, Is.Zero, text);
        foreach (string part in said) Assert.That(text, Does.Contain(part));
        Assert.That(Directory.GetFileSystemEntries(_directory), Is.Empty);
    }

    [Test]
    public async Task Given_the_verb_for_a_key_when_it_is_asked_twice_then_each_key_is_new_and_its_hash_is_its_own()
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < 2; i++)
        {
            (int code, string text) = await RunAsync(["key"]);
            string[] lines = text.Split('\n');
            string key = lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                hash = lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
            Assert.That((code, key.Length, keys.Add(key)), Is.EqualTo((0, 64, true)), text);
            Assert.That(hash, Is.EqualTo(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(
                System.Text.Encoding.ASCII.GetBytes(key)))));
        }
    }

    [TestCase("helth", "'helth' is not a verb; the verbs are health, ")]
    [TestCase("key me", "takes no arguments")]
    [TestCase("health --Demo=1", "'--Demo' is not a setting")]
    [TestCase("health postgres://shop:secret@db/shop", "'postgres://…' is not a setting")]
    [TestCase("postgres://shop:secret@db/shop", "'postgres://…' is not a verb")]
    public async Task Given_a_verb_that_is_unknown_or_has_wrong_arguments_when_it_is_asked_for_then_one_line_says_so_and_the_exit_code_is_1(
        string arguments, string said)
    {
        (int code, string text) = await RunAsync(arguments.Split(' '));
        Assert.That(code, Is.EqualTo(1), text);
        Assert.That(text.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Has.Length.EqualTo(1).And.All.Contain(said));
    }

    [TestCase("shop.example")]
    [TestCase("::1")]
    public async Task Given_allowed_hosts_when_the_health_verb_asks_the_shop_of_these_settings_then_it_is_ready(
        string allowed)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, [$"--Shop:AllowedHosts={allowed}"]);
        (int code, string text) = await RunAsync(
            ["health", $"--Shop:AllowedHosts={allowed}", $"--Shop:Products:Port={shop.Products.BaseAddress!.Port}",
                $"--Shop:Orders:Port={shop.Orders.BaseAddress!.Port}",
                $"--Shop:Inventory:Port={shop.Inventory.BaseAddress!.Port}"]);
        Assert.That(code, Is.Zero, text);
    }

    // On port 1 nobody listens.
    [TestCase("Products", "product-service")]
    [TestCase("Orders", "order-service")]
    [TestCase("Inventory", "inventory-service")]
    public async Task Given_one_service_that_does_not_answer_when_the_health_verb_asks_then_it_says_which_and_the_exit_code_is_1(
        string dead, string service)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        (int code, string text) = await RunAsync(["health", .. new[]
        {
            ("Products", shop.Products), ("Orders", shop.Orders), ("Inventory", shop.Inventory),
        }.Select(one => $"--Shop:{one.Item1}:Port={(one.Item1 == dead ? 1 : one.Item2.BaseAddress!.Port)}")]);
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That((code, lines.Length), Is.EqualTo((1, 3)), text);
        Assert.That(lines.Where(line => !line.EndsWith(": ready", StringComparison.Ordinal)),
            Has.One.Items.And.All.StartsWith($"{service}: "));
    }

    // Ready is more than alive: what stands in for a service answers everything else.
    [Test]
    public async Task Given_a_service_that_is_not_ready_or_whose_port_is_not_known_when_the_health_verb_asks_then_it_says_so_and_the_exit_code_is_1()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        await using WebApplication alive = await StandIn.StartAsync(app =>
        {
            app.MapGet("/health/ready", () => Results.Text("its data is not there", statusCode: 503));
            app.MapFallback(() => Results.Text("alive"));
        });
        foreach ((int port, string said) in new[]
        {
            (new Uri(alive.Urls.First()).Port, "order-service: its data is not there"),
            (0, "order-service: Shop:Orders:Port is 0, so its port is not known here"),
        })
        {
            (int code, string text) = await RunAsync(["health", $"--Shop:Orders:Port={port}",
                $"--Shop:Products:Port={shop.Products.BaseAddress!.Port}",
                $"--Shop:Inventory:Port={shop.Inventory.BaseAddress!.Port}"]);
            Assert.That(code, Is.EqualTo(1), text);
            Assert.That(text.Trim().Split('\n'),
                Is.EquivalentTo(new[] { "product-service: ready", said, "inventory-service: ready" }));
        }
    }

    // Nobody listens there: whatever goes by way of it has no answer.
    [Test]
    public async Task Given_a_proxy_in_the_environment_when_the_shop_asks_itself_then_the_proxy_is_left_out()
    {
        (string, string)[] proxy = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
        (string key, string hash) = ApiKeys.Make();
        string keys = $"--Shop:ApiKeys=ada:write:{hash}";
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, [keys], proxy);
        string[] ports = [$"--Shop:Products:Port={shop.Products.BaseAddress!.Port}",
            $"--Shop:Orders:Port={shop.Orders.BaseAddress!.Port}",
            $"--Shop:Inventory:Port={shop.Inventory.BaseAddress!.Port}"];
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 20 },
            ("Authorization", $"Bearer {key}"));
        await Eventually.IsSoAsync(async () => (double?)(await shop.Products.GetJsonAsync("/traffic"))["answered"] > 0);
        (int code, string text) = await RunAsync(["health", .. ports], proxy);
        Assert.That(code, Is.Zero, text);
        (_, text) = await RunAsync(["fault", "slow_answers", .. ports], proxy);
        Assert.That(text, Does.Contain("This needs a key"));
    }

    [Test]
    public async Task Given_a_port_in_use_when_started_then_one_line_names_it_and_the_exit_code_is_1()
    {
        using ShopProcess first = await ShopProcess.StartAsync(_directory);
        string other = Directory.CreateTempSubdirectory("shop-test-").FullName;
        using var second = new ShopProcess(other, "--Shop:BindAddress=127.0.0.1",
            $"--Shop:Orders:Port={first.Orders.BaseAddress!.Port}");
        Assert.That(await second.ExitAsync(), Is.EqualTo(1), second.Log);
        Assert.That(second.Log, Does.StartWith("Shop can't start: a port is in use")
            .And.Contain($"{first.Orders.BaseAddress.Port}").And.Contain("Shop:Orders:Port"));
        Directory.Delete(other, recursive: true);
    }

    [Test]
    public async Task Given_a_data_directory_in_use_when_a_second_shop_starts_then_it_refuses()
    {
        using ShopProcess first = await ShopProcess.StartAsync(_directory);
        using var second = new ShopProcess(_directory);
        Assert.That(await second.ExitAsync(), Is.EqualTo(1));
        Assert.That(second.Log, Does.StartWith("Shop can't start: Shop:DataDirectory").And.Contain("another shop"));
    }

    [Test]
    public async Task Given_a_database_of_a_newer_version_when_started_then_a_clear_line_and_exit_code_1()
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            shop.Signal(15);
            await shop.ExitAsync();
        }

        await using (var connection = new Microsoft.Data.Sqlite.SqliteConnection(
            $"Data Source={Path.Combine(_directory, "orders.db")};Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = "INSERT INTO SchemaVersions (ScriptName, Applied) "
                + "VALUES ('Shop.Orders.Migrations.999_future.sql', '2099-01-01')";
            await command.ExecuteNonQueryAsync();
        }

        using var older = new ShopProcess(_directory);
        Assert.That(await older.ExitAsync(), Is.EqualTo(1));
        Assert.That(older.Log, Does.StartWith("Shop can't start: ").And.Contain("orders").And.Contain("newer version")
            .And.Contain("999_future"));
    }

    [Test]
    public async Task Given_a_shop_when_requests_succeed_and_fail_then_the_log_has_a_line_for_each_failure_alone_with_its_trace_id()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        await shop.Orders.GetJsonAsync("/orders?limit=7");
        (_, JsonNode? problem) = await shop.Orders.SendJsonAsync(HttpMethod.Get, "/orders/gh%0Aost%1B");
        shop.Signal(15);
        await shop.ExitAsync();
        string[] lines = shop.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines.Where(line => line.Contains((string)problem!["trace_id"]!, StringComparison.Ordinal))
            .ToArray(), Has.Length.EqualTo(1));
        Assert.That(lines, Has.None.Contains("limit=7").And.None.StartsWith("ost"));
        Assert.That(shop.Log, Does.Not.Contain("\u001b"));
    }

    [Test]
    public async Task Given_a_start_then_the_log_names_the_storefront_the_boards_and_the_console_of_each()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        shop.Signal(15);
        await shop.ExitAsync();
        foreach ((string page, HttpClient client) in new[]
        {
            ("Storefront", shop.Products), ("Orders", shop.Orders), ("Stock", shop.Inventory),
        })
        {
            string address = client.BaseAddress!.GetLeftPart(UriPartial.Authority);
            Assert.That(shop.Log, Does.Match($"{page} +[a-z]+-service +{address}  console {address}/live  docs "
                + $"{address}/docs  metrics {address}/metrics"));
        }
    }

    [Test]
    public async Task Given_demo_traffic_then_what_is_refused_to_it_has_no_line_in_the_log_but_what_is_refused_to_others_has()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        using HttpResponseMessage started = await shop.Products.PostFormAsync("/live/traffic",
            shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority), [("action", "start"), ("rate", "500")]);
        Assert.That(started.IsSuccessStatusCode, await started.Content.ReadAsStringAsync());
        while ((await Exposition.OfAsync(shop.Products))["""http_requests_by_status_code_total{code="404"}"""] < 5)
            await Task.Delay(20);
        // Whoever makes the header up is not taken for it.
        await shop.Products.SendJsonAsync(HttpMethod.Get, "/products/forged", null,
            ("X-Demo-Traffic", $"{Guid.NewGuid()}"));
        shop.Signal(15);
        await shop.ExitAsync();
        Assert.That(shop.Log.Split('\n').Count(line => line.Contains("answered 404", StringComparison.Ordinal)),
            Is.EqualTo(1), shop.Log);
        Assert.That(shop.Log, Does.Contain("/products/forged answered 404").And.Contain("Demo traffic has begun"));
    }

    [Test]
    public async Task Given_a_thousand_clients_that_go_away_in_the_middle_of_a_body_then_the_log_has_no_line_of_the_servers()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        Uri address = shop.Orders.BaseAddress!;
        byte[][] beginnings =
        [
            ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                + "Content-Length: 100\r\n\r\n{"u8).ToArray(),
            ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                + "Transfer-Encoding: chunked\r\n\r\n40\r\n{"u8).ToArray(),
        ];
        for (int n = 0; n < 1000; n++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port);
            await client.GetStream().WriteAsync(beginnings[n % 2]);
            if (n % 4 < 2) client.LingerState = new LingerOption(enable: true, seconds: 0); // goes with a reset
        }

        // Each of them has been noticed.
        Exposition metrics;
        do metrics = await Exposition.OfAsync(shop.Orders);
        while (metrics["app_requests_in_progress"] > 0);
        shop.Signal(15);
        await shop.ExitAsync();
        Assert.That(shop.Log, Does.Not.Contain("Kestrel").And.Not.Contain("Exception"));
    }

    [Test]
    public async Task Given_two_thousand_heads_that_can_not_be_read_and_as_many_forged_cursors_then_the_log_is_bounded()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        string forged = System.Buffers.Text.Base64Url.EncodeToString("created_at\n999999999999999999\nprod_0"u8);
        var watch = Stopwatch.StartNew();
        for (int n = 0; n < 2000; n++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
            await client.GetStream().WriteAsync("NONSENSE\r\n\r\n"u8.ToArray());
            using HttpResponseMessage answer =
                await shop.Products.GetAsync($"/products?sort=created_at&after={forged}");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        }

        shop.Signal(15);
        await shop.ExitAsync();
        // For each service 50 lines in a second and one that counts the rest, in each second that was begun; and
        // those of the start and the stop.
        const int OfStartAndStop = 10;
        int seconds = (int)watch.Elapsed.TotalSeconds + 2;
        Assert.That(shop.Log.Split('\n'),
            Has.Length.LessThan((2 * 51 * seconds) + OfStartAndStop).And.None.Contains("Exception"));
    }

    [Test]
    public async Task Given_more_refusals_than_have_a_line_then_those_that_do_and_those_that_are_said_to_have_none_add_up_and_no_line_is_long()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        int asked = 0, told, lines;
        var watch = Stopwatch.StartNew();
        do
        {
            // Many at first; then so few that each has its line, and the first of a second says
            // how many had none before.
            int more = asked == 0 ? 400 : 1;
            string[] ids = [.. Enumerable.Range(0, more).Select(n => $"{n}{new string('x', 3000)}")];
            await Task.WhenAll(ids.Select(async id => (await shop.Orders.GetAsync($"/orders/{id}")).Dispose()));
            asked += more;
            string log = shop.Log;
            lines = Regex.Count(log, " answered 404: ", RegexOptions.None, TimeSpan.FromMinutes(1));
            told = Regex.Matches(log,
                "(?<count>[0-9]+) more requests failed, without a line here: there are 50 a second at most",
                RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1))
                .Sum(line => int.Parse(line.Groups["count"].Value));
            await Task.Delay(25);
        }
        while ((told == 0 || lines + told != asked) && watch.Elapsed < TimeSpan.FromSeconds(30));
        Assert.That((lines + told, told > 0), Is.EqualTo((asked, true)));
        Assert.That(shop.Log.Split('\n').Max(line => line.Length), Is.LessThan(1300));
    }

    // Of the server, which is quiet unless somebody wants to know more of it.
    [Test]
    public async Task Given_more_lines_of_the_server_than_a_second_has_then_those_that_are_said_to_be_left_out_add_up_and_their_limit_is_named()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory,
            ("Logging__LogLevel__Microsoft.AspNetCore.Server.Kestrel.BadRequests", "Debug"));
        int sent = 0, told = 0, lines = 0;
        var watch = Stopwatch.StartNew();
        for (int burst = 0; burst < 2; burst++)
        {
            int toldBefore = told;
            int more = 150; // at first; then so few that each has its line
            do
            {
                await Task.WhenAll(Enumerable.Range(0, more).Select(_ => MalformedAsync()));
                sent += more;
                more = 1;
                await Task.Delay(60); // fewer than 20 a second
                string log = shop.Log;
                lines = Regex.Count(log, " bad request data: ", RegexOptions.None, TimeSpan.FromMinutes(1));
                told = Regex.Matches(log,
                    @"warn: Microsoft\.AspNetCore\.Server\.Kestrel\.BadRequests\S* "
                        + "(?<count>[0-9]+) lines were left out: there are 20 a second at most",
                    RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1))
                    .Sum(line => int.Parse(line.Groups["count"].Value));
            }
            while ((told == toldBefore || lines + told != sent) && watch.Elapsed < Eventually.Patience);
            Assert.That((lines + told, told > toldBefore), Is.EqualTo((sent, true)), shop.Log);
        }

        Assert.That(lines, Is.LessThanOrEqualTo(20 * (2 + (int)watch.Elapsed.TotalSeconds)));

        async Task MalformedAsync()
        {
            using var client = new TcpClient();
            await client.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
            await client.GetStream().WriteAsync("NONSENSE\r\n\r\n"u8.ToArray());
            while (await client.GetStream().ReadAsync(new byte[1024]) > 0)
            {
                // Until its refusal is whole.
            }
        }
    }

    [Test]
    public async Task Given_a_container_when_it_logs_then_every_line_is_JSON()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow.AddMilliseconds(-1);
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, ("DOTNET_RUNNING_IN_CONTAINER", "true"),
            ("TZ", "Asia/Tokyo"));
        await shop.Orders.SendJsonAsync(HttpMethod.Get, "/orders/ghost");
        shop.Signal(15);
        await shop.ExitAsync();
        foreach (string line in shop.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.That(() => JsonNode.Parse(line), Throws.Nothing, line);
            string at = (string)JsonNode.Parse(line)!["Timestamp"]!;
            Assert.That(at, Does.EndWith("Z"));
            Assert.That(DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture),
                Is.InRange(before, DateTimeOffset.UtcNow), "in UTC, wherever it runs");
        }
    }

    // The program with these arguments alone, to its end.
    private async Task<(int Code, string Text)> RunAsync(
        string[] arguments, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = ShopProgram.Start(arguments);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        start.WorkingDirectory = _directory;
        using Process process = Process.Start(start)!;
        string[] texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(),
            process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, string.Concat(texts));
    }

    // Places orders, and takes every third of them on to shipping, until the process is gone.
    private static async Task PlaceUntilGoneAsync(ShopProcess shop, Action<string> acknowledge)
    {
        try
        {
            for (int n = 0; ; n++)
            {
                (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync("/orders",
                    Http.Order("prod_0", 1 + (n % 3)));
                if (response.StatusCode != HttpStatusCode.Created) continue;
                string id = (string)order!["order_id"]!;
                acknowledge(id);
                string[] steps = (n % 3) switch { 0 => ["pay", "ship"], 1 => ["cancel"], _ => [] };
                foreach (string step in steps) await shop.Orders.PostAsync($"/orders/{id}/{step}");
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // It is gone.
        }
    }
}
