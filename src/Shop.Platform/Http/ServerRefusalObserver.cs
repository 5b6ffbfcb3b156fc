using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Shop.Platform.Http;

/// <summary>
/// Counts and logs the requests that Kestrel refuses by itself, before any middleware: a malformed head, headers too
/// large, a head that takes too long.
/// </summary>
public sealed class ServerRefusalObserver : IObserver<KeyValuePair<string, object?>>
{
    /// <summary>Name of the diagnostic event.</summary>
    public const string EventName = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";

    /// <inheritdoc/>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Key != EventName || value.Value is not IFeatureCollection request) return;
        if (request.Get<IBadRequestExceptionFeature>()?.Error is not BadHttpRequestException refused) return;
        // A request that the shop has answered was counted there.
        if (request.Get<ModuleListener>() is not { } listener
            || request.Get<IHttpResponseFeature>() is { HasStarted: true }) return;
        listener.Metrics.CountServerRefusal(refused.StatusCode);
        listener.Failures.Take(isError: false)?.LogInformation(
            "The server answered {Status} before the request was read: {Error}", refused.StatusCode, refused.Message);
    }

    /// <inheritdoc/>
    public void OnCompleted()
    {
        // The source lives as long as the process.
    }

    /// <inheritdoc/>
    public void OnError(Exception error)
    {
        // Diagnostic sources don't fail.
    }
}
