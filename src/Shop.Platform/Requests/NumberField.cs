using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A number with at most three decimals, within bounds, both included.</summary>
public sealed class NumberField(string name, decimal from, decimal to) : Field<decimal?>(name)
{
    private const int Decimals = 3;

    private const decimal Scale = 1000;

    internal override string? Read(JsonElement json, out decimal? value)
    {
        value = null;
        if (json.ValueKind != JsonValueKind.Number) return Error;
        return Check(JsonMarshal.GetRawUtf8Value(json), out value);
    }

    /// <inheritdoc/>
    public override string? Read(string text, out decimal? value) => Check(Encoding.UTF8.GetBytes(text), out value);

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Number,
        Format = MoneyField.Format,
        Minimum = from.ToString(CultureInfo.InvariantCulture),
        Maximum = to.ToString(CultureInfo.InvariantCulture),
        MultipleOf = 1 / Scale,
    };

    private string Error =>
        FormattableString.Invariant($"must be a number from {from} to {to} with at most three decimals");

    private string? Check(ReadOnlySpan<byte> number, out decimal? value)
    {
        bool isRight = ExactNumber.TryRead(number, Decimals, out long scaled)
            && scaled / Scale >= from && scaled / Scale <= to;
        value = isRight ? scaled / Scale : null;
        return isRight ? null : Error;
    }
}
