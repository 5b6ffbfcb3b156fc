using Microsoft.OpenApi;
using Shop.Platform.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A list of objects with the same fields.</summary>
public sealed class ListField(string name, int from, int to, params IReadOnlyList<Field> fields) : Field(name)
{
    /// <summary>The fewest items.</summary>
    public int Min { get; } = from;

    /// <summary>The most items.</summary>
    public int Max { get; } = to;

    /// <summary>Name of the schema of one of its objects, as generated clients have it.</summary>
    public required string ItemSchema { get; init; }

    internal IReadOnlyList<Field> Fields => fields;

    internal string Error => $"must be a list of {Min} to {Max} objects";

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) => new OpenApiSchema
    {
        Type = JsonSchemaType.Array,
        MinItems = Min,
        MaxItems = Max,
        Items = ModuleDocument.Named(document, ItemSchema, ObjectSchema.Of(fields, document)),
    };
}

internal static class ObjectSchema
{
    public static OpenApiSchema Of(IReadOnlyList<Field> fields, OpenApiDocument document) => new()
    {
        Type = JsonSchemaType.Object,
        Required = fields.Where(field => field.IsRequired).Select(field => field.Name)
            .ToHashSet(StringComparer.Ordinal),
        Properties = fields.ToDictionary(field => field.Name, field => Member(field, document), StringComparer.Ordinal),
    };

    private static IOpenApiSchema Member(Field field, OpenApiDocument document)
    {
        IOpenApiSchema schema = field.DescribedSchema(document);
        if (schema is not OpenApiSchema { Default: { } byDefault } own) return schema;
        // Only in words: some generators treat a member with a default as required.
        own.Default = null;
        own.Description += $" If it is missing: {byDefault.ToJsonString()}.";
        return own;
    }
}
