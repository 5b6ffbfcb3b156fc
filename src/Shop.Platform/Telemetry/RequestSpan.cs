using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;

namespace Shop.Platform.Telemetry;

/// <summary>The span of a request that is counted, by OpenTelemetry's semantic conventions for HTTP servers.</summary>
internal static class RequestSpan
{
    private const string ErrorType = "error.type";

    // Of a trace state, it leaves out what W3C Trace Context does not allow, and what is beyond 256 characters.
    private static readonly DistributedContextPropagator W3C = DistributedContextPropagator.CreateW3CPropagator();

    /// <summary>The most characters of a path in a span, because clients choose it.</summary>
    private const int MaxPath = 256;

    /// <summary>Begins the span, as a child of what the client's <c>traceparent</c> names.</summary>
    /// <returns>Null if nobody listens.</returns>
    public static Activity? Start(ActivitySource source, HttpContext http, RequestMetrics.RouteMetrics route)
    {
        HttpRequest request = http.Request;
        W3C.ExtractTraceIdAndState(request.Headers, Header, out string? traceparent, out string? tracestate);
        _ = ActivityContext.TryParse(traceparent, tracestate, isRemote: true, out ActivityContext parent);
        Activity? span = source.StartActivity(route.SpanName, ActivityKind.Server, parent);
        if (span?.IsAllDataRequested != true) return span;
        string path = (request.PathBase + request.Path).ToUriComponent();
        span.SetTag("http.request.method", route.Method == "other" ? "_OTHER" : route.Method);
        if (route.Template != RequestMetrics.Unmatched) span.SetTag("http.route", route.Template);
        span.SetTag("url.scheme", request.Scheme);
        span.SetTag("url.path", path.Length > MaxPath ? path[..MaxPath] : path);
        span.SetTag("server.port", http.Connection.LocalPort);
        span.SetTag("network.protocol.version", request.Protocol.Replace("HTTP/", "", StringComparison.Ordinal));
        return span;
    }

    private static void Header(object? headers, string name, out string? value, out IEnumerable<string>? values) =>
        (value, values) = (((IHeaderDictionary)headers!)[name], null);

    /// <summary>Notes the answer.</summary>
    public static void Answered(Activity? span, int code)
    {
        if (span?.IsAllDataRequested != true) return;
        span.SetTag("http.response.status_code", code);
        if (code < StatusCodes.Status500InternalServerError) return;
        span.SetStatus(ActivityStatusCode.Error, span.StatusDescription);
        if (span.GetTagItem(ErrorType) is null) span.SetTag(ErrorType, code.ToString());
    }

    /// <summary>Adds the error to the current span.</summary>
    public static void Refused(Problem problem)
    {
        if (Activity.Current is not { IsAllDataRequested: true } span) return;
        string type = problem.Kind ?? problem.Status.ToString();
        span.AddEvent(new ActivityEvent("request.refused", tags: new ActivityTagsCollection
        {
            { ErrorType, type },
            { "http.response.status_code", problem.Status },
            { "error.message", problem.Error },
        }));
        if (problem.Status < StatusCodes.Status500InternalServerError) return;
        bool isError = problem is { Cause: not null, Kind: null };
        span.SetTag(ErrorType, isError ? problem.Cause!.GetType().FullName : type);
        span.SetStatus(ActivityStatusCode.Error, problem.Error);
        if (problem.Cause is not null) span.AddException(problem.Cause);
    }
}
