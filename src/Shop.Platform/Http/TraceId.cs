using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>
/// The id that ties an error to its log line: that of the request's trace. Without tracing, it is the trace id of the
/// client's <c>traceparent</c> if it sent one (W3C Trace Context), else a new one, made only for requests that fail.
/// </summary>
internal static class TraceId
{
    private static readonly object Key = new();

    public static string Of(HttpContext http)
    {
        if (http.Items[Key] is string known) return known;
        string id = (Activity.Current is { } span ? span.TraceId : OfClient(http)).ToHexString();
        http.Items[Key] = id;
        return id;
    }

    private static ActivityTraceId OfClient(HttpContext http) =>
        ActivityContext.TryParse(http.Request.Headers.TraceParent, null, out ActivityContext parent)
            ? parent.TraceId
            : ActivityTraceId.CreateRandom();
}
