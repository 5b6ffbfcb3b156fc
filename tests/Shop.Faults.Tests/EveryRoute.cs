using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;

namespace Shop.Faults.Tests;

/// <summary>
/// Every route of the shop's own table, by each of its methods, on each port: a new route is asked too. JSON is the
/// example of the document, and what is in no document gets a form.
/// </summary>
internal sealed partial class EveryRoute
{
    private readonly (string Template, string Method)[] _routes;
    private readonly Dictionary<(string Template, string Method), string> _bodies = [];
    private readonly string[] _assets;
    private string _made = "nothing";

    private EveryRoute((string Template, string Method)[] routes, string[] assets) =>
        (_routes, _assets) = (routes, assets);

    public static async Task<EveryRoute> OfAsync()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        var routes = from endpoint in await ShopUnderTest.RoutesAsync()
                     from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"]
                     select ($"/{endpoint.RoutePattern.RawText!.TrimStart('/')}", method);
        string page = await shop.Products.GetStringAsync("/live");
        string[] assets = [.. Asset().Matches(page).Select(asset => asset.Groups["file"].Value)];
        var every = new EveryRoute([.. routes.Distinct()], assets);
        Assert.That(every._assets, Is.Not.Empty);
        foreach (HttpClient client in shop.ByName.Values)
        {
            foreach (var path in (await client.GetJsonAsync("/openapi/v1.json"))["paths"]!.AsObject())
            {
                foreach (var verb in path.Value!.AsObject())
                {
                    if (ApiExample.Body(verb.Value!) is not { } body) continue;
                    every._bodies[(path.Key, verb.Key.ToUpperInvariant())] = body;
                }
            }
        }

        return every;
    }

    /// <summary>Asks them all, as a browser or as a program; how many requests that were.</summary>
    public async Task<int> AskAsync(ShopProcess shop, Random random, string? order, bool asBrowser)
    {
        int requests = 0;
        foreach ((string template, string method) in _routes)
        {
            foreach (HttpClient client in new[] { shop.Products, shop.Orders, shop.Inventory })
            {
                await AskAsync(client, template, method, random, order, asBrowser);
                requests++;
            }
        }

        return requests;
    }

    private async Task AskAsync(
        HttpClient client, string template, string method, Random random, string? order, bool asBrowser)
    {
        string path = Parameter().Replace(template, parameter => parameter.Groups["name"].Value switch
        {
            "id" when method == "DELETE" => _made,
            "id" or "product_id" => $"prod_{random.Next(190)}",
            "order_id" => order ?? "nothing",
            "file" => _assets[random.Next(_assets.Length)],
            _ => "nothing",
        });
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Accept", asBrowser ? "text/html,*/*;q=0.8" : "application/json");
        request.Headers.TryAddWithoutValidation("Accept-Encoding", asBrowser ? "br, gzip" : "identity");
        if (method is not ("GET" or "HEAD")) request.Content = Content(client, request, template, method, random);
        using HttpResponseMessage answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.That((int)answer.StatusCode, Is.LessThan(500), $"{method} {client.BaseAddress}{path[1..]}");
        await using Stream body = await answer.Content.ReadAsStreamAsync();
        // A stream has no end: its client looks for a moment and goes away.
        bool isStream = method == "GET" && answer.Content.Headers.ContentType?.MediaType == "text/event-stream";
        if (isStream) Assert.That(await body.ReadAsync(new byte[64]), Is.Positive);
        else await body.CopyToAsync(Stream.Null);
        if (template == "/products" && answer.Headers.Location is { } made) _made = $"{made}".Split('/')[^1];
    }

    private HttpContent Content(
        HttpClient client, HttpRequestMessage request, string template, string method, Random random)
    {
        if (_bodies.TryGetValue((template, method), out string? json))
            return new StringContent(json, Encoding.UTF8, "application/json");
        request.Headers.Add("Origin", client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        // What any of the forms asks for; but no demo traffic.
        string[] actions = ["add", "update", "remove", "increase", "decrease", "stop"];
        return new FormUrlEncodedContent(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["action"] = actions[random.Next(actions.Length)],
            ["step"] = "pay",
            ["rate"] = "1",
            ["customer_id"] = "everybody",
            ["product_id"] = $"prod_{random.Next(190)}",
            ["quantity"] = "1",
            ["key"] = $"{Guid.NewGuid()}",
        });
    }

    [GeneratedRegex(@"\{(?<name>[a-zA-Z_]+)[^}]*\}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Parameter();

    [GeneratedRegex("/assets/(?<file>[^\"]+)\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Asset();
}
