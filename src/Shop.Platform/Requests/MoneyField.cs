using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>An amount of money with at most two decimals, within bounds, in cents inside the shop.</summary>
public sealed class MoneyField(string name, long fromCents, long toCents) : Field<long?>(name)
{
    /// <summary>By this format generated clients know that the number is a decimal.</summary>
    internal const string Format = "decimal";

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
        Type = JsonSchemaType.Number,
        Format = Format,
        Minimum = Amount(fromCents),
        Maximum = Amount(toCents),
        MultipleOf = 0.01m,
    };

    private string Error =>
        $"must be an amount from {Amount(fromCents)} to {Amount(toCents)} with at most two decimals";

    private static string Amount(long cents) => Money.FromCents(cents).ToString(CultureInfo.InvariantCulture);

    private string? Check(ReadOnlySpan<byte> amount, out long? value)
    {
        bool isRight = ExactNumber.TryRead(amount, decimals: 2, out long cents)
            && cents >= fromCents && cents <= toCents;
        value = isRight ? cents : null;
        return isRight ? null : Error;
    }
}
