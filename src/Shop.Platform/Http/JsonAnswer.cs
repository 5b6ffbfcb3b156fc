using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>
/// JSON that is written whole, with its length, and flushed by the server once the request has been counted: a client that
/// has its answer finds it in the metrics.
/// </summary>
public static class JsonAnswer
{
    /// <summary>What <c>Content-Type</c> says.</summary>
    public const string ContentType = "application/json; charset=utf-8";

    /// <summary>An answer with a body.</summary>
    public static IResult Of<T>(int status, T body, JsonTypeInfo<T> type) =>
        new Bytes(status, JsonSerializer.SerializeToUtf8Bytes(body, type));

    /// <summary>200 with a body.</summary>
    public static IResult Ok<T>(T body, JsonTypeInfo<T> type) => Of(StatusCodes.Status200OK, body, type);

    /// <summary>Hands bytes to the server without a flush. Announce the length first.</summary>
    public static void Write(HttpResponse response, ReadOnlySpan<byte> bytes)
    {
        if (!HttpMethods.IsHead(response.HttpContext.Request.Method)) response.BodyWriter.Write(bytes);
    }

    private sealed class Bytes(int status, byte[] body) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            response.StatusCode = status;
            response.ContentType = ContentType;
            response.ContentLength = body.Length;
            Write(response, body);
            return Task.CompletedTask;
        }
    }
}
