using System.Text.Json.Nodes;
using NJsonSchema;
using NJsonSchema.Validation;

namespace Shop.EndToEnd.Tests;

/// <summary>A service's OpenAPI document, as a judge of its answers.</summary>
internal sealed class ApiDocument
{
    private readonly Dictionary<string, JsonSchema> _schemas = new(StringComparer.Ordinal);
    private readonly List<(string Method, string[] Path, JsonObject Responses)> _operations = [];

    private ApiDocument()
    {
    }

    public static async Task<ApiDocument> OfAsync(HttpClient client)
    {
        JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
        JsonObject components = document["components"]!["schemas"]!.AsObject();
        foreach ((string name, JsonNode? schema) in components)
        {
            // What is not in the document must not be in an answer; problems may have members of their own.
            if (name != "Problem" && schema!["properties"] is not null) schema["additionalProperties"] = false;
        }

        var judge = new ApiDocument();
        foreach ((string path, JsonNode? verbs) in document["paths"]!.AsObject())
        {
            foreach ((string verb, JsonNode? operation) in verbs!.AsObject())
            {
                JsonObject responses = operation!["responses"]!.AsObject();
                judge._operations.Add((verb.ToUpperInvariant(), path.Split('/'), responses));
                foreach (JsonNode? schema in responses.SelectMany(response => response.Value!["content"]?.AsObject() ?? []).Select(content => content.Value!["schema"]))
                {
                    if (schema is not null) judge._schemas.TryAdd(schema.ToJsonString(), await SchemaAsync(schema, components));
                }
            }
        }

        return judge;
    }

    /// <summary>What is wrong with an answer; null where the document promises just this.</summary>
    public string? Fault(string method, string path, HttpResponseMessage answer, string body)
    {
        string verb = method == "HEAD" ? "GET" : method;
        string[] segments = path.Split('?')[0].Split('/');
        if (segments.Length > 2 && segments[^1].Length == 0 && segments[^2].Length > 0) segments = segments[..^1]; // a slash at the end changes nothing
        if (segments.Length > 1 && segments[1] == "api") segments = segments.Length == 2 ? ["", ""] : ["", .. segments[2..]];
        int status = (int)answer.StatusCode;
        (string, string[], JsonObject Responses)[] found = [.. _operations.Where(operation => operation.Method == verb && Matches(operation.Path, segments))];
        // A page of elsewhere is refused before its path is looked at.
        if (found.Length == 0) return status is 404 or 405 || body.Contains("urn:shop:problem:foreign-origin", StringComparison.Ordinal) ? null : $"{status} where the document has no operation";
        // A literal path before one with a parameter.
        JsonObject responses = found.MinBy(operation => operation.Item2.Count(segment => segment.StartsWith('{'))).Responses;
        if (responses[$"{status}"] is not { } response) return $"{status} is not in the document";
        if (method == "HEAD") return body.Length == 0 ? null : "an answer to HEAD has a body";
        string? type = answer.Content.Headers.ContentType?.MediaType;
        if (response["content"] is not { } content) return body.Length == 0 ? null : $"{status} has a body, and the document none";
        if (content[type ?? ""] is not { } described) return $"{status} is {type}, which is not in the document";
        if (described["schema"] is not { } schema || type is "text/plain" or "text/html") return null;
        ICollection<ValidationError> errors = _schemas[schema.ToJsonString()].Validate(body);
        return errors.Count == 0 ? null : $"{status}: {string.Join("; ", errors.Select(error => $"{error.Path} {error.Kind}"))}";
    }

    private static bool Matches(string[] template, string[] path) =>
        template.Length == path.Length && template.Zip(path).All(pair => pair.First.StartsWith('{') ? pair.Second.Length > 0 : string.Equals(pair.First, pair.Second, StringComparison.OrdinalIgnoreCase));

    private static Task<JsonSchema> SchemaAsync(JsonNode schema, JsonObject components)
    {
        JsonObject whole = schema.DeepClone().AsObject();
        if (whole["$ref"] is not null) whole = new JsonObject { ["allOf"] = new JsonArray(whole) };
        whole["definitions"] = components.DeepClone();
        return JsonSchema.FromJsonAsync(whole.ToJsonString().Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal));
    }
}
