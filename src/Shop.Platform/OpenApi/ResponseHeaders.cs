using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.OpenApi;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.OpenApi;

/// <summary>The documented headers of a route's responses.</summary>
internal static class ResponseHeaders
{
    /// <summary>The headers of a response with this status.</summary>
    /// <param name="metadata">Metadata of the route.</param>
    /// <param name="path">Path of the route, for examples.</param>
    /// <param name="status">The status.</param>
    /// <param name="document">Gets the description of each header.</param>
    public static Dictionary<string, IOpenApiHeader> Of(IList<object> metadata, string path, int status,
        OpenApiDocument document) =>
        Names(metadata, status).ToDictionary(name => name, IOpenApiHeader (name) =>
        {
            document.Components ??= new OpenApiComponents();
            document.Components.Headers ??= new Dictionary<string, IOpenApiHeader>(StringComparer.Ordinal);
            document.Components.Headers.TryAdd(name, Header(name, path));
            return new OpenApiHeaderReference(name, document);
        }, StringComparer.Ordinal);

    private static IEnumerable<string> Names(IList<object> metadata, int status)
    {
        yield return "Cache-Control";
        yield return "Vary";
        bool isCurrent =
            status is StatusCodes.Status200OK or StatusCodes.Status201Created or StatusCodes.Status304NotModified;
        if (isCurrent && metadata.OfType<EntityTagResponse>().Any()) yield return "ETag";
        if (status == StatusCodes.Status201Created) yield return "Location";
        bool isPaged = metadata.OfType<QueryParameters>().Any(query => query.Fields.Contains(Paging.Limit));
        if (status < 300 && isPaged)
        {
            yield return Paging.TotalHeader;
            yield return Paging.TotalRelationHeader;
            yield return "Link";
        }

        if (status < 300 && metadata.OfType<AcceptsIdempotencyKey>().Any()) yield return IdempotencyKey.ReplayedHeader;
        if (status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
            yield return "WWW-Authenticate";
        if (status == StatusCodes.Status415UnsupportedMediaType) yield return "Accept-Encoding";
        bool isBusy = status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable;
        if (isBusy && !metadata.OfType<ExcludeFromRequestMetrics>().Any()) yield return "Retry-After";
    }

    private static OpenApiHeader Header(string name, string path) => name switch
    {
        "Cache-Control" => Always("How the answer may be kept.", "no-store"),
        "Vary" => Always("The headers of the request that the answer depends on.", "Accept"),
        "ETag" => Always("The entity tag of what was read or written, for If-Match and If-None-Match.",
            "\"6b1f5c2a9d3e4f5061728394\""),
        "Location" => Always("The path of what was created.", $"{path}/example-1"),
        "Retry-After" => Always("Seconds after which another try makes sense.", 1),
        Paging.TotalHeader => Always("Rows of the list in all.", 200),
        Paging.TotalRelationHeader => Sometimes(
            "gte if there are more rows than X-Total-Count says; missing if it is exact.", Constant("gte")),
        "Link" => Sometimes("The next page, as <path>; rel=\"next\"; missing on the last.",
            Text($"<{path}?after=OTk>; rel=\"next\"")),
        IdempotencyKey.ReplayedHeader => Sometimes(
            "true if this is the answer to an earlier, equal request; missing otherwise.", Constant("true")),
        "WWW-Authenticate" => Sometimes("Which key is needed, or what is wrong with the key that was sent.",
            Text("Bearer realm=\"shop\"")),
        "Accept-Encoding" => Sometimes("The encodings that a body may have, if it was refused for its encoding.",
            Text("identity")),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "The header has no description."),
    };

    private static OpenApiHeader Always(string description, string example) =>
        new() { Description = description, Required = true, Schema = Text(example) };

    private static OpenApiHeader Always(string description, int example) => new()
    {
        Description = description,
        Required = true,
        Schema = new OpenApiSchema
        {
            Type = JsonSchemaType.Integer,
            Format = "int64",
            Minimum = "0",
            Examples = [JsonValue.Create(example)]
        },
    };

    private static OpenApiHeader Sometimes(string description, OpenApiSchema schema) =>
        new() { Description = description, Schema = schema };

    private static OpenApiSchema Text(string example) =>
        new() { Type = JsonSchemaType.String, Examples = [JsonValue.Create(example)] };

    private static OpenApiSchema Constant(string value) =>
        new() { Type = JsonSchemaType.String, Enum = [JsonValue.Create(value)] };
}
