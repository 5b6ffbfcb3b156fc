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
            JsonNode schema = parameter["schema"]!;
            if ((parameter["example"] ?? schema["examples"]?[0] ?? schema["example"])?.ToString() is not { } value)
                continue;
            string place = (string)parameter["in"]!;
            if (place == "path") path = path.Replace($"{{{name}}}", value, StringComparison.Ordinal);
            else if (place == "query") query.Add($"{name}={Uri.EscapeDataString(value)}");
            else headers.Add((name, value));
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
