using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>What every answer promises: of each route by every method, and of each way to be refused or to
/// fail.</summary>
internal sealed partial class EveryAnswerTests
{
    private const string Front = "https://front.example", Cors = $"Shop:CorsOrigins={Front}";

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
        "BREW"];

    [Test]
    public async Task Given_every_route_when_it_is_asked_by_every_method_then_its_answer_keeps_what_every_answer_promises(
        [Values("application/json", "text/html")] string accept)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(Cors);
        string order = await shop.OrderAsync("prod_0");
        string asset = AssetPath().Match(await shop.Orders.GetStringAsync("/live")).Groups["file"].Value;
        string Existing(string template) => template.Replace("{order_id}", order, StringComparison.Ordinal)
            .Replace("{file}", asset, StringComparison.Ordinal).Replace("{id}", "prod_0", StringComparison.Ordinal)
            .Replace("{product_id}", "prod_0", StringComparison.Ordinal);
        string[] templates = [.. (await ShopUnderTest.RoutesAsync())
            .Select(endpoint => $"/{endpoint.RoutePattern.RawText!.TrimStart('/')}").Append("/nowhere")
            .Distinct(StringComparer.Ordinal)];
        Assert.That(templates, Has.Length.GreaterThan(35).And.Contains("/assets/{file}").And.Contains("/board/events"));
        var faults = new List<string>();
        var statuses = new HashSet<int>();
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach (string method in Methods)
            {
                foreach (string template in templates)
                {
                    // Reads find something, and find nothing; changes find nothing.
                    bool reads = method is "GET" or "HEAD";
                    string nothing = Parameter().Replace(template, "nothing");
                    string[] paths = [reads ? Existing(template) : nothing, nothing];
                    foreach (string path in paths.Distinct(StringComparer.Ordinal))
                    {
                        foreach (string? origin in new[] { null, Front })
                        {
                            using var request = new HttpRequestMessage(new HttpMethod(method), path);
                            request.Headers.TryAddWithoutValidation("Accept", accept);
                            if (origin is not null) request.Headers.Add("Origin", origin);
                            faults.AddRange(await FaultsAsync(shop, client, request, statuses));
                        }
                    }
                }
            }
        }

        Assert.That(faults, Is.Empty);
        Assert.That(statuses, Is.SupersetOf(accept == "text/html" ? [200, 404, 405, 406, 415]
            : new[] { 200, 404, 405, 415 }));
    }

    [Test]
    public async Task Given_each_way_to_be_refused_or_to_fail_then_the_answer_keeps_what_every_answer_promises(
        [Values("*/*", "text/html, application/json;q=0.9")] string accept)
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        var failures = new Failures();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(failures.Contracts, null,
            Cors, $"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}");
        string own = shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority);
        (string, string) may = ("Authorization", $"Bearer {writer}"), mayNot = ("Authorization", $"Bearer {reader}");
        const string Line = """{"customer_id":"x","items":[{"product_id":"prod_0","quantity":1}]}""";
        string? tag = (await shop.Products.GetAsync("/products/prod_0")).Header("ETag");
        (HttpClient Client, string Request, string? Body, (string Name, string Value)[] Headers, int Status)[] cases =
        [
            (shop.Products, "GET /products/prod_0", null, [("If-None-Match", tag!), ("Accept", "*/*")], 304),
            (shop.Products, "GET /products/prod_0", null, [("If-Match", "\"other\""), ("Accept", "*/*")], 412),
            (shop.Products, "GET /products?limit=0", null, [("Accept", "application/json, text/html;q=0.5")], 400),
            (shop.Products, "POST /products", """{"id":"mine","name":"n","price":1}""", [may], 201),
            (shop.Products, "POST /products", """{"id":"mine","name":"n","price":1}""", [may], 409),
            (shop.Products, "POST /products", "{}", [may], 400),
            (shop.Products, "POST /products", new string(' ', 65_537), [may], 413),
            (shop.Products, "DELETE /products/mine", null, [may], 204),
            (shop.Products, "PUT /products/mine", """{"name":"n","price":1}""", [may], 404),
            (shop.Products, "GET /assets/none.css", null, [], 404),
            (shop.Products, "GET /products/none", null, [], 404),
            (shop.Products, "PATCH /products", null, [may], 405),
            (shop.Products, "GET /products", null, [("Accept", "application/xml")], 406),
            (shop.Products, "OPTIONS /products", null, [("Origin", Front), ("Access-Control-Request-Method", "DELETE")],
                204),
            (shop.Products, "OPTIONS /products", null, [("Origin", "https://evil.example"),
                ("Access-Control-Request-Method", "DELETE")], 204),
            (shop.Orders, "POST /orders", Line, [("Origin", Front)], 401),
            (shop.Orders, "POST /orders", Line, [("Authorization", "Bearer guess")], 401),
            (shop.Orders, "POST /orders", Line, [mayNot], 403),
            (shop.Orders, "POST /orders", Line, [may, ("Origin", $"{Front}.evil.example")], 403),
            (shop.Orders, "POST /orders", Line.Replace("prod_0", "ghost", StringComparison.Ordinal),
                [may, ("Origin", Front)], 422),
            (shop.Orders, "POST /orders", Line.Replace("prod_0", "prod_190", StringComparison.Ordinal),
                [may, ("Origin", Front)], 409),
            (shop.Orders, "POST /orders/none/pay", null, [may], 404),
            (shop.Inventory, "POST /inventory/decrease", """{"product_id":"prod_0","quantity":1000001}""", [may], 409),
            (shop.Orders, "POST /orders", null, [may], 415),
        ];
        var (faults, statuses) = (new List<string>(), new HashSet<int>());
        foreach ((HttpClient client, string line, string? body, (string Name, string Value)[] headers,
            int status) in cases)
        {
            using HttpRequestMessage request = Request(line, body, [.. headers, ("Accept", accept)]);
            faults.AddRange(await FaultsAsync(shop, client, request, statuses, status));
        }

        using (HttpRequestMessage form = Request("POST /basket", null, [may, ("Origin", own), ("Accept", accept)]))
        {
            form.Content = new FormUrlEncodedContent([new("action", "add"), new("product_id", "prod_0"),
                new("quantity", "1")]);
            faults.AddRange(await FaultsAsync(shop, shop.Products, form, statuses, 303));
        }

        // Every call into another service fails, in any of its ways.
        failures.Begin(percent: 100, seed: 7);
        for (int i = 0; i < 40; i++)
        {
            using HttpRequestMessage request = Request("POST /orders", Line,
                [may, ("Origin", Front), ("Accept", accept)]);
            faults.AddRange(await FaultsAsync(shop, shop.Orders, request, statuses));
        }

        failures.End();
        Assert.That(faults, Is.Empty);
        Assert.That(statuses, Is.SupersetOf(new[] { 201, 204, 303, 304, 400, 401, 403, 404, 405, 406, 409, 412, 413,
            415, 422, 500, 503 }));
    }

    [TestCase("POST /orders HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0", 400)]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", 400)]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked", 400)]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9", 408)]
    [TestCase("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 70000",
        413)]
    [TestCase("get /orders HTTP/1.1\r\nHost: localhost", 405)]
    [TestCase("GET /orders HTTP/1.1\r\nHost: localhost", 429)]
    public async Task Given_an_answer_that_no_client_library_provokes_then_it_keeps_what_every_answer_promises(
        string head, int status)
    {
        string setting = status switch
        {
            408 => "Shop:RequestTimeout=1",
            429 => "Shop:MaxConcurrentRequests=1",
            _ => "Shop:DemoData=true",
        };
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting);
        using TcpClient? busy = status == 429 ? await BusyAsync(shop) : null;
        using HttpResponseMessage answer = await AskAsync(shop.Orders.BaseAddress!, head);
        string body = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), body);
        Assert.That(AnswerPromises.Faults(answer, body, shop.Orders.BaseAddress!, corsOrigin: null), Is.Empty);
    }

    private static async Task<string[]> FaultsAsync(
        ShopUnderTest shop, HttpClient client, HttpRequestMessage request, HashSet<int> statuses, int? expected = null)
    {
        using HttpResponseMessage answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        bool isStream = answer.Content.Headers.ContentType?.MediaType == "text/event-stream";
        string body = isStream ? "" : await answer.Content.ReadAsStringAsync();
        int status = (int)answer.StatusCode;
        statuses.Add(status);
        string[] faults = AnswerPromises.Faults(answer, body, shop.Orders.BaseAddress!, Front);
        return expected is null || expected == status ? faults
            : [.. faults, $"{request.Method} {request.RequestUri} answered {status}, and not {expected}"];
    }

    private static HttpRequestMessage Request(string line, string? body, (string Name, string Value)[] headers)
    {
        string[] parts = line.Split(' ');
        var request = new HttpRequestMessage(new HttpMethod(parts[0]), parts[1]);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        // The first of a name is sent.
        foreach ((string name, string value) in headers.DistinctBy(header => header.Name))
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    // A connection whose request is being worked on, for as long as its body does not come.
    private static async Task<TcpClient> BusyAsync(ShopUnderTest shop)
    {
        var client = new TcpClient();
        await client.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
        await client.GetStream().WriteAsync(
            ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                + "Content-Length: 9\r\n\r\n"u8).ToArray());
        while ((await Exposition.OfAsync(shop.Orders))["app_requests_in_progress"] < 1) await Task.Yield();
        return client;
    }

    // Sends a head, and reads until the answer has come whole.
    private static async Task<HttpResponseMessage> AskAsync(Uri address, string head)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{head}\r\nConnection: close\r\n\r\n"));
        // No further than the answer: a connection that is closed with bytes unread is reset.
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { Length: > 0 } line) text.Append(line).Append("\r\n");
        Match length = ContentLength().Match(text.ToString());
        char[] content = new char[int.Parse(length.Groups["bytes"].Value)];
        await reader.ReadBlockAsync(content);
        string[] parts = [text.ToString().TrimEnd(), new string(content)];
        string[] lines = parts[0].Split("\r\n");
        var answer = new HttpResponseMessage((System.Net.HttpStatusCode)int.Parse(lines[0].Split(' ')[1]))
        {
            Content = new StringContent(parts[1]),
            RequestMessage = new HttpRequestMessage(new HttpMethod(head.Split(' ')[0]),
                new Uri(address, head.Split(' ')[1])),
        };
        answer.Content.Headers.Clear();
        foreach (string[] header in lines.Skip(1).Select(line => line.Split(": ", 2)))
        {
            if (!answer.Headers.TryAddWithoutValidation(header[0], header[1]))
                answer.Content.Headers.TryAddWithoutValidation(header[0], header[1]);
        }

        return answer;
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\r\nContent-Length: (?<bytes>\d+)\r\n", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex ContentLength();

    [GeneratedRegex("/assets/(?<file>[^\"]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex AssetPath();
}
