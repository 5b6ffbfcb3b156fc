using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Platform.OpenApi;

/// <summary>Which headers an answer has beside those of any HTTP message and those that are for browsers alone.</summary>
internal static class AnswerHeaders
{
    private static readonly Dictionary<string, OpenApiHeader> Known = new(StringComparer.Ordinal)
    {
        ["Cache-Control"] = Always("How the answer may be kept.", "no-store"),
        ["Vary"] = Always("The headers of the request that the answer depends on.", "Accept"),
        ["ETag"] = Always("The entity tag of what was read or written, for If-Match and If-None-Match.", "\"6b1f5c2a9d3e4f5061728394\""),
        ["Location"] = Always("The path of what was made.", "/orders/checkout-17"),
        ["Retry-After"] = Always("Seconds after which another try makes sense.", 1),
        [Paging.TotalHeader] = Always("Rows of the list in all.", 200),
        [Paging.TotalRelationHeader] = Sometimes("gte if there are more rows than X-Total-Count says; missing if it is exact.", Constant("gte")),
        ["Link"] = Sometimes("The next page, as <path>; rel=\"next\"; missing on the last.", Text("</orders?after=OTk>; rel=\"next\"")),
        [IdempotencyKey.ReplayedHeader] = Sometimes(
            "true if this is the answer to an earlier, equal request; missing otherwise.", Constant("true")),
        ["WWW-Authenticate"] = Sometimes("Which key is needed, or what is wrong with the key that was sent.", Text("Bearer realm=\"order-service\"")),
        ["Accept-Encoding"] = Sometimes("The encodings of a body that are taken, if the encoding was the fault.", Text("identity")),
    };

    /// <summary>The headers of a route's answer with this status.</summary>
    public static Dictionary<string, IOpenApiHeader> Of(RouteDescription route, int status, OpenApiDocument document) =>
        Names(route, status).ToDictionary(name => name, IOpenApiHeader (name) =>
        {
            document.Components ??= new OpenApiComponents();
            document.Components.Headers ??= new Dictionary<string, IOpenApiHeader>(StringComparer.Ordinal);
            document.Components.Headers.TryAdd(name, Known[name]);
            return new OpenApiHeaderReference(name, document);
        }, StringComparer.Ordinal);

    private static IEnumerable<string> Names(RouteDescription route, int status)
    {
        yield return "Cache-Control";
        yield return "Vary";
        if (route.HasTag && status is StatusCodes.Status200OK or StatusCodes.Status201Created or StatusCodes.Status304NotModified) yield return "ETag";
        if (status == StatusCodes.Status201Created) yield return "Location";
        if (status < 300 && route.IsList)
        {
            yield return Paging.TotalHeader;
            yield return Paging.TotalRelationHeader;
            yield return "Link";
        }

        if (status < 300 && route.TakesKey) yield return IdempotencyKey.ReplayedHeader;
        if (status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden) yield return "WWW-Authenticate";
        if (status == StatusCodes.Status415UnsupportedMediaType) yield return "Accept-Encoding";
        bool isBusy = status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable;
        if (isBusy && route.IsCounted) yield return "Retry-After";
    }

    private static OpenApiHeader Always(string description, string example) => new() { Description = description, Required = true, Schema = Text(example) };

    private static OpenApiHeader Always(string description, int example) => new()
    {
        Description = description,
        Required = true,
        Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64", Minimum = "0", Examples = [JsonValue.Create(example)] },
    };

    private static OpenApiHeader Sometimes(string description, OpenApiSchema schema) => new() { Description = description, Schema = schema };

    private static OpenApiSchema Text(string example) => new() { Type = JsonSchemaType.String, Examples = [JsonValue.Create(example)] };

    private static OpenApiSchema Constant(string value) => new() { Type = JsonSchemaType.String, Enum = [JsonValue.Create(value)] };
}
