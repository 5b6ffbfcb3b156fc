namespace Shop.Platform;

/// <summary>Money is whole cents inside the shop and a decimal with two places outside.</summary>
public static class Money
{
    /// <summary>12,345 cents as 123.45.</summary>
    public static decimal FromCents(long cents) =>
        new(unchecked((int)Math.Abs(cents)), (int)(Math.Abs(cents) >> 32), 0, cents < 0, 2);

    /// <summary>12,345 cents as a person reads it: 123.45 EUR.</summary>
    public static string Text(long cents, string currency) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{FromCents(cents):0.00} {currency}");

    /// <summary>123.45 as 12,345 cents; false where the amount has more than two decimals or is beyond 64 bits.</summary>
    public static bool TryToCents(decimal amount, out long cents)
    {
        cents = 0;
        if (Math.Abs(amount) > long.MaxValue / 100 || decimal.Round(amount, 2) != amount) return false;
        cents = (long)(amount * 100);
        return true;
    }
}
