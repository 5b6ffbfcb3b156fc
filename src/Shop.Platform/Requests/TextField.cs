using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;
using Shop.Platform.OpenApi;

namespace Shop.Platform.Requests;

/// <summary>A text with a bounded number of characters (Unicode code points), without control characters.</summary>
public sealed class TextField(string name, int from, int to) : Field<string>(name)
{
    /// <summary>Whether line breaks and tabs are allowed.</summary>
    public bool IsMultiline { get; init; }

    /// <summary>The pattern that it must match, anchored at both ends.</summary>
    public Regex? Pattern { get; init; }

    /// <summary>The only allowed values.</summary>
    public IReadOnlyList<string>? Choices { get; init; }

    /// <summary>Name of the schema of these values, if answers have them, too.</summary>
    public string? ChoicesSchema { get; init; }

    internal override string? Read(JsonElement json, out string? value)
    {
        value = null;
        if (json.ValueKind != JsonValueKind.String) return "must be a text";
        string text;
        try
        {
            text = json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return "must be valid Unicode"; // half a surrogate pair, or bytes that are no UTF-8
        }

        return Read(text, out value);
    }

    /// <inheritdoc/>
    public override string? Read(string text, out string? value)
    {
        value = text;
        if (Choices is not null) return Choices.Contains(text) ? null : $"must be one of {string.Join(", ", Choices)}";
        int length = CodePoints(text);
        if (length < from || length > to)
            return from == 0 ? $"must have at most {to} characters" : $"must have {from} to {to} characters";
        if (Pattern is not null)
            return Pattern.IsMatch(text) ? null : $"must look like {Example.Trim('"')}: only {PatternInWords}";
        return HasControls(text) ? "must not contain control characters" : null;
    }

    private static int CodePoints(string text)
    {
        int count = 0;
        foreach (System.Text.Rune _ in text.EnumerateRunes()) count++;
        return count;
    }

    private bool HasControls(string text)
    {
        foreach (char character in text)
        {
            if (char.IsControl(character) && !(IsMultiline && character is '\n' or '\r' or '\t')) return true;
        }

        return false;
    }

    /// <summary>The pattern in words, for the error.</summary>
    public string? PatternInWords { get; init; }

    /// <inheritdoc/>
    protected override IOpenApiSchema Schema(OpenApiDocument document) =>
        ChoicesSchema is null ? Schema() : ModuleDocument.Choices(document, ChoicesSchema, Choices!);

    private OpenApiSchema Schema() => new()
    {
        Type = JsonSchemaType.String,
        MinLength = Choices is null && from > 0 ? from : null,
        MaxLength = Choices is null ? to : null,
        Pattern = Pattern?.ToString().Replace("\\z", "$", StringComparison.Ordinal), // JSON Schema speaks ECMAScript
        Enum = Choices is null ? null : [.. Choices.Select(choice => System.Text.Json.Nodes.JsonValue.Create(choice))],
        Default = Default is null ? null : System.Text.Json.Nodes.JsonValue.Create(Default),
    };
}
