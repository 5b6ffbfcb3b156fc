using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>Explains an error in JSON, with its position, for the person who wrote the JSON.</summary>
internal static class JsonError
{
    /// <summary>Parts of the serializer's messages that only help programmers.</summary>
    private static readonly string[] ForProgrammers =
    [
        " LineNumber:", " Path:", " Change the reader options.", " which is not supported in this mode",
        " encountered during deserialization",
    ];

    /// <summary>The error in these bytes, which a parser has refused.</summary>
    public static string Of(ReadOnlySequence<byte> json, Exception refusal)
    {
        byte[] bytes = json.ToArray();
        if (bytes.AsSpan().TrimStart(" \t\r\n"u8).IsEmpty) return "it is empty";
        if (Unfinished(bytes) is { } unfinished) return unfinished;
        string what = refusal.Message;
        foreach (string words in ForProgrammers)
        {
            int at = what.IndexOf(words, StringComparison.Ordinal);
            if (at > 0) what = what[..at];
        }

        what = what.TrimEnd('.', ',', ' ');
        return refusal is JsonException { LineNumber: { } line, BytePositionInLine: { } inLine }
            ? $"{what}, at {Place(bytes, StartOf(bytes, line) + inLine)}"
            : what;
    }

    // Null if there is an error before the end.
    private static string? Unfinished(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, isFinalBlock: false,
            new JsonReaderState(new JsonReaderOptions { MaxDepth = RequestBody.MaxDepth }));
        var open = new Stack<long>();
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                    open.Push(reader.TokenStartIndex);
                else if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray) open.Pop();
            }
        }
        catch (JsonException)
        {
            return null;
        }

        ReadOnlySpan<byte> rest = bytes[(int)reader.BytesConsumed..].TrimStart(" \t\r\n,:"u8);
        if (!rest.IsEmpty && rest[0] == (byte)'"')
            return $"the text that begins at {Place(bytes, bytes.Length - rest.Length)} has no closing '\"'";
        if (open.Count == 0) return null;
        (string what, char end) = bytes[(int)open.Peek()] == (byte)'{' ? ("object", '}') : ("list", ']');
        return $"it ends too early, at {Place(bytes, bytes.Length)}: "
            + $"the {what} that begins at {Place(bytes, open.Peek())} has no closing '{end}'";
    }

    private static long StartOf(ReadOnlySpan<byte> bytes, long line)
    {
        int start = 0;
        for (long passed = 0; passed < line; passed++) start += bytes[start..].IndexOf((byte)'\n') + 1;
        return start;
    }

    // Counted as an editor does: from 1, and in characters.
    private static string Place(ReadOnlySpan<byte> bytes, long index)
    {
        ReadOnlySpan<byte> before = bytes[..(int)Math.Min(index, bytes.Length)];
        int start = before.LastIndexOf((byte)'\n') + 1;
        return $"line {before.Count((byte)'\n') + 1}, column {Encoding.UTF8.GetCharCount(before[start..]) + 1}";
    }
}
