using System.Text;
using System.Text.Json.Nodes;

namespace Shop.Testing;

/// <summary>An operation of an OpenAPI document, with the document's own examples.</summary>
internal static class ApiExample
{
    /// <summary>As a page for trying it out sends it: each parameter that has an example, and the body's.</summary>
    public static HttpRequestMessage Of(string path, string verb, JsonNode operation)
    {
        var query = new List<string>();
        var headers = new List<(string Name, string Value)>();
        foreach (JsonNode? parameter in operation["parameters"]?.AsArray() ?? [])
        {
            string name = (string)parameter!["name"]!;
            if ((parameter["example"] ?? parameter["schema"]!["examples"]?[0] ?? parameter["schema"]!["example"]) is not { } example)
                continue;
            if ((string)parameter["in"]! == "path") path = path.Replace($"{{{name}}}", example.ToString(), StringComparison.Ordinal);
            else if ((string)parameter["in"]! == "query") query.Add($"{name}={Uri.EscapeDataString(example.ToString())}");
            else headers.Add((name, example.ToString()));
        }

        string url = query.Count == 0 ? path : $"{path}?{string.Join('&', query)}";
        var request = new HttpRequestMessage(new HttpMethod(verb.ToUpperInvariant()), url);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        if (Body(operation) is { } body) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        return request;
    }

    /// <summary>The body's example; null if the operation takes none.</summary>
    public static string? Body(JsonNode operation) =>
        operation["requestBody"]?["content"]?["application/json"]?["example"]?.ToJsonString();
}
