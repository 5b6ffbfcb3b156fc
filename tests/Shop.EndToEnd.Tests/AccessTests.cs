using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>Who may use each route that there is, asked of the application's own table of routes.</summary>
internal sealed partial class AccessTests
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// <summary>What everybody may read, with any keys set.</summary>
    private static readonly string[] Open = ["/", "/health/live", "/health/ready", "/openapi/v1.json", "/docs", "/docs/start.js", "/assets/{file}"];

    /// <summary>What shows figures of the metrics.</summary>
    private static readonly string[] Figures = ["/metrics", "/metrics/process", "/live", "/live/events"];

    [Test]
    public async Task Given_keys_when_every_route_is_asked_by_every_method_then_only_what_is_listed_is_open([Values] bool readsNeedKey)
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        (string scraper, string scraperHash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}", $"Shop:ReadsNeedKey={readsNeedKey}", $"Shop:MetricsKey={scraperHash}");
        HashSet<(string Template, string Method)> routes = [.. from endpoint in shop.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                                                               from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"]
                                                               select ($"/{endpoint.RoutePattern.RawText!.TrimStart('/')}", method)];
        string[] templates = [.. routes.Select(route => route.Template).Distinct(StringComparer.Ordinal)];
        Assert.That(routes, Has.Count.GreaterThan(60).And.Contains(("/board/events", "GET")).And.Contains(("/live/traffic", "POST")).And.Contains(("/orders/{order_id}/cancel", "POST")));
        var wrong = new List<string>();
        foreach ((string port, HttpClient client) in shop.ByName)
        {
            foreach (string template in templates)
            {
                foreach (string method in Methods)
                {
                    foreach ((string who, string? key) in new[] { ("nobody", null), ("reader", reader), ("writer", writer), ("scraper", scraper) })
                    {
                        int status = await AskAsync(client, method, Parameter().Replace(template, "nothing"), key);
                        int? expected = Refusal(method, template, who, routes.Contains((template, method)), readsNeedKey);
                        if (expected is null ? status is 401 or 403 : status != expected) wrong.Add($"{who} {method} {template} on {port}: {status}, and not {expected?.ToString() ?? "let in"}");
                    }
                }
            }
        }

        Assert.That(wrong, Is.Empty);
        Assert.That(SharedShop.Faults(shop), Is.Empty);
    }

    /// <returns>The refusal that is due; null for a request that must be let in.</returns>
    private static int? Refusal(string method, string template, string who, bool isRoute, bool readsNeedKey)
    {
        bool reads = method is "GET" or "HEAD" or "OPTIONS";
        if (isRoute && reads && (Open.Contains(template) || template.StartsWith("/docs/", StringComparison.Ordinal))) return null;
        if (isRoute && reads && Figures.Contains(template)) return who == "scraper" ? null : 401;
        return who switch
        {
            "writer" => null,
            "reader" => reads ? null : 403,
            "scraper" => 401, // its key is no API key
            _ => reads && !readsNeedKey ? null : 401,
        };
    }

    private static async Task<int> AskAsync(HttpClient client, string method, string path, string? key)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Origin", client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        if (key is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (int)response.StatusCode;
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Parameter();
}
