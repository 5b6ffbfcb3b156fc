using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A whole number within bounds, both included. JSON's 2.0 and 2e0 are whole too.</summary>
public sealed class WholeNumberField(string name, long from, long to) : Field<long?>(name)
{
    internal override string? Read(JsonElement json, out long? value)
    {
        value = null;
        if (json.ValueKind != JsonValueKind.Number) return Error;
        return Check(JsonMarshal.GetRawUtf8Value(json), out value);
    }

    /// <inheritdoc/>
    public override string? Read(string text, out long? value) => Check(Encoding.UTF8.GetBytes(text), out value);

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Integer,
        Format = "int64",
        Minimum = from.ToString(CultureInfo.InvariantCulture),
        Maximum = to.ToString(CultureInfo.InvariantCulture),
        Default = Default is { } number ? JsonValue.Create(number) : null,
    };

    private string Error => $"must be a whole number from {from} to {to}";

    private string? Check(ReadOnlySpan<byte> text, out long? value)
    {
        bool isRight = ExactNumber.TryRead(text, decimals: 0, out long number) && number >= from && number <= to;
        value = isRight ? number : null;
        return isRight ? null : Error;
    }
}
