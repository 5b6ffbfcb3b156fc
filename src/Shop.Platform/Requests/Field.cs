using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>
/// A field of a body, or a parameter of a query: its name and its rule in one place. It reads and checks the value,
/// words the error and describes itself in the OpenAPI document.
/// </summary>
public abstract class Field(string name)
{
    /// <summary>The client's name for it, in snake_case.</summary>
    public string Name { get; } = name;

    /// <summary>The name in UTF-8, to compare it with JSON without a conversion.</summary>
    internal byte[] Utf8Name { get; } = Encoding.UTF8.GetBytes(name);

    /// <summary>What it means.</summary>
    public required string Description { get; init; }

    /// <summary>Whether it is required.</summary>
    public bool IsRequired { get; init; }

    /// <summary>A value as a client would send it, in JSON.</summary>
    public required string Example { get; init; }

    /// <summary>Whether the example of a request has it. Its own example may not be valid in each shop.</summary>
    public bool IsInRequestExample { get; init; } = true;

    /// <summary>The rule as a JSON Schema.</summary>
    internal IOpenApiSchema DescribedSchema(OpenApiDocument document)
    {
        IOpenApiSchema schema = Schema(document);
        // A named schema is shared by several fields.
        if (schema is not OpenApiSchema own) return schema;
        own.Description = Description;
        own.Examples = [JsonNode.Parse(Example)!];
        return own;
    }

    /// <summary>The rule as a JSON Schema, without words.</summary>
    /// <param name="document">The document, for named schemas.</param>
    protected abstract IOpenApiSchema Schema(OpenApiDocument document);
}

/// <inheritdoc/>
/// <typeparam name="T">What the value is inside the shop.</typeparam>
public abstract class Field<T>(string name) : Field(name)
{
    /// <summary>The value of an optional field that is missing or null.</summary>
    public T? Default { get; init; }

    /// <summary>Reads the value from JSON.</summary>
    /// <param name="json">What the client sent.</param>
    /// <param name="value">The value, if it is valid.</param>
    /// <returns>The error; null if there is none.</returns>
    internal abstract string? Read(JsonElement json, out T? value);

    /// <summary>Reads the value from a text: a query's, or a form's.</summary>
    /// <param name="text">What the client sent.</param>
    /// <param name="value">The value, if it is valid.</param>
    /// <returns>The error; null if there is none.</returns>
    public abstract string? Read(string text, out T? value);
}
