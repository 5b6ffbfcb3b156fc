namespace Shop.Platform;

/// <summary>Money is whole cents inside the shop and a decimal with two places outside.</summary>
public static class Money
{
    /// <summary>12,345 cents as 123.45.</summary>
    public static decimal FromCents(long cents) =>
        new(unchecked((int)Math.Abs(cents)), (int)(Math.Abs(cents) >> 32), 0, cents < 0, 2);

    /// <summary>1,234,500 cents as a person reads it: 12,345.00 EUR.</summary>
    public static string Text(long cents, string currency) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{FromCents(cents):N2} {currency}");
}
