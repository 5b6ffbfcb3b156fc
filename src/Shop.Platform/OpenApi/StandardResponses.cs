using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Shop.Platform.Http;
using Shop.Platform.Security;

namespace Shop.Platform.OpenApi;

/// <summary>The errors that a route may return because of its kind, beside those that it documents itself.</summary>
internal static class StandardResponses
{
    private const string ReusedKey = "The Idempotency-Key was used for another request.";

    /// <summary>Adds them to a route whose metadata is complete otherwise.</summary>
    public static void AddTo(EndpointBuilder endpoint)
    {
        var statuses = Responses(endpoint.Metadata).Select(response => response.StatusCode).ToHashSet();
        if (Has<AcceptsIdempotencyKey>(endpoint)) AddReusedKey(endpoint);
        foreach ((int status, string description) in Standard(endpoint))
        {
            if (statuses.Add(status)) endpoint.Metadata.Add(Response(status, description));
        }
    }

    /// <summary>The responses of a route.</summary>
    public static IEnumerable<IProducesResponseTypeMetadata> Responses(IEnumerable<object> metadata) =>
        metadata.OfType<IProducesResponseTypeMetadata>();

    private static void AddReusedKey(EndpointBuilder endpoint)
    {
        IProducesResponseTypeMetadata? conflict = Responses(endpoint.Metadata)
            .FirstOrDefault(response => response.StatusCode == StatusCodes.Status409Conflict);
        if (conflict is not null) endpoint.Metadata.Remove(conflict);
        string description = conflict is null ? ReusedKey : $"{conflict.Description} Or: {ReusedKey}";
        endpoint.Metadata.Add(Response(StatusCodes.Status409Conflict, description));
    }

    private static IEnumerable<(int Status, string Description)> Standard(EndpointBuilder endpoint)
    {
        Access access = endpoint.Metadata.OfType<Access>().Last();
        bool isCounted = !Has<ExcludeFromRequestMetrics>(endpoint);
        yield return (StatusCodes.Status400BadRequest, "The request is invalid; every error in it is named.");
        if (access == Access.Metrics)
            yield return (StatusCodes.Status401Unauthorized, "Shop:MetricsKey is set, and this needs its key.");
        if (access == Access.Read)
        {
            yield return (StatusCodes.Status401Unauthorized,
                "The key is unknown, or there is none and Shop:ReadsNeedKey is set.");
        }

        if (access == Access.Write)
        {
            yield return (StatusCodes.Status401Unauthorized,
                "Keys are set (Shop:ApiKeys), and this needs a key that may write.");
            yield return (StatusCodes.Status403Forbidden,
                "The key may read, but not write; or a page of another origin asks for a change.");
        }

        if (isCounted && ProducesJson(endpoint))
            yield return (StatusCodes.Status406NotAcceptable, "The client does not accept JSON.");
        if (Has<JsonRequestBody>(endpoint))
        {
            yield return (StatusCodes.Status408RequestTimeout, "The body did not arrive in time.");
            yield return (StatusCodes.Status413PayloadTooLarge, "The body is larger than 64 KiB.");
            yield return (StatusCodes.Status415UnsupportedMediaType,
                "The body is not JSON in UTF-8, or it is encoded.");
        }

        if (isCounted)
            yield return (StatusCodes.Status429TooManyRequests, "Too many requests at once; see Retry-After.");
        yield return (StatusCodes.Status500InternalServerError,
            "An error of the shop; its log has it under the trace_id.");
        if (isCounted)
            yield return (StatusCodes.Status503ServiceUnavailable, "The shop can't answer it now; see Retry-After.");
    }

    /// <summary>Whether a successful request is answered with JSON.</summary>
    public static bool ProducesJson(EndpointBuilder endpoint) =>
        Responses(endpoint.Metadata).Any(response => response.Type is not null);

    private static bool Has<T>(EndpointBuilder endpoint) => endpoint.Metadata.OfType<T>().Any();

    private static ProducesResponseTypeMetadata Response(int status, string description) =>
        new(status, contentTypes: [Problem.ContentType]) { Description = description };
}
