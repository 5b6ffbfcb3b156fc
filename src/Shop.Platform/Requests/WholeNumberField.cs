using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A whole number within bounds, both included. JSON's 2.0 and 2e0 are whole too.</summary>
public sealed class WholeNumberField(string name, long from, long to) : ExactNumberField<long?>(name, decimals: 0)
{
    /// <summary>A number of digits alone, as forms, cookies and cursors have it; null for any other text.</summary>
    public static long? ParseDigits(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Integer,
        Format = "int64",
        Minimum = from.ToString(CultureInfo.InvariantCulture),
        Maximum = to.ToString(CultureInfo.InvariantCulture),
        Default = Default is { } number ? JsonValue.Create(number) : null,
    };

    /// <inheritdoc/>
    protected override string Rule => $"must be a whole number from {from} to {to}";

    /// <inheritdoc/>
    protected override long? ValueOf(long scaled) =>
        scaled >= from && scaled <= to ? scaled : null;
}
