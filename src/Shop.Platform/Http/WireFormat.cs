using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shop.Platform.Http;

/// <summary>How the shop writes JSON: snake_case, and characters as they are rather than as escapes.</summary>
public static class WireFormat
{
    /// <summary>New options for a module's serializer context, which makes them its own.</summary>
    public static JsonSerializerOptions Options() => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = Encoder,
        Converters = { new UtcTimeConverter() },
    };

    /// <summary>Escapes what JSON must escape. The content type, not the escaping, keeps browsers from reading it as HTML.</summary>
    internal static JavaScriptEncoder Encoder => JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>RFC 3339 in UTC, always with three decimals, so that times sort as text too.</summary>
    private sealed class UtcTimeConverter : JsonConverter<DateTime>
    {
        private const string Format = "yyyy-MM-ddTHH:mm:ss.fffZ";

        public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDateTime().ToUniversalTime();

        public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options)
        {
            Span<byte> text = stackalloc byte[Format.Length];
            value.TryFormat(text, out int length, Format, CultureInfo.InvariantCulture);
            writer.WriteStringValue(text[..length]);
        }
    }
}
