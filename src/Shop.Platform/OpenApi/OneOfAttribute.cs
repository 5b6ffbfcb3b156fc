namespace Shop.Platform.OpenApi;

/// <summary>The values that a text may have. The document has them as a schema of this type's name.</summary>
public interface IChoices
{
    /// <summary>All of them.</summary>
    static abstract IReadOnlyList<string> Names { get; }
}

/// <summary>A text that has one of a few values.</summary>
[AttributeUsage(AttributeTargets.Property)]
public abstract class OneOfAttribute : Attribute
{
    private protected OneOfAttribute(string schema, IReadOnlyList<string> values) =>
        (Schema, Values) = (schema, values);

    /// <summary>Name of their schema.</summary>
    public string Schema { get; }

    /// <summary>The values.</summary>
    public IReadOnlyList<string> Values { get; }
}

/// <inheritdoc/>
/// <typeparam name="T">The type with the values.</typeparam>
public sealed class OneOfAttribute<T>() : OneOfAttribute(typeof(T).Name, T.Names)
    where T : IChoices;
