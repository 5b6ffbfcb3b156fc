using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Shop.Platform.Http;
using Shop.Platform.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>
/// The JSON body of a request. Read its fields through <see cref="Root"/>, then look at <see cref="Error"/>: it is the
/// answer if the body, or any field that was read, is wrong.
/// </summary>
public sealed class RequestBody : IDisposable
{
    /// <summary>Largest body in bytes.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int Small = 4096;

    /// <summary>Deepest nesting of objects and lists.</summary>
    internal const int MaxDepth = 32;

    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = MaxDepth
    };

    private readonly JsonDocument? _document;
    private readonly Problem? _unreadable;
    private (PipeReader Pipe, SequencePosition End)? _lent;

    private RequestBody(JsonDocument? document, IReadOnlyList<Field> fields, Problem? unreadable = null)
    {
        _document = document;
        _unreadable = unreadable;
        Root = new BodyObject(document?.RootElement ?? default, fields, Errors);
    }

    /// <summary>What is wrong with the fields that were read; handlers may add to it.</summary>
    public ValidationErrors Errors { get; } = new();

    /// <summary>The body's object; empty if it can't be read.</summary>
    public BodyObject Root { get; }

    /// <summary>The answer to a request that is wrong; null if nothing is wrong so far.</summary>
    public Problem? Error => _unreadable ?? (Errors.Any ? Problem.Invalid(Errors) : null);

    /// <summary>Whether a request has no body, nor headers of one.</summary>
    internal static bool IsAbsent(HttpContext http) => http.Request.ContentType is null
        && http.Request.ContentLength is null or 0 && http.Request.Headers.TransferEncoding.Count == 0;

    /// <summary>Waits until the whole body has arrived, and leaves it for <see cref="Read"/>.</summary>
    /// <returns>The answer if the body is not JSON or does not arrive; null if it has arrived.</returns>
    internal static async ValueTask<IResult?> ArriveAsync(HttpContext http)
    {
        if (!IsJson(http.Request.ContentType))
            return new Problem(StatusCodes.Status415UnsupportedMediaType,
                "The body must be JSON: send it with Content-Type: application/json.");

        (ReadOnlySequence<byte> bytes, Problem? refusal) = await ReadBytesAsync(http);
        if (refusal is not null) return refusal;
        long length = bytes.Length;
        http.Request.BodyReader.AdvanceTo(bytes.Start, bytes.End);
        if (!IsWithoutRoom(http, length)) return null;
        Discard(http);
        return NoRoom(http);
    }

    /// <summary>Reads the body of a request, which has arrived before the handler is called.</summary>
    public static RequestBody Read(HttpContext http)
    {
        JsonRequestBody declared = http.GetEndpoint()?.Metadata.GetMetadata<JsonRequestBody>()
            ?? throw new InvalidOperationException("The route is mapped without a body; call WithBody on it.");
        PipeReader pipe = http.Request.BodyReader;
        if (!pipe.TryRead(out ReadResult read) || !read.IsCompleted)
            throw new InvalidOperationException("The body has not arrived.");
        RequestBody body = Parse(read.Buffer, declared.Fields);
        body._lent = (pipe, read.Buffer.End);
        return body;
    }

    /// <summary>
    /// Returns a body that nobody will read to the server. If the client has gone, the server does not do so itself,
    /// and would find its pipe in the middle of a read.
    /// </summary>
    internal static void Discard(HttpContext http)
    {
        PipeReader pipe = http.Request.BodyReader;
        if (pipe.TryRead(out ReadResult read)) pipe.AdvanceTo(read.Buffer.End);
    }

    /// <summary>
    /// All bytes of the body, in memory that is the pipe's until it advances; or the answer if they did not arrive.
    /// </summary>
    internal static async ValueTask<(ReadOnlySequence<byte> Bytes, Problem? Refusal)> ReadBytesAsync(HttpContext http)
    {
        if (RefusalByHeaders(http) is { } refused) return (default, refused);
        if (http.Request.ContentLength > MaxBytes) return (default, TooLarge);
        PipeReader pipe = http.Request.BodyReader;
        try
        {
            ValueTask<ReadResult> reading = pipe.ReadAsync();
            ReadResult read = reading.IsCompletedSuccessfully ? reading.Result
                : await WithinAsync(TimeoutOf(http), pipe, reading);
            if (!read.IsCompleted && read.Buffer.Length <= MaxBytes) read = await ReadToEndAsync(http, pipe, read);
            if (IsWithoutRoom(http, read.Buffer.Length))
            {
                pipe.AdvanceTo(read.Buffer.End);
                return (default, NoRoom(http));
            }

            if (!read.IsCanceled && read.Buffer.Length <= MaxBytes) return (read.Buffer, null);
            pipe.AdvanceTo(read.Buffer.End);
            return (default, read.IsCanceled ? TooSlow(http) : TooLarge);
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return (default, TooLarge);
        }
    }

    // A header that changes the meaning of the bytes is refused, because ignoring it would misread the body.
    private static Problem? RefusalByHeaders(HttpContext http)
    {
        IHeaderDictionary headers = http.Request.Headers;
        if (headers.ContentEncoding.Count > 0
            && !string.Equals(headers.ContentEncoding, "identity", StringComparison.OrdinalIgnoreCase))
        {
            http.Response.Headers.AcceptEncoding = "identity";
            return new Problem(StatusCodes.Status415UnsupportedMediaType,
                "The body must be sent as it is, without Content-Encoding.", "content-encoding");
        }

        if (headers.ContentRange.Count == 0) return null;
        var errors = new ValidationErrors();
        errors.Add("Content-Range", "is not supported: send the whole body");
        return Problem.Invalid(errors);
    }

    private static Problem TooLarge =>
        new(StatusCodes.Status413PayloadTooLarge, $"The body is larger than {MaxBytes / 1024} KiB.");

    private static TimeSpan TimeoutOf(HttpContext http) =>
        http.Features.GetRequiredFeature<ModuleListener>().Module.Settings.RequestTimeout;

    private static async ValueTask<ReadResult> ReadToEndAsync(HttpContext http, PipeReader pipe, ReadResult read)
    {
        TimeSpan timeout = TimeoutOf(http);
        ClientConnection? chunked = http.Request.ContentLength is null ? http.Features.Get<ClientConnection>() : null;
        // The server copies chunks into a pipe of its own, so the connection does not see what is held of them.
        if (chunked is not null)
        {
            http.Response.OnCompleted(static connection =>
            {
                ((ClientConnection)connection).CountBody(0);
                return Task.CompletedTask;
            }, chunked);
        }

        long start = Stopwatch.GetTimestamp();
        while (!read.IsCompleted && !read.IsCanceled && read.Buffer.Length <= MaxBytes
            && !IsWithoutRoom(http, read.Buffer.Length))
        {
            chunked?.CountBody(read.Buffer.Length);
            pipe.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            TimeSpan left = timeout - Stopwatch.GetElapsedTime(start);
            read = await WithinAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, pipe, pipe.ReadAsync());
        }

        return read;
    }

    // Small bodies are always accepted: they are in the estimated memory of a connection.
    private static bool IsWithoutRoom(HttpContext http, long bytes) => bytes > Small
        && http.Features.Get<ClientConnection>() is { IsOverBudget: true };

    // A timer only for a body that has not arrived yet: most have.
    private static async ValueTask<ReadResult> WithinAsync(TimeSpan timeout, PipeReader pipe,
        ValueTask<ReadResult> reading)
    {
        if (reading.IsCompleted) return await reading;
        await using var timer = new Timer(static pipe => ((PipeReader)pipe!).CancelPendingRead(), pipe, timeout,
            Timeout.InfiniteTimeSpan);
        return await reading;
    }

    private static Problem TooSlow(HttpContext http)
    {
        http.Response.Headers.Connection = "close"; // nobody waits for the rest
        return new Problem(StatusCodes.Status408RequestTimeout,
            $"The body did not arrive within {TimeoutOf(http).TotalSeconds} s.");
    }

    private static Problem NoRoom(HttpContext http)
    {
        http.Response.Headers.Connection = "close"; // nobody reads the rest
        return LimitRefusals.NoMemory;
    }

    /// <summary>Returns the body's memory to the server. Values that were read from it stay valid.</summary>
    public void Dispose()
    {
        _document?.Dispose();
        if (_lent is var (pipe, end)) pipe.AdvanceTo(end);
        _lent = null;
    }

    private static RequestBody Parse(ReadOnlySequence<byte> bytes, IReadOnlyList<Field> fields)
    {
        JsonDocument? document = null;
        if (StartsWithByteOrderMark(bytes)) bytes = bytes.Slice(ByteOrderMark.Length);
        try
        {
            // The document reads from the pipe's own memory, so the pipe must not advance before the document is
            // disposed.
            document = JsonDocument.Parse(bytes, Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return new RequestBody(document, fields);
            document.Dispose();
            return Malformed("The body must be a JSON object.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a member's name that is no valid Unicode.
            return Malformed($"The body is not valid JSON: {JsonError.Of(bytes, exception)}.");
        }
    }

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    private static bool StartsWithByteOrderMark(ReadOnlySequence<byte> bytes)
    {
        var reader = new SequenceReader<byte>(bytes);
        return reader.IsNext(ByteOrderMark);
    }

    private static bool IsJson(string? contentType)
    {
        if (contentType is "application/json" or "application/json; charset=utf-8") return true;
        return MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
            && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            && IsUtf8(type.Charset);
    }

    /// <summary>Whether a charset is UTF-8, in any spelling, or missing.</summary>
    internal static bool IsUtf8(StringSegment charset)
    {
        ReadOnlySpan<char> name = charset.AsSpan().Trim("\"' ");
        return !charset.HasValue || name.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            || name.Equals("utf8", StringComparison.OrdinalIgnoreCase);
    }

    private static RequestBody Malformed(string error)
    {
        var errors = new ValidationErrors();
        errors.Add("body", error["The body ".Length..].TrimEnd('.'));
        return new RequestBody(null, [],
            new Problem(StatusCodes.Status400BadRequest, error, "malformed-json") { Errors = errors });
    }
}
