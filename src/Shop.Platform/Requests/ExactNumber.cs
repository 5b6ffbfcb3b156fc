using System.Globalization;

namespace Shop.Platform.Requests;

/// <summary>Reads a number by its digits. A number type would round it before it is checked.</summary>
internal static class ExactNumber
{
    // More digits than a 64-bit number has, and the largest exponent: anything larger is out of any field's bounds.
    private const int MaxDigits = 19, LargestExponent = 1000;

    /// <summary>Reads a number as a whole number of its last decimal: 79.9 with two decimals is 7,990.</summary>
    /// <param name="text">The number in UTF-8, as JSON or a person writes it.</param>
    /// <param name="decimals">How many decimals count.</param>
    /// <param name="scaled">The number, without its point.</param>
    /// <returns>False if it is no number, has more decimals, or does not fit in 64 bits.</returns>
    public static bool TryRead(ReadOnlySpan<byte> text, int decimals, out long scaled)
    {
        scaled = 0;
        bool isNegative = text is [(byte)'-', ..];
        if (text is [(byte)'-' or (byte)'+', ..]) text = text[1..];
        int mark = text.IndexOfAny((byte)'e', (byte)'E');
        if (!TryReadExponent(mark < 0 ? [] : text[(mark + 1)..], mark >= 0, out int exponent)) return false;
        if (mark >= 0) text = text[..mark];
        int point = text.IndexOf((byte)'.');
        ReadOnlySpan<byte> whole = point < 0 ? text : text[..point], fraction = point < 0 ? [] : text[(point + 1)..];
        if (whole.Length + fraction.Length == 0 || whole.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || fraction.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;

        // The digits without leading and trailing zeros, and the power of ten of the last digit.
        fraction = fraction.TrimEnd((byte)'0');
        int power = exponent - fraction.Length + decimals;
        whole = whole.TrimStart((byte)'0');
        if (whole.IsEmpty) fraction = fraction.TrimStart((byte)'0');
        if (fraction.IsEmpty)
        {
            int zeros = whole.Length - whole.TrimEnd((byte)'0').Length;
            whole = whole[..^zeros];
            power += zeros;
        }

        if (whole.Length + fraction.Length == 0) return true;
        if (power < 0 || whole.Length + fraction.Length + power > MaxDigits) return false;
        Span<byte> digits = stackalloc byte[MaxDigits];
        digits.Fill((byte)'0');
        whole.CopyTo(digits);
        fraction.CopyTo(digits[whole.Length..]);
        if (!long.TryParse(digits[..(whole.Length + fraction.Length + power)], NumberStyles.None,
            CultureInfo.InvariantCulture, out long number))
            return false;
        scaled = isNegative ? -number : number;
        return true;
    }

    private static bool TryReadExponent(ReadOnlySpan<byte> text, bool isThere, out int exponent)
    {
        exponent = 0;
        if (!isThere) return true;
        bool isNegative = text is [(byte)'-', ..];
        if (text is [(byte)'-' or (byte)'+', ..]) text = text[1..];
        if (text.IsEmpty || text.ContainsAnyExceptInRange((byte)'0', (byte)'9')) return false;
        exponent = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int size)
            && size < LargestExponent
            ? size
            : LargestExponent;
        if (isNegative) exponent = -exponent;
        return true;
    }
}
