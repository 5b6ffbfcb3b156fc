using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>
/// An error as RFC 9457 problem details, or as a page for those who prefer one, and its line in the log.
/// </summary>
/// <param name="status">HTTP status code.</param>
/// <param name="error">The one line that a person reads.</param>
/// <param name="kind">What kind of problem, as <c>insufficient-stock</c>; null where the status says it all.</param>
public sealed class Problem(int status, string error, string? kind = null) : IResult
{
    /// <summary>What <c>Content-Type</c> says.</summary>
    internal const string ContentType = "application/problem+json";

    private const int MaxText = 500;

    /// <summary>HTTP status code.</summary>
    public int Status { get; } = status;

    /// <summary>The one line that a person reads.</summary>
    public string Error { get; } = error;

    /// <summary>Every fault of the request: field path to messages.</summary>
    public ValidationErrors? Errors { get; init; }

    /// <summary>Seconds after which another try makes sense.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>Writes further members.</summary>
    public Action<Utf8JsonWriter>? Extensions { get; init; }

    /// <summary>What went wrong inside; for the log alone.</summary>
    public Exception? Cause { get; init; }

    /// <summary>400 that names every fault of the request.</summary>
    public static Problem Invalid(ValidationErrors errors) => new(StatusCodes.Status400BadRequest, errors.Summary, "invalid-request") { Errors = errors };

    /// <summary>404 for something that the client named.</summary>
    public static Problem NotFound(string what, string id) => new(StatusCodes.Status404NotFound, $"There is no {what} '{id}'.");

    /// <summary>409.</summary>
    public static Problem Conflict(string error, string kind) => new(StatusCodes.Status409Conflict, error, kind);

    /// <summary>429: the same request may succeed a second later.</summary>
    public static Problem TooMany(string error, string kind) => new(StatusCodes.Status429TooManyRequests, error, kind) { RetryAfterSeconds = 1 };

    /// <summary>503: the same request may succeed a second later.</summary>
    public static Problem Unavailable(string error, string kind, Exception? cause = null) =>
        new(StatusCodes.Status503ServiceUnavailable, error, kind) { RetryAfterSeconds = 1, Cause = cause };

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        Write(httpContext);
        return Task.CompletedTask;
    }

    internal void Write(HttpContext httpContext)
    {
        string traceId = TraceId.Of(httpContext);
        Log(httpContext, traceId);
        HttpResponse response = httpContext.Response;
        if (RetryAfterSeconds is { } seconds) response.Headers.RetryAfter = seconds.ToString();
        // Whatever the route says of its answers: an error is not to be kept, by a browser neither.
        response.Headers.CacheControl = "no-store";
        Accepts.Vary(response.Headers);
        if (Accepts.PrefersHtml(httpContext.Request.Headers))
        {
            Page.WriteError(httpContext, new ErrorModel(Status, Error, Errors?.All ?? [], RetryAfterSeconds, traceId));
            return;
        }

        ReadOnlySpan<byte> body = ToJson(traceId);
        response.StatusCode = Status;
        response.ContentType = ContentType;
        response.ContentLength = body.Length;
        JsonAnswer.Write(response, body);
    }

    /// <summary>The body, in memory that is this thread's until its next answer.</summary>
    internal ReadOnlySpan<byte> ToJson(string traceId)
    {
        JsonBuffer buffer = JsonBuffer.Begin();
        Utf8JsonWriter json = buffer.Writer;
        json.WriteStartObject();
        json.WriteString("type", kind is null ? "about:blank" : $"urn:shop:problem:{kind}");
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

    private void Log(HttpContext http, string traceId)
    {
        // A stack trace is for a fault of the shop alone: a full disk under load would write thousands.
        bool isFault = Status == StatusCodes.Status500InternalServerError;
        FailureLog failures = http.Features.GetRequiredFeature<ModuleListener>().Failures;
        if (failures.Take(isFault) is not { } log) return;
        bool hasTrace = isFault && failures.TakeTrace();
        LogLevel level = isFault ? LogLevel.Error : Status > 500 ? LogLevel.Warning : LogLevel.Information;
        string text = Cause is null || hasTrace ? Error : $"{Error} {Cause.Message}";
        log.Log(level, hasTrace ? Cause : null, "{Method} {Path} answered {Status}: {Error} (trace_id {TraceId})",
            Printable(http.Request.Method), Printable(http.Request.Path.ToUriComponent()), Status,
            Printable(text), traceId);
    }

    // A client's text must not be able to make a log line of its own, nor one without end.
    private static string Printable(string text)
    {
        if (text.Length > MaxText) text = $"{text.AsSpan(0, MaxText)}…";
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f')) return text;
        var printable = new StringBuilder(text.Length);
        foreach (char character in text) printable.Append(char.IsControl(character) ? '\uFFFD' : character);
        return printable.ToString();
    }
}
