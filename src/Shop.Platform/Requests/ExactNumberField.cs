using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>A number that is read exactly, as a whole number of its last decimal.</summary>
/// <typeparam name="T">What the value is inside the shop: null stands for a value that breaks the rule.</typeparam>
public abstract class ExactNumberField<T>(string name, int decimals) : Field<T>(name)
{
    /// <summary>The rule in words.</summary>
    protected abstract string Rule { get; }

    internal override string? Read(JsonElement json, out T? value)
    {
        value = default;
        if (json.ValueKind != JsonValueKind.Number) return Rule;
        return Check(JsonMarshal.GetRawUtf8Value(json), out value);
    }

    /// <inheritdoc/>
    public override string? Read(string text, out T? value) => Check(Encoding.UTF8.GetBytes(text), out value);

    /// <summary>The value; null if it is out of bounds.</summary>
    /// <param name="scaled">The number, in units of its last decimal.</param>
    protected abstract T? ValueOf(long scaled);

    private string? Check(ReadOnlySpan<byte> number, out T? value)
    {
        value = ExactNumber.TryRead(number, decimals, out long scaled) ? ValueOf(scaled) : default;
        return value is null ? Rule : null;
    }
}
