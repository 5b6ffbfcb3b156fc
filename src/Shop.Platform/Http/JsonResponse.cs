using System.Buffers;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>
/// JSON that is written whole, with its length, and flushed by the server once the request has been counted: a client
/// that has its answer finds it in the metrics.
/// </summary>
public static class JsonResponse
{
    /// <summary>The content type.</summary>
    public const string ContentType = "application/json; charset=utf-8";

    /// <summary>Size from which a response needs a check for memory.</summary>
    private const int Large = 64 * 1024;

    /// <summary>An answer with a body.</summary>
    public static IResult Of<T>(int status, T body, JsonTypeInfo<T> type) =>
        new Answer<T>(status, body, type);

    /// <summary>200 with a body.</summary>
    public static IResult Ok<T>(T body, JsonTypeInfo<T> type) => Of(StatusCodes.Status200OK, body, type);

    /// <summary>A body as it is sent.</summary>
    public static byte[] Bytes<T>(T body, JsonTypeInfo<T> type) => JsonBuffer.Of(body, type).ToArray();

    /// <summary>
    /// Hands bytes to the server without a flush. Announce the length first. To a HEAD the server sends the head alone.
    /// </summary>
    public static void Write(HttpResponse response, ReadOnlySpan<byte> bytes)
    {
        response.BodyWriter.Write(bytes);
    }

    /// <summary>The answer if there is no memory for a response of this size; null if there is.</summary>
    public static Problem? Refusal(HttpContext http, int bytes)
    {
        if (bytes <= Large) return null;
        ClientConnection? connection = http.Features.Get<ClientConnection>();
        return connection is null || connection.HasRoomForResponse(bytes) ? null : LimitRefusals.NoMemory;
    }

    private sealed class Answer<T>(int status, T body, JsonTypeInfo<T> type) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            ReadOnlySpan<byte> bytes = JsonBuffer.Of(body, type);
            if (Refusal(httpContext, bytes.Length) is { } refusal) return refusal.ExecuteAsync(httpContext);
            HttpResponse response = httpContext.Response;
            response.StatusCode = status;
            response.ContentType = ContentType;
            response.ContentLength = bytes.Length;
            Write(response, bytes);
            return Task.CompletedTask;
        }
    }
}
