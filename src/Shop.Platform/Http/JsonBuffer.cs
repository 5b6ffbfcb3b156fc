using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Shop.Platform.Http;

/// <summary>A thread's buffer and writer for JSON, reused for its next answer.</summary>
internal sealed class JsonBuffer
{
    /// <summary>A buffer that one answer made larger is not kept.</summary>
    private const int MaxKept = 64 * 1024;

    [ThreadStatic]
    private static JsonBuffer? _ofThread;

    private readonly ArrayBufferWriter<byte> _bytes = new(1024);

    // Characters as they are, rather than as escapes: the content type keeps browsers from reading them as HTML. The
    // serializer, as the shop's own code, opens and closes in pairs.
    private JsonBuffer() => Writer = new Utf8JsonWriter(_bytes,
        new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    /// <summary>Writes what <see cref="End"/> gives out.</summary>
    public Utf8JsonWriter Writer { get; }

    /// <summary>This thread's buffer, empty. It is the caller's until the thread begins another.</summary>
    public static JsonBuffer Begin()
    {
        JsonBuffer buffer = _ofThread is { _bytes.Capacity: <= MaxKept } kept ? kept : _ofThread = new JsonBuffer();
        buffer._bytes.ResetWrittenCount();
        buffer.Writer.Reset();
        return buffer;
    }

    /// <summary>A body as JSON, in memory that is this thread's until its next answer.</summary>
    public static ReadOnlySpan<byte> Of<T>(T body, JsonTypeInfo<T> type)
    {
        JsonBuffer buffer = Begin();
        JsonSerializer.Serialize(buffer.Writer, body, type);
        return buffer.End();
    }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> End()
    {
        Writer.Flush();
        return _bytes.WrittenSpan;
    }
}
