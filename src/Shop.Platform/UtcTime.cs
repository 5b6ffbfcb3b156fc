using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shop.Platform;

/// <summary>
/// A time as clients see it: RFC 3339 in UTC, always with three decimals, so that times sort as text too.
/// </summary>
/// <remarks>A type of its own, because the serializer's fast path supports converters of types, but not of
/// options.</remarks>
/// <param name="Milliseconds">Since 1970 in UTC.</param>
[JsonConverter(typeof(Converter))]
public readonly record struct UtcTime(long Milliseconds)
{
    private const string Format = "yyyy-MM-ddTHH:mm:ss.fffZ";

    /// <summary>A moment, cut to the millisecond.</summary>
    public static UtcTime Of(DateTimeOffset moment) => new(moment.UtcDateTime.ToMilliseconds());

    /// <inheritdoc/>
    public override string ToString() =>
        Timestamp.FromMilliseconds(Milliseconds).ToString(Format, CultureInfo.InvariantCulture);

    /// <summary>Writes it.</summary>
    public sealed class Converter : JsonConverter<UtcTime>
    {
        /// <inheritdoc/>
        public override UtcTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(reader.GetDateTime().ToUniversalTime().ToMilliseconds());

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, UtcTime value, JsonSerializerOptions options)
        {
            Span<byte> text = stackalloc byte[Format.Length];
            Timestamp.FromMilliseconds(value.Milliseconds)
                .TryFormat(text, out int length, Format, CultureInfo.InvariantCulture);
            writer.WriteStringValue(text[..length]);
        }
    }
}
