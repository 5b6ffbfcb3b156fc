using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Whatever is sent: never a 5xx, never anything of the inside, never a new series, and each answer
/// as the OpenAPI document says.
/// </summary>
internal sealed class InputTests
{
    private static readonly Gen<string> Number = Gen.OneOf(
        "0", "-0", "1", "-1", "1.0", "1.5", "1e0", "1e2", "1e400", "-1e400", "0.01", "0.001", "10000", "10001",
        "1000000.00", "1000000.01", "1000000000", "1000000001", "2147483648", "9223372036854775807",
        "9223372036854775808", "-9223372036854775809", "79228162514264337593543950336", "0.1e1", "1E-400", "00", "1.",
        ".5", "+1", "NaN", "0x10");

    private static readonly Gen<string> Text = Gen.OneOf(
        Gen.String, Gen.String[Gen.Char, 0, 300], Gen.String.AlphaNumeric,
        Gen.OneOf("", " ", "\0", "\ud800", "\udc00\ud800", "\uFFFE", "\uFEFF", "e\u0301", "\u202Eevil", "😀", "﷽", "İ",
            "ß", "'; DROP TABLE orders; --", "%s%n", "${jndi:ldap://x}", "../../etc/passwd",
            "<script>alert(1)</script>",
            "\r\nSet-Cookie: a=b", "\u001b[31m", "prod_0", "prod_199", "prod_0\0", "created", "*", "%", "_"));

    private static readonly Gen<string> Json = Gen.Recursive<string>((depth, self) => depth > 4
        ? Number
        : Gen.Frequency(
            (4, Number), (4, Text.Select(Quoted)), (2, Gen.OneOf("true", "false", "null")),
            (1, self.Array[0, 3].Select(items => $"[{string.Join(",", items)}]")),
            (1, Gen.Select(Text, self).Array[0, 3].Select(members =>
                $"{{{string.Join(",", members.Select(member => $"{Quoted(member.Item1)}:{member.Item2}"))}}}"))));

    private static readonly Gen<string> FieldName = Gen.OneOf(
        "customer_id", "items", "order_id", "product_id", "quantity", "quantity_increased", "quantity_decreased",
        "name", "price", "category", "description", "initial_stock", "id", "Name", "__proto__", "");

    private static readonly Gen<string> Fields = Gen.Select(FieldName, Gen.OneOf(Json, Gen.OneOf(
            "\"someone\"", "[{\"product_id\":\"prod_0\",\"quantity\":1}]",
            "[{\"product_id\":\"prod_199\",\"quantity\":10000}]", "[]", "[null]", "\"prod_0\"",
            "1", "9.99"))).Array[0, 7]
        .Select(fields => $"{{{string.Join(",", fields.Select(field => $"{Quoted(field.Item1)}:{field.Item2}"))}}}");

    private static readonly Gen<byte[]> Body = Gen.Frequency(
        (3, Gen.OneOf(
            """{"customer_id":"someone","items":[{"product_id":"prod_0","quantity":1}]}""",
            """{"product_id":"prod_0","quantity":3}""",
            """{"name":"A thing","price":9.99,"category":"Things"}""").Select(Encoding.UTF8.GetBytes)),
        (6, Fields.Select(Encoding.UTF8.GetBytes)),
        (3, Json.Select(Encoding.UTF8.GetBytes)),
        (1, Gen.Byte.Array[0, 200]),
        (1, Fields.Select(text => Encoding.UTF8.GetBytes(text + "garbage"))),
        (1, Fields.Select(text => Encoding.Unicode.GetBytes(text))),
        (1, Gen.Int[1, 2000].Select(depth => Encoding.UTF8.GetBytes(new string('[', depth) + new string(']', depth)))),
        (1, Gen.Int[65_500, 65_600].Select(
            length => Encoding.UTF8.GetBytes($"{{\"name\":\"{new string('x', length - 11)}\"}}"))),
        (1, Gen.Const(Array.Empty<byte>())));

    private static readonly Gen<string> Segment = Gen.OneOf(
        Gen.OneOf("products", "orders", "inventory", "categories", "api", "metrics", "health", "live", "prod_0",
            "prod_199", "increase", "decrease", "movements", "pay", "ship", "deliver", "cancel", "events", "docs",
            "openapi", ".", "..", ""),
        Text.Select(Escaped));

    private static readonly Gen<string> Path = Gen.OneOf(
        Gen.OneOf("/", "/products", "/products/prod_0", "/orders", "/inventory", "/inventory/prod_0",
            "/inventory/increase", "/inventory/decrease", "/inventory/prod_0/movements", "/categories",
            "/api/products", "/api/orders"),
        Segment.Array[1, 4].Select(segments => "/" + string.Join('/', segments)));

    private static readonly Gen<string> QueryString = Gen.Frequency(
        (3, Gen.Const("")),
        (4, Gen.Select(
            Gen.OneOf("limit", "after", "category", "q", "min_price", "max_price", "sort", "status", "customer_id",
                "product_id", "max_level", "LIMIT", "nonsense"),
            Gen.OneOf(Number, Text.Select(Escaped),
                Gen.OneOf("created", "-price", "name", "MTIz", "prod_0"))).Array[1, 4]
            .Select(pairs => "?" + string.Join('&', pairs.Select(pair => $"{pair.Item1}={pair.Item2}")))),
        (1, Text.Select(text => "?" + Escaped(text))));

    private static readonly Gen<(string Name, string Value)[]> Headers =
        Gen.Frequency((2, Gen.Const(Array.Empty<(string, string)>())), (1, Gen.Select(
            Gen.OneOf("Accept", "Accept-Encoding", "If-Match", "If-None-Match", "Idempotency-Key", "traceparent",
                "Range", "Expect", "X-HTTP-Method-Override", "Authorization", "Origin", "Cookie",
                "X-Forwarded-For", "Content-Encoding"),
            Gen.OneOf(Text.Select(Visible),
                Gen.OneOf("*", "*/*", "text/html", "application/json;q=0", "gzip, br", "W/\"x\"", "\"", "bytes=0-1",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "100-continue", "gzip", "Bearer x")))
            .Array[1, 3]));

    private static readonly Gen<string?> ContentType = Gen.Frequency(
        (6, Gen.Const((string?)"application/json")),
        (2, Gen.OneOf<string?>("application/json; charset=utf-8", "application/json; charset=utf-16", "text/plain",
            "application/x-www-form-urlencoded", "APPLICATION/JSON", "application/json;;", null)));

    private static readonly Gen<Request> AnyRequest = Gen.Select(
        Gen.OneOf("GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"), Path,
        QueryString, Headers, Body, ContentType, Gen.Bool,
        (method, path, query, headers, body, type, isChunked) =>
            new Request(method, path + query, headers, body, type, isChunked));

    [Test]
    public async Task Given_any_request_then_the_answer_is_as_the_document_says_no_5xx_nothing_of_the_inside_and_no_new_series(
        [Values("products", "orders", "inventory")] string port)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        HttpClient client = shop.ByName[port];
        ApiDocument document = await ApiDocument.OfAsync(client);
        // The first request of a method that no route takes makes its histogram (docs/decisions/006).
        foreach (string method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE" })
            (await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/nowhere"))).Dispose();
        foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head })
            (await client.SendAsync(new HttpRequestMessage(method, "/live"))).Dispose();
        string[] before = await SeriesAsync(client);
        int succeeded = 0;
        await AnyRequest.SampleAsync(async request =>
        {
            using HttpRequestMessage? message = request.ToMessage(client.BaseAddress!);
            // What no client can send; and a stream, which has no end.
            if (message is null || message.RequestUri!.AbsolutePath.EndsWith("/live/events", StringComparison.Ordinal))
                return;
            // The server itself refuses a NUL in a path, without a body (docs/decisions/006), and
            // without waiting for the client's.
            bool isRefusedByServer = request.Target.Contains("%00", StringComparison.Ordinal);
            using HttpResponseMessage? answer = await SendAsync(client, message, isRefusedByServer);
            if (answer is null) return;
            string body = await answer.Content.ReadAsStringAsync();
            int status = (int)answer.StatusCode;
            Assert.That(status, Is.LessThan(500), $"{request}: {body}");
            if (status == 400 && body.Length == 0 && isRefusedByServer) return;
            if (status < 300) Interlocked.Increment(ref succeeded);
            // a page is no part of the document
            if (answer.Content.Headers.ContentType?.MediaType == "text/html") return;
            string path = Uri.UnescapeDataString(message.RequestUri.AbsolutePath);
            bool isCompressed = answer.Content.Headers.ContentEncoding.Count > 0;
            if (status >= 400 && request.Method != "HEAD" && !isCompressed)
            {
                JsonNode problem = JsonNode.Parse(body)!;
                Assert.That((answer.Content.Headers.ContentType!.MediaType, (int)problem["status"]!),
                    Is.EqualTo(("application/problem+json", status)), $"{request}");
                Assert.That((string)problem["error"]!,
                    Is.Not.Empty.And.Not.Contain("Exception").And.Not.Contain("   at ").And.Not.Contain("SQLite"),
                    $"{request}");
                if (status == 400) Assert.That(problem["errors"], Is.Not.Null, $"{request}: {body}");
            }

            bool isOwnRoute = !path.StartsWith("/docs/", StringComparison.Ordinal)
                && !path.StartsWith("/api/docs/", StringComparison.Ordinal);
            if (isOwnRoute && !isCompressed && status != 304)
            {
                Assert.That(document.Fault(request.Method, message.RequestUri.AbsolutePath, answer, body),
                    Is.Null, $"{request}: {body}");
            }
        }, iter: 6000, threads: 2);
        Assert.That(succeeded, Is.GreaterThan(30), "enough of it is right for the right paths to be tried too");
        Assert.That(await SeriesAsync(client), Is.EqualTo(before));
        await client.GetJsonAsync("/health/ready");
    }

    [Test]
    public async Task Given_any_bytes_on_a_connection_then_4xx_or_the_end_and_the_shop_goes_on()
    {
        Gen<byte[]> head = Gen.OneOf(
            Gen.Byte.Array[1, 300],
            Gen.Select(Gen.String, Gen.String, Gen.String, (method, target, header) =>
                Encoding.UTF8.GetBytes($"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n")),
            Gen.Select(Gen.Int[1, 200], Gen.Int[1, 400],
                (count, length) => Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: localhost\r\n" + string.Concat(
                    Enumerable.Range(0, count).Select(n => $"X-{n}: {new string('a', length)}\r\n")) + "\r\n")),
            Gen.Int[1, 20_000].Select(length => Encoding.ASCII.GetBytes(
                $"GET /{new string('a', length)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")));
        Uri address = SharedShop.Shop.Orders.BaseAddress!;
        await head.SampleAsync(async bytes =>
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port);
            NetworkStream stream = client.GetStream();
            string answer;
            try
            {
                await stream.WriteAsync(bytes);
                client.Client.Shutdown(SocketShutdown.Send);
                using var reader = new StreamReader(stream, Encoding.UTF8);
                answer = await reader.ReadToEndAsync();
            }
            catch (IOException)
            {
                return; // it was cut off, and that is an answer
            }

            SeenStatuses.Note(address, Encoding.Latin1.GetString(bytes), answer);
            if (answer.Length > 0)
                Assert.That(RawHttp.Status(answer), Is.LessThan(500), Encoding.Latin1.GetString(bytes));
            Assert.That(answer, Does.Not.Contain("Exception"));
        }, iter: 1000, threads: 4);
        await SharedShop.Shop.Orders.GetJsonAsync("/health/ready");
        await SharedShop.Shop.CompareStatusesAsync();
    }

    [Test]
    public async Task Given_any_text_and_number_that_is_taken_then_it_comes_back_unchanged()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        int taken = 0;
        await Gen.Select(Text, Text, Gen.Int[1, 100_000_000], Gen.Int[1, 10_000])
            .SampleAsync(async (name, customer, cents, quantity) =>
            {
                decimal price = cents / 100m;
                (HttpResponseMessage created, JsonNode? product) = await shop.Products.PostAsync(
                    "/products",
                    $$"""{"name":{{Quoted(name)}},"description":{{Quoted(customer)}},"""
                    + $"\"price\":{price},\"initial_stock\":1000000}}");
                if ((int)created.StatusCode == 201)
                {
                    JsonNode read = await shop.Products.GetJsonAsync($"/products/{product!["id"]}");
                    Assert.That(((string)read["name"]!, (string)read["description"]!, (decimal)read["price"]!),
                        Is.EqualTo((name, customer, price)));
                    (HttpResponseMessage placed, JsonNode? order) = await shop.Orders.PostAsync("/orders",
                        $$"""{"customer_id":{{Quoted(customer)}},"items":["""
                        + $$"""{"product_id":"{{product["id"]}}","quantity":{{quantity}}}]}""");
                    if ((int)placed.StatusCode == 201)
                    {
                        JsonNode back = await shop.Orders.GetJsonAsync($"/orders/{order!["order_id"]}");
                        Assert.That(((string)back["customer_id"]!, (string)back["items"]![0]!["name"]!,
                                (long)back["items"]![0]!["quantity"]!, (decimal)back["total_amount"]!),
                            Is.EqualTo((customer, name, (long)quantity, price * quantity)));
                        JsonNode mine = await shop.Orders.GetJsonAsync(
                            $"/orders?customer_id={Uri.EscapeDataString(customer)}&limit=1");
                        Assert.That((string)mine[0]!["order_id"]!, Is.EqualTo((string)order["order_id"]!));
                        Interlocked.Increment(ref taken);
                    }
                }
            }, iter: 600, threads: 1);
        Assert.That(taken, Is.GreaterThan(100));
    }

    private static async Task<HttpResponseMessage?> SendAsync(
        HttpClient client, HttpRequestMessage message, bool mayBeCutOff)
    {
        try
        {
            return await client.SendAsync(message);
        }
        catch (Exception exception) when (mayBeCutOff && (exception is HttpRequestException or SocketException))
        {
            return null;
        }
    }

    // Names of products come and go with what is viewed, within their bounds; all else is fixed.
    private static async Task<string[]> SeriesAsync(HttpClient client) =>
        [.. (await Exposition.OfAsync(client)).Series
            .Where(series => !series.Contains("product_id=", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    // With lone surrogates as they are: as escapes, JSON can have them.
    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char character in text)
        {
            if (character is '"' or '\\' || char.IsControl(character) || char.IsSurrogate(character))
                quoted.Append($"\\u{(int)character:x4}");
            else quoted.Append(character);
        }

        return quoted.Append('"').ToString();
    }

    private static string Escaped(string text)
    {
        var escaped = new StringBuilder();
        foreach (byte piece in Encoding.UTF8.GetBytes(text))
            escaped.Append(char.IsAsciiLetterOrDigit((char)piece) ? $"{(char)piece}" : $"%{piece:X2}");
        return escaped.ToString();
    }

    private static string Visible(string text) =>
        string.Concat(text.Where(character => character is >= ' ' and <= '~'));

    private sealed record Request(
        string Method, string Target, (string Name, string Value)[] Headers, byte[] Body,
        string? ContentType, bool IsChunked)
    {
        public HttpRequestMessage? ToMessage(Uri address)
        {
            if (!Uri.TryCreate(address, Target, out Uri? uri) || uri.Authority != address.Authority) return null;
            var message = new HttpRequestMessage(new HttpMethod(Method), uri);
            if (Method is "POST" or "PUT" or "PATCH")
            {
                message.Content = IsChunked ? new StreamContent(new MemoryStream(Body)) : new ByteArrayContent(Body);
                if (IsChunked) message.Headers.TransferEncodingChunked = true;
                if (MediaTypeHeaderValue.TryParse(ContentType, out MediaTypeHeaderValue? type))
                    message.Content.Headers.ContentType = type;
            }

            foreach ((string name, string value) in Headers)
            {
                if (!message.Headers.TryAddWithoutValidation(name, value))
                    message.Content?.Headers.TryAddWithoutValidation(name, value);
            }

            return message;
        }

        public override string ToString() =>
            $"{Method} {Target} "
            + $"[{string.Join("; ", Headers.Select(header => $"{header.Name}: {header.Value}"))}] {ContentType} "
            + $"{JsonSerializer.Serialize(Encoding.Latin1.GetString(Body.AsSpan(0, Math.Min(Body.Length, 300))))}";
    }
}
