using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>Who may use each route that there is, asked of the application's own table of routes.</summary>
internal sealed partial class AccessTests
{
    private static readonly string[] Methods =
    [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ];

    /// <summary>What everybody may read, with any keys set. The root is open as JSON alone.</summary>
    private static readonly string[] Open =
    [
        "/", "/health/live", "/health/ready", "/openapi/v1.json", "/docs", "/docs/start.js", "/assets/{file}",
    ];

    private static readonly string[] Metrics = ["/metrics", "/metrics/process"];

    private static readonly string[] Figures = ["/live", "/live/shop", "/live/events"];

    [TestCase(true, false, false)]
    [TestCase(true, true, false)]
    [TestCase(true, false, true)]
    [TestCase(true, true, true)]
    [TestCase(false, false, true)]
    public async Task Given_keys_when_every_route_is_asked_by_every_method_then_only_what_is_listed_is_open(
        bool hasKeys, bool readsNeedKey, bool hasMetricsKey)
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        (string scraper, string scraperHash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            [.. hasKeys
                ? [$"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}", $"Shop:ReadsNeedKey={readsNeedKey}"]
                : Array.Empty<string>(),
                .. hasMetricsKey ? [$"Shop:MetricsKey={scraperHash}"] : Array.Empty<string>()]);
        HashSet<(string Template, string Method)> routes = [.. (await ShopUnderTest.RoutesAsync())
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"],
                (endpoint, method) => ($"/{endpoint.RoutePattern.RawText!.TrimStart('/')}", method))];
        string[] templates = [.. routes.Select(route => route.Template).Append("/nowhere")
            .Distinct(StringComparer.Ordinal)];
        Assert.That(routes, Has.Count.GreaterThan(60).And.Contains(("/board/events", "GET"))
            .And.Contains(("/live/traffic", "POST")).And.Contains(("/orders/{order_id}/cancel", "POST")));
        (string Who, string? Key)[] clients =
        [
            ("nobody", null), ("reader", reader), ("writer", writer), ("scraper", scraper),
        ];
        string[][] wrong = await Task.WhenAll(shop.ByName.Select(async service =>
        {
            var faults = new List<string>();
            foreach (string template in templates)
            {
                foreach (string method in Methods)
                {
                    foreach ((string who, string? key) in clients)
                    {
                        foreach (bool isBrowser in new[] { false, true })
                        {
                            string path = (isBrowser ? "/api" : "") + Parameter().Replace(template, "nothing");
                            int status = await AskAsync(service.Value, method, path, key, isBrowser);
                            bool isOpenAsPage = template != "/" || !isBrowser;
                            bool isRoute = routes.Contains((template, method));
                            int? expected = Refusal(method, template, who, isRoute, isOpenAsPage,
                                (hasKeys, readsNeedKey, hasMetricsKey));
                            if (expected is null ? status is 401 or 403 : status != expected)
                                faults.Add(
                                    $"{who} {method} {path} on {service.Key}{(isBrowser ? " in a browser" : "")}: "
                                    + $"{status}, and not {expected?.ToString() ?? "let in"}");
                        }
                    }
                }
            }

            return faults.ToArray();
        }));
        Assert.That(wrong.SelectMany(faults => faults), Is.Empty);
        Assert.That(SharedShop.Faults(shop), Is.Empty);
    }

    [Test]
    public async Task Given_keys_when_something_close_to_one_is_sent_then_it_is_none()
    {
        (string key, string hash) = ApiKeys.Make();
        (string scraper, string scraperHash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{hash}",
            "Shop:ReadsNeedKey=true", $"Shop:MetricsKey={scraperHash}");
        var wrong = new List<string>();
        foreach ((string path, string right, string rightHash) in new[]
        {
            ("/orders", key, hash), ("/metrics", scraper, scraperHash), ("/live", scraper, scraperHash),
        })
        {
            string[] near =
            [
                right[..^1], right[1..], right[..32], $"{right}0", $"0{right}", $"{right}{right}",
                right.ToUpperInvariant(), rightHash, $"\"{right}\"", $"{right},{right}",
                $"{right[..32]} {right[32..]}", "",
            ];
            foreach ((string[] values, bool isRight) in
                near.Select(shown => (new[] { $"Bearer {shown}" }, false))
                    .Concat(new[]
                    {
                        right, $"Basic {right}", $"Bearer{right}", $"Token {right}", $"ApiKey {right}", "",
                    }.Select(value => (new[] { value }, false)))
                    .Append(([$"Bearer {right}", $"Bearer {right}"], false))
                    .Append(([$"Bearer {right}", "Bearer guess"], false))
                    .Append(([$"Bearer {right}"], true)).Append(([$"bearer {right}"], true)))
            {
                foreach (string method in path == "/orders" ? new[] { "GET", "HEAD", "POST" } : ["GET", "HEAD"])
                {
                    string head = string.Concat(values.Select(value => $"Authorization: {value}\r\n"));
                    string answer = await RawHttp.SendAsync(shop.Orders.BaseAddress!, $"{method} {path} HTTP/1.1\r\n"
                        + $"Host: localhost\r\n{head}Content-Length: 0\r\nConnection: close\r\n\r\n");
                    if (RawHttp.Status(answer) == 401 == isRight)
                        wrong.Add($"{method} {path} with {string.Join(" and ", values)}: {RawHttp.Status(answer)}");
                }
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    /// <returns>The refusal that is due; null for a request that must be let in.</returns>
    private static int? Refusal(
        string method, string template, string who, bool isRoute, bool isOpenAsPage,
        (bool Any, bool Reading, bool Metrics) keys)
    {
        bool reads = method is "GET" or "HEAD" or "OPTIONS";
        if (isRoute && reads)
        {
            if (template.StartsWith("/docs/", StringComparison.Ordinal) || (Open.Contains(template) && isOpenAsPage))
                return null;
            bool isMetrics = Metrics.Contains(template);
            if (keys.Metrics && (isMetrics || Figures.Contains(template))) return who == "scraper" ? null : 401;
            if (isMetrics) return null;
        }

        if (!keys.Any) return null;
        return who switch
        {
            "writer" => null,
            "reader" => reads ? null : 403,
            "scraper" => 401, // its key is no API key
            _ => reads && !keys.Reading ? null : 401,
        };
    }

    private static async Task<int> AskAsync(HttpClient client, string method, string path, string? key, bool isBrowser)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Origin", client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        if (isBrowser) request.Headers.TryAddWithoutValidation("Accept", "text/html,*/*;q=0.8");
        if (key is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (int)response.StatusCode;
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Parameter();
}
