using System.Text.RegularExpressions;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>Who gets in, and what no answer, log or statement may have.</summary>
internal sealed partial class SecurityTests
{
    [Test]
    public async Task Given_keys_when_something_is_written_then_only_a_key_that_may_write_gets_in()
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}");
        (int Status, string? Challenge) none = await PlaceAsync(shop), wrong = await PlaceAsync(shop, Bearer("guess")),
            hash = await PlaceAsync(shop, Bearer(writerHash)), read = await PlaceAsync(shop, Bearer(reader)),
            write = await PlaceAsync(shop, Bearer(writer));
        Assert.Multiple(() =>
        {
            Assert.That(none, Is.EqualTo((401, "Bearer realm=\"order-service\"")));
            Assert.That(wrong, Is.EqualTo((401, "Bearer realm=\"order-service\", error=\"invalid_token\"")));
            Assert.That(hash.Status, Is.EqualTo(401), "the hash is no key");
            Assert.That(read, Is.EqualTo((403, "Bearer realm=\"order-service\", error=\"insufficient_scope\"")));
            Assert.That(write.Status, Is.EqualTo(201));
        });
        await shop.Products.GetJsonAsync("/products");
        await shop.Orders.GetJsonAsync("/health/ready");
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That((metrics["""http_requests_by_status_code_total{code="401"}"""],
            metrics["""http_requests_by_status_code_total{code="403"}"""]), Is.EqualTo((3, 1)));
    }

    [Test]
    public async Task Given_reading_needs_a_key_then_data_is_401_without_one_and_health_and_documents_stay_open()
    {
        (string reader, string hash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:ApiKeys=bob:read:{hash}",
            "Shop:ReadsNeedKey=true");
        (HttpResponseMessage without, _) = await shop.Products.SendJsonAsync(HttpMethod.Get, "/products");
        (HttpResponseMessage with, _) = await shop.Products.SendJsonAsync(
            HttpMethod.Get, "/products", null, Bearer(reader));
        Assert.That(((int)without.StatusCode, (int)with.StatusCode), Is.EqualTo((401, 200)));
        await shop.Products.GetJsonAsync("/health/ready");
        await shop.Products.GetJsonAsync("/openapi/v1.json");
    }

    [Test]
    public async Task Given_a_metrics_key_then_metrics_take_it_on_every_port_and_nothing_else_does()
    {
        (string key, string hash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:MetricsKey={hash}");
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach (string path in new[] { "/metrics", "/metrics/process", "/api/metrics" })
            {
                (HttpResponseMessage without, _) = await client.SendJsonAsync(HttpMethod.Get, path);
                using var request =
                    new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Authorization", $"Bearer {key}" } } };
                using HttpResponseMessage with = await client.SendAsync(request);
                Assert.That(((int)without.StatusCode, (int)with.StatusCode), Is.EqualTo((401, 200)), path);
            }

            await client.GetJsonAsync("/health/ready");
        }

        await shop.OrderAsync("prod_0");
    }

    [Test]
    public async Task Given_a_rate_for_each_client_when_one_sends_more_then_429_with_Retry_After_and_another_key_is_not_concerned()
    {
        (string one, string oneHash) = ApiKeys.Make();
        (string other, string otherHash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:ClientRateLimit=5",
            $"Shop:ApiKeys=one:read:{oneHash},other:read:{otherHash}");
        HttpResponseMessage[] replies = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
            (await shop.Products.SendJsonAsync(HttpMethod.Get, "/products/prod_0", null, Bearer(one))).Response));
        HttpResponseMessage[] refused = [.. replies.Where(reply => (int)reply.StatusCode == 429)];
        (HttpResponseMessage neighbour, _) = await shop.Products.SendJsonAsync(
            HttpMethod.Get, "/products/prod_0", null, Bearer(other));
        Exposition metrics = await Exposition.OfAsync(shop.Products);
        Assert.Multiple(() =>
        {
            Assert.That(replies.Count(reply => reply.IsSuccessStatusCode), Is.GreaterThanOrEqualTo(5));
            Assert.That(refused.Select(reply => reply.Header("Retry-After")), Is.Not.Empty.And.All.EqualTo("1"));
            Assert.That((int)neighbour.StatusCode, Is.EqualTo(200));
            Assert.That(metrics["""app_requests_rejected_total{reason="client_rate"}"""], Is.EqualTo(refused.Length));
            Assert.That(metrics["""app_requests_rejected_total{reason="too_many_requests"}"""], Is.Zero);
        });
    }

    [TestCase("/openapi/v1.json")]
    [TestCase("/docs")]
    [TestCase("/docs/scalar.js")]
    [TestCase("/live")]
    [TestCase("/live/events")]
    [TestCase("/nowhere")]
    public async Task Given_a_rate_for_each_client_then_whatever_it_asks_for_counts_but_health_and_scrapes_go_on(
        string path)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:ClientRateLimit=5");
        int[] statuses = await StatusesAsync(path, 100);
        int[] health = await StatusesAsync("/health/live", 100);
        int[] scrapes = await StatusesAsync("/metrics", 10);
        int[] manyScrapes = await StatusesAsync("/metrics", 200);
        Assert.That(statuses, Has.Some.EqualTo(429).And.Some.LessThan(429));
        Assert.That(health, Is.All.EqualTo(200));
        Assert.That(scrapes, Is.All.EqualTo(200));
        Assert.That(manyScrapes, Has.Some.EqualTo(429).And.Some.EqualTo(200));

        async Task<int[]> StatusesAsync(string of, int times) =>
            await Task.WhenAll(Enumerable.Range(0, times).Select(async _ =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, of);
                request.Headers.Accept.ParseAdd("*/*");
                using HttpResponseMessage answer = await shop.Products.SendAsync(request,
                    HttpCompletionOption.ResponseHeadersRead);
                return (int)answer.StatusCode;
            }));
    }

    [TestCase("/nowhere?a=b", true)]
    [TestCase("/nowhere?a=b", false, "POST", Description = "to ask for it is something else")]
    [TestCase("//evil.example/", false)]
    [TestCase("///evil.example", false)]
    public async Task Given_an_error_that_another_try_may_help_then_its_page_leads_there_but_never_elsewhere(
        string path, bool isLinked, string method = "GET")
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:ClientRateLimit=1");
        string page = "";
        await Eventually.IsSoAsync(async () =>
        {
            string own = shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority);
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri($"{own}{path}"));
            request.Headers.Accept.ParseAdd("text/html");
            using HttpResponseMessage answer = await shop.Products.SendAsync(request);
            page = await answer.Content.ReadAsStringAsync();
            if ((int)answer.StatusCode < 429)
                Assert.That(page, Does.Not.Contain($"href=\"{path}\""), "what is not there will not be there then");
            return (int)answer.StatusCode == 429;
        });
        Assert.That(page.Contains($"href=\"{path}\"", StringComparison.Ordinal), Is.EqualTo(isLinked));
        Assert.That(page, Does.Not.Contain("href=\"//"));
    }

    [TestCase("Shop:AllowedHosts=shop.example", "SHOP.example:80")]
    [TestCase("Shop:AllowedHosts=*", "evil.example")]
    [TestCase("Shop:AllowedHosts=::1", "[::1]")]
    [TestCase("Shop:DemoData=true", "localhost:1234", Description = "without the setting")]
    public async Task Given_hosts_when_another_is_named_then_400_and_nothing_is_done_and_health_and_scrapes_go_on(
        string setting, string host)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting);
        Uri address = shop.Orders.BaseAddress!;
        string product = await shop.ProductAsync(5);
        string body = $$"""{"customer_id":"x","items":[{"product_id":"{{product}}","quantity":1}]}""";
        async Task<int> AskAsync(string head, string name, string content = "") =>
            RawHttp.Status(await RawHttp.SendAsync(address,
                $"{head} HTTP/1.1\r\nHost: {name}\r\nOrigin: http://{name}\r\nContent-Type: application/json\r\n"
                + $"Content-Length: {content.Length}\r\nConnection: close\r\n\r\n{content}"));

        Assert.That(await AskAsync("POST /orders", host, body), Is.EqualTo(201));
        Assert.That(await AskAsync("GET /orders", address.Authority), Is.EqualTo(200), "the host itself goes on");
        Assert.That(await AskAsync("GET /metrics", "shop:5002"), Is.EqualTo(200));
        Assert.That(await AskAsync("GET /health/ready", "probe.example"), Is.EqualTo(200));
        if (setting.EndsWith('*')) return;
        foreach (string foreign in new[]
        {
            "evil.example", $"evil.example:{address.Port}", "localhost.evil.example", "127.0.0.1.evil.example",
        })
        {
            Assert.That(await AskAsync("POST /orders", foreign, body), Is.EqualTo(400), foreign);
            foreach (string path in new[] { "/", "/orders", "/metrics", "/board/events", "/live/events", "/nowhere" })
                Assert.That(await AskAsync($"GET {path}", foreign), Is.EqualTo(400), path);
        }

        Assert.That(await shop.StockAsync(product), Is.EqualTo((4, 5, 1)));
    }

    [TestCase("Origin", "https://evil.example")]
    [TestCase("Origin", "null")]
    [TestCase("Sec-Fetch-Site", "cross-site")]
    [TestCase("Sec-Fetch-Site", "same-site")]
    public async Task Given_a_page_of_another_origin_when_it_changes_something_by_the_api_then_403_and_nothing_is_done(
        string header, string value)
    {
        ShopUnderTest shop = SharedShop.Shop;
        string product = await shop.ProductAsync(5);
        string order = await shop.OrderAsync(product);
        foreach ((HttpClient client, HttpMethod method, string path, object? body)
            in new (HttpClient, HttpMethod, string, object?)[]
            {
                (shop.Orders, HttpMethod.Post, $"/orders/{order}/cancel", null),
                (shop.Orders, HttpMethod.Post, $"/api/orders/{order}/pay", null),
                (shop.Orders, HttpMethod.Post, "/orders", Http.Order(product)),
                (shop.Products, HttpMethod.Put, $"/products/{product}", new { name = "Stolen", price = 0.01m }),
                (shop.Products, HttpMethod.Delete, $"/products/{product}", null),
                (shop.Inventory, HttpMethod.Post, "/inventory/decrease", new { product_id = product, quantity = 1 }),
            })
        {
            (HttpResponseMessage answer, _) = await client.SendJsonAsync(method, path, body, (header, value));
            Assert.That((int)answer.StatusCode, Is.EqualTo(403), path);
        }

        Assert.That((string)(await shop.Orders.GetJsonAsync($"/orders/{order}"))["status"]!, Is.EqualTo("created"));
        Assert.That(await shop.StockAsync(product), Is.EqualTo((4, 5, 1)));
    }

    [Test]
    public async Task Given_no_origins_then_no_answer_lets_another_origin_read_it()
    {
        (HttpResponseMessage answer, _) = await SharedShop.Shop.Products.SendJsonAsync(
            HttpMethod.Get, "/products/prod_0", null, ("Origin", "https://evil.example"));
        (HttpResponseMessage preflight, _) = await SharedShop.Shop.Products.SendJsonAsync(
            HttpMethod.Options, "/products", null,
            ("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST"));
        Assert.That(new[] { answer, preflight }.Select(reply => reply.Header("Access-Control-Allow-Origin")),
            Is.All.Null);
    }

    [Test]
    public async Task Given_an_origin_then_its_pages_may_read_answers_errors_too_and_no_others()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:CorsOrigins=https://front.example");
        foreach ((string origin, string? allowed) in new[]
        {
            ("https://front.example", "https://front.example"), ("https://evil.example", null),
        })
        {
            (HttpResponseMessage found, _) = await shop.Products.SendJsonAsync(HttpMethod.Get, "/products/prod_0",
                null, ("Origin", origin));
            (HttpResponseMessage missing, _) = await shop.Products.SendJsonAsync(HttpMethod.Get, "/products/ghost",
                null, ("Origin", origin));
            (HttpResponseMessage preflight, _) = await shop.Products.SendJsonAsync(HttpMethod.Options, "/products",
                null, ("Origin", origin), ("Access-Control-Request-Method", "POST"));
            Assert.That(
                new[] { found, missing, preflight }.Select(reply => reply.Header("Access-Control-Allow-Origin")),
                Is.All.EqualTo(allowed), origin);
            Assert.That(((int)found.StatusCode, (int)missing.StatusCode, (int)preflight.StatusCode),
                Is.EqualTo((200, 404, 204)));
        }
    }

    [TestCase("Shop:TrustedProxies=127.0.0.1", true)]
    [TestCase("Shop:TrustedProxies=10.0.0.0/8", false)]
    [TestCase("Shop:DemoData=true", false, Description = "no proxy is trusted")]
    public async Task Given_forwarded_addresses_then_only_a_trusted_proxy_is_believed(string setting, bool isBelieved)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting, "Shop:ClientRateLimit=1");
        // Each request says it comes from another client: only where that is believed does each have a rate of its own.
        HttpResponseMessage[] replies = await Task.WhenAll(Enumerable.Range(1, 50).Select(async n =>
            (await shop.Products.SendJsonAsync(HttpMethod.Get, "/products/prod_0", null,
                ("X-Forwarded-For", $"203.0.113.{n}"))).Response));
        Assert.That(replies.All(reply => reply.IsSuccessStatusCode), Is.EqualTo(isBelieved));
    }

    [Test]
    public async Task Given_any_answer_then_it_tells_browsers_to_keep_to_it_and_not_what_served_it(
        [Values("products", "orders", "inventory")] string port)
    {
        HttpClient client = SharedShop.Shop.ByName[port];
        foreach (string path in new[]
        {
            "/", "/metrics", "/metrics/process", "/health/live", "/health/ready", "/openapi/v1.json", "/docs",
            "/docs/scalar.js", "/docs/start.js", "/nowhere", $"/{port}", $"/{port}?limit=x",
        })
        {
            using HttpResponseMessage answer = await client.GetAsync(path);
            string policy = answer.Header("Content-Security-Policy")!;
            Assert.That(answer.Header("X-Content-Type-Options"), Is.EqualTo("nosniff"), path);
            Assert.That(answer.Header("Referrer-Policy"), Is.EqualTo("no-referrer"), path);
            Assert.That(policy, Does.StartWith("default-src 'none'").And.Contain("frame-ancestors 'none'")
                .And.Not.Contain("script-src 'self' 'unsafe").And.Not.Contain("unsafe-eval"), path);
            Assert.That(answer.Header("Server") ?? answer.Header("X-Powered-By"), Is.Null, path);
        }
    }

    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        Description = "two lengths")]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        + "Transfer-Encoding: gzip, chunked, identity\r\n\r\n{}", Description = "an unknown last coding")]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n", Description = "a space in the length of a chunk")]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}",
        Description = "a space before the colon")]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", Description = "a folded line")]
    [TestCase("GET /orders HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n", Description = "two hosts")]
    [TestCase("GET /orders HTTP/1.1\r\n\r\n", Description = "no host")]
    [TestCase("GET /orders\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Description = "a NUL in the path")]
    public async Task Given_a_request_that_two_servers_could_read_in_two_ways_then_400_and_the_connection_ends(
        string request)
    {
        string answer = await RawHttp.SendAsync(SharedShop.Shop.Orders.BaseAddress!,
            request + "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(400));
        Assert.That(answer, Does.Not.Contain("HTTP/1.1 200"), "what follows is not taken for a request");
    }

    [TestCase("/../../../../etc/passwd")]
    [TestCase("/docs/../../../etc/passwd")]
    [TestCase("/docs/..%2f..%2f..%2fetc%2fpasswd")]
    [TestCase("/assets/..%2f..%2fshop.lock")]
    [TestCase("/assets/%2e%2e/%2e%2e/data/orders.db")]
    [TestCase("/products/..%2f..%2forders.db")]
    public async Task Given_a_path_that_climbs_then_404_and_no_file(string path)
    {
        string answer = await RawHttp.SendAsync(SharedShop.Shop.Products.BaseAddress!,
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(404));
        Assert.That(answer, Does.Not.Contain("root:").And.Not.Contain("SQLite format"));
    }

    [Test]
    public async Task Given_keys_when_they_are_wrong_in_a_setting_or_a_request_then_neither_key_nor_hash_is_in_the_log()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        (string key, string hash) = ApiKeys.Make();
        using (var refused = new ShopProcess(directory, $"--Shop:ApiKeys=ada:admin:{hash}"))
        {
            Assert.That(await refused.ExitAsync(), Is.EqualTo(1));
            Assert.That(refused.Log, Does.Contain("Shop:ApiKeys must be").And.Not.Contain(hash));
        }

        using (ShopProcess shop = await ShopProcess.StartAsync(directory, [$"--Shop:ApiKeys=ada:read:{hash}"]))
        {
            await shop.Orders.PostAsync("/orders", Http.Order("prod_0"), Bearer(key));
            await shop.Orders.PostAsync("/orders", Http.Order("prod_0"), Bearer("a-guess"));
            shop.Signal(15);
            await shop.ExitAsync();
            Assert.That(shop.Log, Does.Contain("answered 403").And.Contain("answered 401").And.Not.Contain(key)
                .And.Not.Contain(hash).And.Not.Contain("a-guess"));
        }

        Directory.Delete(directory, recursive: true);
    }

    // What stands between $"…" and SQL is a constant of the class; a value comes in by a parameter.
    [Test]
    public void Given_the_source_of_the_stores_then_no_statement_is_put_together_from_values()
    {
        string[] withSql = [.. Directory.GetFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal)
                && SqlText().IsMatch(File.ReadAllText(file)))];
        string[] elsewhere = [.. withSql.Where(
            file => Path.GetFileName(Path.GetDirectoryName(file)) is not ("Sqlite" or "Postgres")
                && !file.EndsWith("Store.cs", StringComparison.Ordinal))];
        Assert.That(elsewhere, Is.Empty, "SQL stands in the stores alone");
        Assert.That(withSql, Has.Some.EndsWith("StockLedger.cs"));
        string[] ofOtherClasses = [.. withSql.SelectMany(file => Constant().Matches(File.ReadAllText(file))
            .Select(constant => $"{Path.GetFileNameWithoutExtension(file)}.{constant.Groups["name"].Value}"))];
        foreach (string file in withSql)
        {
            string source = File.ReadAllText(file);
            string[] constants =
            [
                .. ofOtherClasses, .. Constant().Matches(source).Select(constant => constant.Groups["name"].Value),
                "sql.Indexed", "with", "rows", "columns", "ofItems", "LinesOf(file)", "Conditions(filter)",
                "Index(filter)", "table", "number", "index", "indexed", "table.ColumnNames", "table.Name", "id",
                "condition", "parameters",
                "ListPlan.AtLeast(limit)", "ListPlan.AtLeast(limit + 1)",
                "OrderStatus.Created",
                "@lock", "schema", // these two: of the module's name
            ];
            foreach (Match sql in Interpolated().Matches(source).Where(text => SqlWord().IsMatch(text.Value)))
            {
                string[] holes = [.. Hole().Matches(sql.Value).Select(hole => hole.Groups["what"].Value)
                    .Distinct(StringComparer.Ordinal)];
                Assert.That(holes, Is.SubsetOf(constants), $"{Path.GetFileName(file)}: {sql.Value}");
            }
        }
    }

    private static (string Name, string Value) Bearer(string key) => ("Authorization", $"Bearer {key}");

    private static async Task<(int Status, string? Challenge)> PlaceAsync(
        ShopUnderTest shop, params (string Name, string Value)[] headers)
    {
        (HttpResponseMessage response, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"), headers);
        return ((int)response.StatusCode, response.Header("WWW-Authenticate"));
    }

    [GeneratedRegex(@"""\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|PRAGMA|BEGIN IMMEDIATE)\s",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex SqlText();

    [GeneratedRegex(@"const (string|int|long) (?<name>\w+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Constant();

    [GeneratedRegex("""(\$"{3}.*?"{3}|\$"[^"\n]*")""", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 60_000)]
    private static partial Regex Interpolated();

    [GeneratedRegex(
        @"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|AND|LIMIT)\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex SqlWord();

    [GeneratedRegex(@"\{(?<what>[^}]+)\}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Hole();
}
