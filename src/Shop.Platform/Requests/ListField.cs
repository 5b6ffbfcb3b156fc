using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A list of so many objects, each with the same fields.</summary>
public sealed class ListField(string name, int from, int to, params IReadOnlyList<Field> fields) : Field(name)
{
    /// <summary>The fewest that are right.</summary>
    public int From { get; } = from;

    /// <summary>The most that are right.</summary>
    public int To { get; } = to;

    internal IReadOnlyList<Field> Fields => fields;

    internal string Fault => $"must be a list of {From} to {To} objects";

    /// <inheritdoc/>
    protected override OpenApiSchema Schema() => new()
    {
        Type = JsonSchemaType.Array,
        MinItems = From,
        MaxItems = To,
        Items = ObjectSchema.Of(fields),
    };
}

internal static class ObjectSchema
{
    public static OpenApiSchema Of(IReadOnlyList<Field> fields) => new()
    {
        Type = JsonSchemaType.Object,
        Required = fields.Where(field => field.IsRequired).Select(field => field.Name).ToHashSet(StringComparer.Ordinal),
        Properties = fields.ToDictionary(field => field.Name, IOpenApiSchema (field) => field.DescribedSchema(), StringComparer.Ordinal),
    };
}
