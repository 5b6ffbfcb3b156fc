using System.Globalization;

namespace Shop.Platform;

/// <summary>Formats a number of units.</summary>
public static class Quantity
{
    /// <summary>1000000 as a person reads it: 1,000,000.</summary>
    public static string Text(long quantity) => quantity.ToString("N0", CultureInfo.InvariantCulture);
}
