using System.Globalization;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>An amount of money with at most two decimals, within bounds, in cents inside the shop.</summary>
public sealed class MoneyField(string name, long fromCents, long toCents) : ExactNumberField<long?>(name, decimals: 2)
{
    /// <summary>The format by which generated clients use a decimal.</summary>
    internal const string Format = "decimal";

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Number,
        Format = Format,
        Minimum = Amount(fromCents),
        Maximum = Amount(toCents),
        MultipleOf = 0.01m,
    };

    /// <inheritdoc/>
    protected override string Rule =>
        $"must be an amount from {Amount(fromCents)} to {Amount(toCents)} with at most two decimals";

    private static string Amount(long cents) => Money.FromCents(cents).ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    protected override long? ValueOf(long scaled) =>
        scaled >= fromCents && scaled <= toCents ? scaled : null;
}
