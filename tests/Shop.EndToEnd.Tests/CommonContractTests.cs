using System.Text.Json.Nodes;
using Shop.Platform.Requests;

namespace Shop.EndToEnd.Tests;

/// <summary>What every port has.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class CommonContractTests(Engine engine) : EngineFixture(engine)
{
    private static readonly string[] Ports = ["products", "orders", "inventory"];

    private static HttpClient On(string port) => SharedShop.Shop.ByName[port];

    [TestCaseSource(nameof(Ports))]
    public async Task Given_the_card_when_its_links_are_followed_then_each_answers(string port)
    {
        JsonNode card = await On(port).GetJsonAsync("/");
        Assert.That((string)card["service"]!, Is.EqualTo($"{port.TrimEnd('s')}-service"));
        Assert.That((string)card["version"]!, Does.Match(@"^\d+\.\d+\.\d+"));
        foreach ((string name, JsonNode? path) in card["links"]!.AsObject())
        {
            using HttpResponseMessage response = await On(port).GetAsync((string)path!);
            Assert.That((int)response.StatusCode, Is.EqualTo(200), name);
        }
    }

    // As API.md has them, and the console's.
    [TestCase("products", "products", "categories")]
    [TestCase("orders", "orders")]
    [TestCase("inventory", "inventory")]
    public async Task Given_the_card_then_it_links_to_all_that_the_service_has(string port, params string[] own)
    {
        (string Name, string Path)[] expected =
        [
            .. own.Select(name => (name, $"/{name}")), ("traffic", "/traffic"), ("faults", "/faults"),
            ("scenarios", "/scenarios"), ("metrics", "/metrics"), ("metrics_process", "/metrics/process"),
            ("health_live", "/health/live"), ("health_ready", "/health/ready"), ("openapi", "/openapi/v1.json"),
            ("docs", "/docs"),
        ];
        Assert.That((await On(port).GetJsonAsync("/"))["links"]!.AsObject().Select(
            link => (link.Key, (string)link.Value!)), Is.EquivalentTo(expected));
    }

    [TestCase("products", "/products")]
    [TestCase("products", "/products/prod_0")]
    [TestCase("products", "/categories")]
    [TestCase("products", "/")]
    [TestCase("orders", "/orders")]
    [TestCase("inventory", "/inventory/prod_0")]
    [TestCase("inventory", "/inventory/prod_0/movements")]
    [TestCase("inventory", "/metrics")]
    [TestCase("inventory", "/health/live")]
    [TestCase("inventory", "/health/ready")]
    [TestCase("inventory", "/openapi/v1.json")]
    [TestCase("inventory", "/docs")]
    public async Task Given_a_route_for_GET_when_asked_with_HEAD_then_the_same_head_without_a_body(
        string port, string path)
    {
        foreach (string prefix in new[] { "", "/api" })
        {
            using HttpResponseMessage get = await On(port).GetAsync(prefix + path);
            using var request = new HttpRequestMessage(HttpMethod.Head, prefix + path);
            using HttpResponseMessage head = await On(port).SendAsync(request);
            Assert.Multiple(() =>
            {
                Assert.That(head.StatusCode, Is.EqualTo(get.StatusCode));
                Assert.That(head.Header("Content-Type"), Is.EqualTo(get.Header("Content-Type")));
                Assert.That(head.Header("ETag"), Is.EqualTo(get.Header("ETag")));
            });
            Assert.That(await head.Content.ReadAsByteArrayAsync(), Is.Empty);
        }
    }

    [TestCase("products", "/products", "GET, HEAD, POST", "PUT")]
    [TestCase("products", "/products/prod_0", "DELETE, GET, HEAD, PUT", "POST")]
    [TestCase("products", "/metrics", "GET, HEAD", "POST")]
    [TestCase("products", "/health/ready", "GET, HEAD", "DELETE")]
    [TestCase("orders", "/orders/x/pay", "POST", "GET")]
    [TestCase("inventory", "/inventory/prod_0/movements", "GET, HEAD", "OPTIONS")]
    [TestCase("inventory", "/api/inventory", "GET, HEAD", "PATCH")]
    public async Task Given_a_known_path_when_the_method_is_wrong_then_405_with_Allow(
        string port, string path, string allowed, string method)
    {
        (HttpResponseMessage response, JsonNode? problem) = await On(port).SendJsonAsync(new HttpMethod(method), path);
        Assert.That((int)response.StatusCode, Is.EqualTo(405));
        Assert.That(response.Header("Allow")!.Split(", ").Order(StringComparer.Ordinal),
            Is.EqualTo(allowed.Split(", ")));
        Assert.That((int)problem!["status"]!, Is.EqualTo(405));
    }

    [TestCase("application/xml", 406)]
    [TestCase("text/html", 406)]
    [TestCase("application/json;q=0", 406)]
    [TestCase("application/json;q=0, */*", 406)]
    [TestCase("text/html, */*;q=0.1", 200)]
    [TestCase("application/*", 200)]
    [TestCase("application/xml, application/json", 200)]
    [TestCase("not a media type", 200)]
    public async Task Given_an_Accept_header_then_JSON_where_it_takes_it_else_406(string accept, int expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/products/prod_0");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage response = await On("products").SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(expected));
    }

    [TestCase("text/plain", 415)]
    [TestCase("application/xml", 415)]
    [TestCase("application/json; charset=utf-16", 415)]
    [TestCase(null, 415)]
    [TestCase("application/json", 201)]
    [TestCase("APPLICATION/JSON; charset=\"UTF-8\"", 201)]
    public async Task Given_a_content_type_then_415_unless_it_is_JSON_in_UTF_8(string? type, int expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/products")
        {
            Content = new ByteArrayContent("""{"name":"n","price":1}"""u8.ToArray()),
        };
        if (type is not null) request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        using HttpResponseMessage response = await On("products").SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(expected));
    }

    // PostgreSQL's texts have no NUL.
    [TestCase("products", "/products?q=%00")]
    [TestCase("products", "/products?category=%00")]
    [TestCase("products", "/?q=%00")]
    [TestCase("orders", "/orders?customer_id=%00")]
    [TestCase("orders", "/orders?product_id=%00")]
    [TestCase("orders", "/?customer_id=%00")]
    [TestCase("inventory", "/?product_id=%00")]
    public async Task Given_a_text_with_a_NUL_when_something_is_searched_by_it_then_it_is_no_fault_of_the_shop(
        string service, string path)
    {
        string accept = path[1] == '?' ? "text/html" : "application/json";
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", accept } } };
        using HttpResponseMessage answer = await On(service).SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.LessThan(500));
    }

    [Test]
    public async Task Given_a_body_when_it_is_over_64_KiB_then_413_known_length_or_not_and_the_limit_itself_is_read(
        [Values] bool isChunked)
    {
        async Task<int> Send(int size)
        {
            string json = $$"""{"name":"n","price":1,"pad":"{{new string('x', size - 32)}}"}""";
            using var request = new HttpRequestMessage(HttpMethod.Post, "/products")
            {
                Content = new StringContent(json.PadRight(size), System.Text.Encoding.UTF8, "application/json"),
            };
            request.Headers.TransferEncodingChunked = isChunked;
            using HttpResponseMessage response = await On("products").SendAsync(request);
            return (int)response.StatusCode;
        }

        Assert.That((await Send(RequestBody.MaxBytes), await Send(RequestBody.MaxBytes + 1)), Is.EqualTo((201, 413)));
    }

    [Test]
    public async Task Given_headers_over_the_limit_then_431()
    {
        Uri address = On("orders").BaseAddress!;
        string answer = await RawHttp.SendAsync(address,
            $"GET / HTTP/1.1\r\nHost: {address.Authority}\r\nX-Large: {new string('x', 40_000)}\r\n\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(431));
    }

    [TestCase("Idempotency-Key: \u00fcmlaut", 400)]
    [TestCase("Idempotency-Key: one\r\nIdempotency-Key: two", 400)]
    public async Task Given_a_key_that_no_good_client_sends_then_400(string header, int expected)
    {
        Uri address = On("orders").BaseAddress!;
        const string Body = """{"customer_id":"c","items":[{"product_id":"prod_0","quantity":1}]}""";
        string answer = await RawHttp.SendAsync(address,
            $"POST /orders HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {Body.Length}\r\n{header}\r\nConnection: close\r\n\r\n{Body}");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(expected), answer);
    }

    [TestCaseSource(nameof(Ports))]
    public async Task Given_an_error_then_the_problem_carries_the_clients_trace_id(string port)
    {
        const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
        (HttpResponseMessage response, JsonNode? problem) = await On(port).SendJsonAsync(
            HttpMethod.Get, "/no/such/path", null, ("traceparent", $"00-{TraceId}-00f067aa0ba902b7-01"));
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(404));
            Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/problem+json"));
            Assert.That(problem!.AsObject().Select(member => member.Key),
                Is.SupersetOf(new[] { "type", "title", "status", "detail", "error", "trace_id" }));
            Assert.That((string)problem["trace_id"]!, Is.EqualTo(TraceId));
        });
    }

    [TestCase("products", "/products/prod_0?x=1")]
    [TestCase("products", "/categories?sort=name")]
    [TestCase("orders", "/orders/x?limit=1")]
    [TestCase("inventory", "/?x")]
    public async Task Given_a_route_without_parameters_when_one_is_sent_then_400(string port, string path)
    {
        (HttpResponseMessage response, _) = await On(port).SendJsonAsync(HttpMethod.Get, path);
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
    }

    [TestCaseSource(nameof(Ports))]
    public async Task Given_a_well_shop_then_live_and_ready_say_so_with_their_checks(string port)
    {
        JsonNode live = await On(port).GetJsonAsync("/health/live");
        JsonNode ready = await On(port).GetJsonAsync("/health/ready");
        Assert.That(
            ((string)live["status"]!, (string)ready["status"]!, (string)ready["checks"]!["database"]!["status"]!),
            Is.EqualTo(("healthy", "healthy", "healthy")));
        Assert.That(ready["checks"]!.AsObject(), Has.Count.EqualTo(3));
    }

    [TestCaseSource(nameof(Ports))]
    public async Task Given_the_docs_page_then_it_and_its_script_come_from_the_shop_alone(string port)
    {
        string own = On(port).BaseAddress!.GetLeftPart(UriPartial.Authority);
        foreach (string prefix in new[] { "", "/api" })
        {
            string page = await On(port).GetStringAsync($"{prefix}/docs");
            Assert.That(page, Does.Not.Contain("http://").And.Not.Contain("https://"));
            foreach (string file in new[] { "scalar.js", "start.js", "favicon.svg" })
                Assert.That(page, Does.Contain($"\"{prefix}/docs/{file}\""));
            Assert.That((string)(await On(port).GetJsonAsync($"{prefix}/openapi/v1.json"))["servers"]![0]!["url"]!,
                Is.EqualTo(own + prefix));
        }

        using HttpResponseMessage script = await On(port).GetAsync("/docs/scalar.js");
        Assert.That((int)script.StatusCode, Is.EqualTo(200));
        Assert.That((await script.Content.ReadAsByteArrayAsync()).Length, Is.GreaterThan(100_000));
    }

    [Test]
    public async Task Given_a_client_that_takes_gzip_when_it_lists_then_the_list_is_smaller_and_a_single_product_keeps_its_bytes()
    {
        (HttpResponseMessage list, int listBytes) = await SizeAsync("/products?limit=1000", "gzip");
        (_, int plainBytes) = await SizeAsync("/products?limit=1000", "identity");
        (HttpResponseMessage single, _) = await SizeAsync("/products/prod_0", "gzip");
        Assert.That(list.Header("Content-Encoding"), Is.EqualTo("gzip"));
        Assert.That(listBytes, Is.LessThan(plainBytes / 2));
        Assert.That(single.Header("Content-Encoding"), Is.Null);
    }

    private static async Task<(HttpResponseMessage Response, int Bytes)> SizeAsync(string path, string encoding)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", encoding);
        HttpResponseMessage response = await On("products").SendAsync(request);
        return (response, (await response.Content.ReadAsByteArrayAsync()).Length);
    }
}
