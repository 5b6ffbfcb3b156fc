using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Shop.Platform.Http;

/// <summary>
/// How a request says where its body ends. If a proxy and the shop could read that in two ways, somebody could hide a
/// request inside another.
/// </summary>
internal static class Framing
{
    // The server puts a Content-Length aside under this name if it comes with a Transfer-Encoding.
    private const string ContentLengthAside = "X-Content-Length";

    /// <summary>
    /// Whether it can be read in only one way. Requests that the server refuses by itself do not get here.
    /// </summary>
    public static bool IsUnambiguous(HttpRequest request)
    {
        StringValues codings = request.Headers.TransferEncoding;
        return codings.Count == 0 || (codings.Count == 1
            && string.Equals(codings[0], "chunked", StringComparison.OrdinalIgnoreCase)
            && HttpProtocol.IsHttp11(request.Protocol)
            && !request.Headers.ContainsKey(ContentLengthAside));
    }

    /// <summary>Refuses it. Nothing more is read from the connection.</summary>
    public static Task RefuseAsync(HttpContext http)
    {
        http.Response.Headers[HeaderNames.Connection] = "close";
        return new Problem(StatusCodes.Status400BadRequest,
            "Where the body ends can be read in two ways: send either a Content-Length, "
            + "or Transfer-Encoding: chunked, once, in HTTP/1.1.", "ambiguous-framing").ExecuteAsync(http);
    }

    /// <summary>What the body of a request is read from; null if it has none.</summary>
    public static PipeReader? BodyOf(HttpRequest request) =>
        request.ContentLength is null or 0 && request.Headers.TransferEncoding.Count == 0 ? null : request.BodyReader;

    /// <summary>
    /// Ends the connection with this answer if the body has not come to its end and nothing waits for it.
    /// </summary>
    /// <remarks>
    /// If such a body breaks off, the server reads the bytes of it that have come as the next request.
    /// </remarks>
    /// <param name="http">The request that is answered.</param>
    /// <param name="body">Its body, which nothing reads any more.</param>
    public static void EndIfUnfinished(HttpContext http, PipeReader body)
    {
        if (http.Response.Headers.Connection.Count > 0 || IsFinished(body)) return;
        if (!http.Response.HasStarted) http.Response.Headers.Connection = "close";
        else http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
    }

    private static bool IsFinished(PipeReader body)
    {
        try
        {
            if (!body.TryRead(out ReadResult read)) return false;
            body.AdvanceTo(read.Buffer.End);
            return read.IsCompleted;
        }
        catch (BadHttpRequestException)
        {
            return false; // too large, or broken: the request has its answer all the same
        }
    }
}
