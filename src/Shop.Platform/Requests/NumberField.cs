using System.Globalization;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A number with at most three decimals, within bounds, both included.</summary>
public sealed class NumberField(string name, decimal from, decimal to) : ExactNumberField<decimal?>(name, decimals: 3)
{
    private const decimal Scale = 1000;

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Number,
        Format = MoneyField.Format,
        Minimum = from.ToString(CultureInfo.InvariantCulture),
        Maximum = to.ToString(CultureInfo.InvariantCulture),
        MultipleOf = 1 / Scale,
    };

    /// <inheritdoc/>
    protected override string Rule =>
        FormattableString.Invariant($"must be a number from {from} to {to} with at most three decimals");

    /// <inheritdoc/>
    protected override decimal? ValueOf(long scaled) =>
        scaled / Scale >= from && scaled / Scale <= to ? scaled / Scale : null;
}
