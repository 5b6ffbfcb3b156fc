using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>An error, answered as RFC 9457 problem details, or as a page to clients that prefer one.</summary>
/// <param name="status">HTTP status code.</param>
/// <param name="error">The one line that a person reads.</param>
/// <param name="kind">The kind of problem, as <c>precondition-failed</c>; null if the status says it all.</param>
public sealed class Problem(int status, string error, string? kind = null) : IResult
{
    /// <summary>The content type.</summary>
    internal const string ContentType = "application/problem+json";

    /// <summary>HTTP status code.</summary>
    public int Status { get; } = status;

    /// <summary>The kind of problem; null if the status says it all.</summary>
    internal string? Kind { get; } = kind;

    /// <summary>The one line that a person reads.</summary>
    public string Error { get; } = error;

    /// <summary>Every error in the request: field path to messages.</summary>
    public ValidationErrors? Errors { get; init; }

    /// <summary>Seconds after which another try makes sense.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>Writes further members.</summary>
    public Action<Utf8JsonWriter>? Extensions { get; init; }

    /// <summary>The limit that refused the request; null if none did.</summary>
    public RequestLimit? Limit { get; init; }

    /// <summary>What went wrong inside; for the log alone.</summary>
    public Exception? Cause { get; init; }

    /// <summary>400 that names every error in the request.</summary>
    public static Problem Invalid(ValidationErrors errors) =>
        new(StatusCodes.Status400BadRequest, errors.Summary, "invalid-request") { Errors = errors };

    /// <summary>404 for something that the client named, and the path that lists what there is.</summary>
    public static Problem NotFound(string what, string id, string? list = null) => new(StatusCodes.Status404NotFound,
        $"There is no {what} '{id}'{(list is null ? "." : $"; GET {list} lists what there is.")}");

    /// <summary>409.</summary>
    public static Problem Conflict(string error, string kind) => new(StatusCodes.Status409Conflict, error, kind);

    /// <summary>503: the same request may succeed a second later.</summary>
    public static Problem Unavailable(string error, string kind, Exception? cause = null) =>
        new(StatusCodes.Status503ServiceUnavailable, error, kind) { RetryAfterSeconds = 1, Cause = cause };

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        ProblemWriter.Write(httpContext, this);
        return Task.CompletedTask;
    }

    /// <summary>The body, in memory that is this thread's until its next answer.</summary>
    internal ReadOnlySpan<byte> ToJson(string traceId)
    {
        JsonBuffer buffer = JsonBuffer.Begin();
        Utf8JsonWriter json = buffer.Writer;
        json.WriteStartObject();
        json.WriteString("type", Kind is null ? "about:blank" : $"urn:shop:problem:{Kind}");
        json.WriteString("title", ReasonPhrases.GetReasonPhrase(Status));
        json.WriteNumber("status", Status);
        json.WriteString("detail", Error);
        json.WriteString("error", Error);
        json.WriteString("trace_id", traceId);
        Errors?.WriteTo(json);
        Extensions?.Invoke(json);
        json.WriteEndObject();
        return buffer.End();
    }
}
