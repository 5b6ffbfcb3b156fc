using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.EndToEnd.Tests;

/// <summary>RFC 9110 to 9112, as clients, caches and proxies rely on them.</summary>
internal sealed class HttpTests
{
    private static readonly string[] Ports = ["products", "orders", "inventory"];

    private static readonly (string Name, string Value)[][] RequestHeaders =
    [
        [], [("Accept-Encoding", "gzip")], [("Accept-Encoding", "br")], [("Accept", "text/html")],
        [("Accept", "application/xml")],
        [("Accept", "application/openmetrics-text;version=1.0.0"), ("Accept-Encoding", "gzip")],
    ];

    private static HttpClient On(string port) => SharedShop.Shop.ByName[port];

    [TestCaseSource(nameof(Ports))]
    public async Task Given_each_route_that_GET_has_when_asked_with_HEAD_then_the_same_status_and_headers_and_no_body(
        string port)
    {
        string order = await SharedShop.Shop.OrderAsync("prod_0");
        string page = await On(port).GetStringAsync("/live");
        string asset = Regex.Match(page, "/assets/(?<file>[^\"]+)", RegexOptions.ExplicitCapture,
            TimeSpan.FromMinutes(1)).Groups["file"].Value;
        string Filled(string template) => template.Replace("{id}", "prod_0", StringComparison.Ordinal)
            .Replace("{product_id}", "prod_0", StringComparison.Ordinal)
            .Replace("{order_id}", order, StringComparison.Ordinal).Replace("{file}", asset, StringComparison.Ordinal);
        string[] paths = [.. (await ShopUnderTest.ReadRoutesAsync()).Concat(["/docs/scalar.js", "/nowhere"])
            .Select(Filled), .. await QueriesAsync(port, Filled)];
        Assert.That(paths, Has.Length.GreaterThan(20));
        foreach (string path in paths)
        {
            foreach ((string Name, string Value)[] headers in RequestHeaders)
            {
                (int getStatus, SortedDictionary<string, string> get) = await HeadersAsync(
                    port, HttpMethod.Get, path, headers);
                (int headStatus, SortedDictionary<string, string> head) = await HeadersAsync(
                    port, HttpMethod.Head, path, headers);
                Assert.That(headStatus, Is.EqualTo(getStatus), path);
                Assert.That(head, Is.EqualTo(get), $"{path} {string.Join(", ", headers)}");
                Assert.That(head.Keys, Is.SupersetOf(new[] { "Cache-Control" }), path);
            }
        }
    }

    [TestCase("head", "/orders", 405)]
    [TestCase("get", "/orders/x", 405)]
    [TestCase("Post", "/orders", 405)]
    [TestCase("dELETE", "/orders/x", 405)]
    [TestCase("head", "/metrics", 405)]
    [TestCase("get", "/nowhere", 404)]
    [TestCase("BREW", "/orders", 405)]
    public async Task Given_a_method_that_is_none_by_its_case_then_it_is_unknown_and_counted_as_what_went_out(
        string method, string path, int expected)
    {
        string answer = await RawHttp.SendAsync(On("orders").BaseAddress!,
            $"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(expected), answer);
        if (expected == 405) Assert.That(answer, Does.Contain("\r\nAllow: "));
        await SharedShop.Shop.CompareStatusesAsync();
    }

    [TestCase("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0")]
    [TestCase("PRI * HTTP/2.0\r\n")]
    public async Task Given_a_client_that_begins_in_HTTP_2_then_it_is_told_in_HTTP_2_that_this_is_1_1(string preface)
    {
        Exposition before = await Exposition.OfAsync(On("orders"));
        string answer = await RawHttp.SendAsync(On("orders").BaseAddress!, preface);
        Exposition after = await Exposition.OfAsync(On("orders"));
        // SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED.
        Assert.That(answer,
            Does.StartWith("\0\0\0\u0004\0\0\0\0\0").And.Contain("\0\0\0\r").And.EndWith("This port speaks HTTP/1.1."));
        Assert.That(after.Since(before)["""http_requests_by_status_code_total{code="505"}"""], Is.EqualTo(1));
    }

    [Test]
    public async Task Given_a_request_that_comes_byte_by_byte_then_it_is_answered()
    {
        using var client = new TcpClient();
        Uri address = On("orders").BaseAddress!;
        await client.ConnectAsync(address.Host, address.Port);
        client.NoDelay = true;
        NetworkStream stream = client.GetStream();
        foreach (byte piece in Encoding.ASCII.GetBytes(
            "PRI / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
        {
            await stream.WriteAsync(new[] { piece });
        }

        using var reader = new StreamReader(stream);
        Assert.That(RawHttp.Status(await reader.ReadToEndAsync()), Is.EqualTo(405));
    }

    [TestCase("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")]
    [TestCase("Transfer-Encoding: chunked, chunked")]
    [TestCase("Transfer-Encoding: gzip, chunked")]
    [TestCase("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked")]
    [TestCase("Transfer-Encoding: identity, chunked")]
    [TestCase("Transfer-Encoding: chunked,")]
    [TestCase("Transfer-Encoding: \"chunked\"")]
    [TestCase("Transfer-Encoding: xchunked")]
    [TestCase("Transfer-Encoding: chunked;q=1")]
    [TestCase("Transfer-Encoding: chunked\r\nContent-Length: 5")]
    [TestCase("Content-Length: 5\r\nTransfer-Encoding: chunked")]
    [TestCase("Content-Length: 5\r\nContent-Length: 6")]
    [TestCase("Content-Length: 5, 5")]
    [TestCase("Content-Length: 0x5")]
    [TestCase("Transfer-Encoding : chunked")]
    [TestCase("Transfer-Encoding:\r\n chunked")]
    [TestCase("Transfer-Encoding: chunked", "HTTP/1.0")]
    [TestCase("Transfer-Encoding: chunked\r\nConnection: keep-alive", "HTTP/1.0")]
    public async Task Given_framing_that_can_be_read_in_two_ways_then_400_and_nothing_behind_it_is_read(
        string headers, string version = "HTTP/1.1")
    {
        foreach (string target in new[] { "POST /orders", "GET /orders", "POST /orders/x/pay", "GET /nowhere" })
        {
            string answer = await RawHttp.SendAsync(On("orders").BaseAddress!,
                $"{target} {version}\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n0\r\n\r\n"
                + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
            Assert.That(RawHttp.Status(answer), Is.EqualTo(400), answer);
            Assert.That(Regex.Count(answer, @"HTTP/1\.1 \d{3} ", RegexOptions.None, TimeSpan.FromMinutes(1)),
                Is.EqualTo(1), answer);
            Assert.That(answer, Does.Contain("Connection: close"));
        }

        await SharedShop.Shop.CompareStatusesAsync();
    }

    [Test]
    public async Task Given_a_body_that_breaks_off_then_nothing_of_it_is_read_as_a_request()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        // What nothing reads: no route has it, its type is refused, or it is one too many.
        string[] requests =
        [
            "POST /nowhere", "POST /products", "PUT /products/prod_0", "DELETE /products/none", "POST /basket",
            "GET /products", "GET /products/prod_0",
        ];
        string[] framings = ["Content-Length: 500\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1f4\r\n"];
        await Task.WhenAll(requests.SelectMany(request => framings,
            (request, framing) => SendAsync($"{request} HTTP/1.1\r\nHost: localhost\r\n{framing}")));

        async Task SendAsync(string request)
        {
            try
            {
                await RawHttp.SendAsync(shop.Products.BaseAddress!,
                    $"{request}GET /categories HTTP/1.1\r\nHost: localhost\r\n\r\n");
            }
            catch (IOException)
            {
                // The connection was closed with bytes unread, and so reset.
            }
        }

        string metrics = await shop.Products.GetStringAsync("/metrics");
        Assert.That(metrics, Does.Contain(
            "app_requests_total{method=\"GET\",endpoint=\"/categories\",service=\"product-service\"} 0\n"));
    }

    [TestCase("POST /nowhere", 404)]
    [TestCase("POST /products", 415)]
    [TestCase("DELETE /products/no_such_product", 404)]
    [TestCase("GET /products/prod_0", 200)]
    public async Task Given_a_body_that_nothing_reads_when_it_is_whole_then_the_connection_goes_on(
        string request, int expected)
    {
        string answers = await RawHttp.SendAsync(On("products").BaseAddress!,
            $"{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhelloGET /products/prod_1 HTTP/1.1\r\n"
            + "Host: localhost\r\nConnection: close\r\n\r\n");
        Assert.That(RawHttp.Status(answers), Is.EqualTo(expected), answers);
        Assert.That(answers, Does.Contain("\"id\":\"prod_1\""));
    }

    [TestCase("Content-Encoding", "gzip", 415)]
    [TestCase("Content-Encoding", "br", 415)]
    [TestCase("Content-Encoding", "identity, gzip", 415)]
    [TestCase("Content-Encoding", "identity", 201)]
    [TestCase("Content-Range", "bytes 0-9/100", 400)]
    public async Task Given_a_header_that_changes_what_a_body_means_then_it_is_refused(
        string name, string value, int expected)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "/products") { Content = Json("""{"name":"n","price":1}"""u8) };
        request.Content.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage response = await On("products").SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(expected));
        if (expected == 415) Assert.That(response.Header("Accept-Encoding"), Is.EqualTo("identity"));
        using var form = new HttpRequestMessage(HttpMethod.Post, "/basket")
        {
            Content = new StringContent("action=add", Encoding.UTF8, "application/x-www-form-urlencoded"),
        };
        form.Headers.Add("Origin", On("products").BaseAddress!.GetLeftPart(UriPartial.Authority));
        form.Content.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage posted = await On("products").SendAsync(form);
        Assert.That((int)posted.StatusCode, Is.EqualTo(expected == 201 ? 303 : expected));
    }

    [TestCase("application/json; charset=utf8")]
    [TestCase("application/json;charset=\"UTF8\"")]
    [TestCase("application/json; charset=Utf-8")]
    public async Task Given_UTF_8_by_any_of_its_names_and_with_a_byte_order_mark_then_it_is_taken(string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/products")
        {
            Content = Json([0xEF, 0xBB, 0xBF, .. """{"name":"n","price":1}"""u8]),
        };
        request.Content.Headers.Remove("Content-Type");
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        using HttpResponseMessage response = await On("products").SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(201), await response.Content.ReadAsStringAsync());
    }

    [TestCase("products", "/products?min_price=0.999999999999999999999999999999999")]
    [TestCase("products", "/products?max_price=1.00000000000000000000000000000000001")]
    [TestCase("products", "/products?limit=1.0000000000000000000000000000001")]
    [TestCase("inventory", "/inventory?max_level=9.00000000000000000000000000001")]
    public async Task Given_a_number_that_would_be_rounded_then_400(string port, string path)
    {
        (HttpResponseMessage response, _) = await On(port).SendJsonAsync(HttpMethod.Get, path);
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
    }

    [Test]
    public async Task Given_answers_then_each_says_how_it_may_be_kept_and_a_product_revalidates()
    {
        string product = await SharedShop.Shop.ProductAsync(stock: 1);
        using HttpResponseMessage read = await On("products").GetAsync($"/products/{product}");
        using var again = new HttpRequestMessage(HttpMethod.Get, $"/products/{product}");
        again.Headers.IfNoneMatch.Add(read.Headers.ETag!);
        using HttpResponseMessage same = await On("products").SendAsync(again);
        (HttpResponseMessage missing, _) = await On("products").SendJsonAsync(HttpMethod.Get, "/products/none");
        (HttpResponseMessage order, _) = await On("orders")
            .SendJsonAsync(HttpMethod.Get, $"/orders/{await SharedShop.Shop.OrderAsync(product)}");
        using HttpResponseMessage metrics = await On("orders").GetAsync("/metrics");
        using HttpResponseMessage redirect = await On("products")
            .SendAsync(new HttpRequestMessage(HttpMethod.Post, "/basket")
            {
                Headers = { { "Origin", On("products").BaseAddress!.GetLeftPart(UriPartial.Authority) } },
                Content = new FormUrlEncodedContent([KeyValuePair.Create("action", "add")]),
            });
        Assert.Multiple(() =>
        {
            Assert.That((read.Header("Cache-Control"), read.Header("Vary")), Is.EqualTo(("no-cache", "Accept")));
            Assert.That(((int)same.StatusCode, same.Header("Cache-Control"), same.Header("Vary"), same.Header("ETag")),
                Is.EqualTo((304, "no-cache", "Accept", read.Header("ETag"))));
            foreach (HttpResponseMessage answer in new[] { missing, order, metrics, redirect })
                Assert.That(answer.Header("Cache-Control"), Is.EqualTo("no-store"));
            Assert.That(metrics.Header("Vary"), Is.EqualTo("Accept, Accept-Encoding"));
        });
    }

    [TestCase("text/*", "text/html")]
    [TestCase("text/html", "text/html")]
    [TestCase("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html")]
    [TestCase("text/html;q=0.5, application/*", "application/json")]
    [TestCase("text/*, application/json", "application/json")]
    [TestCase("*/*", "application/json")]
    [TestCase("text/html;q=0, text/*", "application/problem+json")]
    public async Task Given_what_a_client_takes_then_the_root_is_that_and_depends_on_it(string accept, string expected)
    {
        foreach (string port in Ports)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            request.Headers.TryAddWithoutValidation("Accept", accept);
            using HttpResponseMessage response = await On(port).SendAsync(request);
            Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo(expected), port);
            Assert.That(response.Header("Vary"), Does.StartWith("Accept"), port);
        }
    }

    [Test]
    public async Task Given_a_category_with_a_space_behind_it_then_the_page_finds_what_the_API_finds()
    {
        string category = $"Home{Guid.NewGuid():N} ";
        await On("products").PostAsync("/products", new { name = "In a category of its own", price = 1, category });
        foreach ((string asked, int found) in new[] { (category, 1), (category.TrimEnd(), 0) })
        {
            JsonNode list = await On("products").GetJsonAsync($"/products?category={Uri.EscapeDataString(asked)}");
            Assert.That(list.AsArray(), Has.Count.EqualTo(found));
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/?category={Uri.EscapeDataString(asked)}")
            {
                Headers = { { "Accept", "text/html" } },
            };
            using HttpResponseMessage page = await On("products").SendAsync(request);
            Assert.That(await page.Content.ReadAsStringAsync(),
                Does.Contain(found == 1 ? ">1 product<" : ">0 products<"));
        }
    }

    private static ByteArrayContent Json(ReadOnlySpan<byte> json) =>
        new(json.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };

    // Each GET of the document with each of its parameters, right and wrong.
    private static async Task<string[]> QueriesAsync(string port, Func<string, string> filled)
    {
        JsonNode document = await On(port).GetJsonAsync("/openapi/v1.json");
        return [.. from path in document["paths"]!.AsObject()
                   where path.Value!["get"] is not null
                   from parameter in path.Value["get"]!["parameters"]?.AsArray() ?? []
                   where (string)parameter!["in"]! == "query"
                   let example = (parameter["schema"]?["examples"]?[0] ?? parameter["example"])?.ToString()
                   from value in new[] { example ?? "1", "?" }
                   select $"{filled(path.Key)}?{parameter["name"]}={Uri.EscapeDataString(value)}"];
    }

    private static async Task<(int Status, SortedDictionary<string, string> Headers)> HeadersAsync(
        string port, HttpMethod method, string path, (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage response = await On(port)
            .SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (method == HttpMethod.Head) Assert.That(await response.Content.ReadAsByteArrayAsync(), Is.Empty, path);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, IEnumerable<string> values) in response.Headers.Concat(response.Content.Headers))
            all[name] = string.Join(", ", values);
        // When, and how the bytes are cut into pieces, is no part of it.
        all.Remove("Date");
        all.Remove("Transfer-Encoding");
        // A page and a health check tell of this very moment, and are as long as it takes.
        if (all.ContainsKey("Content-Length") && (path.Contains("/health/", StringComparison.Ordinal)
            || all["Content-Type"].StartsWith("text/html", StringComparison.Ordinal)))
        {
            all["Content-Length"] = "some";
        }

        return ((int)response.StatusCode, all);
    }
}
