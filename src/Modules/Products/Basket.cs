using Microsoft.AspNetCore.Http;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>
/// The products that a customer has chosen. It is a cookie, so it survives a reload and needs no account.
/// </summary>
internal sealed class Basket
{
    /// <summary>Different products at most: with the longest ids, more would not fit into a cookie.</summary>
    public const int MaxProducts = 50;

    private const string Cookie = "basket";
    private const long MaxUnits = 10_000;

    private readonly Dictionary<string, long> _lines = new(StringComparer.Ordinal);

    /// <summary>Products that are chosen, by their ids.</summary>
    public IReadOnlyCollection<string> ProductIds => _lines.Keys;

    /// <summary>Units of all products together.</summary>
    public long Units => _lines.Values.Sum();

    /// <summary>The basket of a client. A cookie may say anything: lines without a product or a number are left
    /// out.</summary>
    public static Basket Of(HttpContext http)
    {
        var basket = new Basket();
        foreach (string line in (http.Request.Cookies[Cookie] ?? "").Split('~').Take(MaxProducts))
        {
            if (line.Split('.') is [var product, var quantity] && WholeNumberField.ParseDigits(quantity) is { } units)
                basket.Set(product, units);
        }

        return basket;
    }

    /// <summary>Units of a product.</summary>
    public long UnitsOf(string productId) => _lines.GetValueOrDefault(productId);

    /// <summary>Sets the units of a product; 0 removes it.</summary>
    public void Set(string productId, long units)
    {
        if (units > 0) _lines[productId] = Math.Min(units, MaxUnits);
        else _lines.Remove(productId);
    }

    /// <summary>Takes out every product but these.</summary>
    public void KeepOnly(IEnumerable<string> productIds)
    {
        foreach (string other in ProductIds.Except(productIds, StringComparer.Ordinal).ToList()) _lines.Remove(other);
    }

    /// <summary>Gives the client the basket as it is now.</summary>
    public void SendTo(HttpContext http) => http.Response.Cookies.Append(
        Cookie, string.Join('~', _lines.Select(line => $"{line.Key}.{line.Value}")), new CookieOptions
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Lax,
            MaxAge = TimeSpan.FromDays(30),
            IsEssential = true,
            Secure = http.Request.IsHttps,
        });
}
