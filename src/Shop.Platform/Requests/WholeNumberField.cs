using System.Globalization;
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
        if (json.ValueKind != JsonValueKind.Number) return Fault;
        return json.TryGetDecimal(out decimal number) ? Check(number, out value) : Fault;
    }

    /// <inheritdoc/>
    public override string? Read(string text, out long? value)
    {
        value = null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? Check(number, out value) : Fault;
    }

    /// <inheritdoc/>
    protected override OpenApiSchema Schema() => new()
    {
        Type = JsonSchemaType.Integer,
        Format = "int64",
        Minimum = from.ToString(CultureInfo.InvariantCulture),
        Maximum = to.ToString(CultureInfo.InvariantCulture),
        Default = Default is { } number ? JsonValue.Create(number) : null,
    };

    private string Fault => $"must be a whole number from {from} to {to}";

    private string? Check(decimal number, out long? value)
    {
        bool isRight = number >= from && number <= to && decimal.Truncate(number) == number;
        value = isRight ? (long)number : null;
        return isRight ? null : Fault;
    }
}
