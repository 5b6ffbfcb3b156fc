using System.Text.Json.Nodes;
using NJsonSchema;
using NJsonSchema.Validation;

namespace Shop.EndToEnd.Tests;

/// <summary>A service's OpenAPI document, as a judge of its answers.</summary>
internal sealed class ApiDocument
{
    // What HTTP itself needs, what is for browsers alone, and what a server adds to answers of any kind.
    private static readonly string[] OfAnyAnswer =
    [
        "Connection", "Content-Encoding", "Content-Length", "Content-Security-Policy", "Content-Type", "Date",
        "Referrer-Policy", "Transfer-Encoding", "X-Content-Type-Options",
    ];

    private readonly Dictionary<string, JsonSchema> _schemas = new(StringComparer.Ordinal);
    private readonly List<(string Method, string[] Path, JsonObject Responses)> _operations = [];

    private readonly JsonObject _headers;

    private ApiDocument(JsonObject headers) => _headers = headers;

    public static async Task<ApiDocument> OfAsync(HttpClient client)
    {
        JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
        JsonObject components = document["components"]!["schemas"]!.AsObject();
        foreach ((string name, JsonNode? schema) in components)
        {
            // What is not in the document must not be in an answer; problems may have members of their own.
            if (name != "Problem" && schema!["properties"] is not null) schema["additionalProperties"] = false;
        }

        var judge = new ApiDocument(document["components"]!["headers"]!.AsObject());
        foreach ((string path, JsonNode? verbs) in document["paths"]!.AsObject())
        {
            foreach ((string verb, JsonNode? operation) in verbs!.AsObject())
            {
                JsonObject responses = operation!["responses"]!.AsObject();
                judge._operations.Add((verb.ToUpperInvariant(), path.Split('/'), responses));
                foreach (JsonNode? schema in responses.SelectMany(response =>
                    response.Value!["content"]?.AsObject() ?? []).Select(content => content.Value!["schema"]))
                {
                    if (schema is not null)
                        judge._schemas.TryAdd(schema.ToJsonString(), await SchemaAsync(schema, components));
                }
            }
        }

        return judge;
    }

    /// <summary>What is wrong with an answer; null where the document promises just this.</summary>
    public string? Fault(string method, string path, HttpResponseMessage answer, string body)
    {
        if (Fault(new SeenAnswer(answer.RequestMessage!, answer)) is { } fault) return fault;
        if (Responses(method, path) is not { } responses) return null;
        if (responses[$"{(int)answer.StatusCode}"]!["content"] is not { } content)
            return body.Length == 0 ? null : "a body, and the document has none";
        if (method == "HEAD") return body.Length == 0 ? null : "an answer to HEAD has a body";
        string type = answer.Content.Headers.ContentType!.MediaType!;
        if (content[type]!["schema"] is not { } schema || type is "text/plain" or "text/html") return null;
        ICollection<ValidationError> errors = _schemas[schema.ToJsonString()].Validate(body);
        return errors.Count == 0
            ? null
            : $"{(int)answer.StatusCode}: {string.Join("; ", errors.Select(error => $"{error.Path} {error.Kind}"))}";
    }

    /// <summary>Whether the document has the operation; it has no pages, and nothing that there is not.</summary>
    public bool Describes(SeenAnswer answer) => Responses(answer.Method, answer.Path) is not null;

    /// <summary>What is wrong with the head of an answer; null if the document promises just this.</summary>
    public string? Fault(SeenAnswer answer)
    {
        if (Responses(answer.Method, answer.Path) is not { } responses)
            // A page of elsewhere is refused before its path is looked at.
            return answer.Status is 403 or 404 or 405 ? null : $"{answer}, but the document has no such operation";
        if (responses[$"{answer.Status}"] is not { } response) return $"{answer}, but the document has no such status";
        if (response["content"] is { } content && content[answer.MediaType ?? ""] is null)
            return $"{answer}, but the document has no such type";
        string[] said = [.. response["headers"]!.AsObject().Select(header => header.Key)];
        string[] unsaid = [.. answer.Headers.Except(said).Except(OfAnyAnswer)
            .Where(name => !name.StartsWith("Access-Control-", StringComparison.Ordinal))];
        string[] missing = [.. said.Except(answer.Headers).Where(name => (bool?)_headers[name]!["required"] == true)];
        return unsaid.Length + missing.Length == 0 ? null : $"{answer}, "
            + $"but the document lacks {string.Join(", ", unsaid)}; and it promises {string.Join(", ", missing)}";
    }

    // Null if the document has no such operation.
    private JsonObject? Responses(string method, string path)
    {
        string verb = method == "HEAD" ? "GET" : method;
        // a slash that is escaped parts nothing
        string[] segments = [.. path.Split('?')[0].Split('/').Select(Uri.UnescapeDataString)];
        // a slash at the end changes nothing
        if (segments.Length > 2 && segments[^1].Length == 0 && segments[^2].Length > 0) segments = segments[..^1];
        if (segments.Length > 1 && segments[1] == "api")
            segments = segments.Length == 2 ? ["", ""] : ["", .. segments[2..]];
        return _operations.Where(operation => operation.Method == verb && Matches(operation.Path, segments))
            // A literal path before one with a parameter.
            .OrderBy(operation => operation.Path.Count(segment => segment.StartsWith('{')))
            .Select(operation => operation.Responses).FirstOrDefault();
    }

    private static bool Matches(string[] template, string[] path) =>
        template.Length == path.Length && template.Zip(path).All(pair => pair.First.StartsWith('{')
            ? pair.Second.Length > 0
            : string.Equals(pair.First, pair.Second, StringComparison.OrdinalIgnoreCase));

    private static Task<JsonSchema> SchemaAsync(JsonNode schema, JsonObject components)
    {
        JsonObject whole = schema.DeepClone().AsObject();
        if (whole["$ref"] is not null) whole = new JsonObject { ["allOf"] = new JsonArray(whole) };
        whole["definitions"] = components.DeepClone();
        return JsonSchema.FromJsonAsync(
            whole.ToJsonString().Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal));
    }
}
