using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;

namespace Shop.Platform.Pages;

/// <summary>Where a browser finds the services: at the addresses that the settings say, else on the host that it asked, by their ports.</summary>
/// <param name="Products">The storefront.</param>
/// <param name="Orders">The orders board, and the checkout.</param>
/// <param name="Inventory">The stock board.</param>
public sealed record Site(string Products, string Orders, string Inventory)
{
    /// <summary>As seen by this request.</summary>
    public static Site Of(HttpContext http)
    {
        Dictionary<string, ModuleListener> listeners = http.RequestServices.GetServices<ModuleListener>().ToDictionary(listener => listener.Module.Identity.Name, StringComparer.Ordinal);
        return new Site(Url(http, listeners["products"]), Url(http, listeners["orders"]), Url(http, listeners["inventory"]));
    }

    /// <summary>Whether an <c>Origin</c> header names one of them.</summary>
    public bool Has(string? origin) => origin == Products || origin == Orders || origin == Inventory;

    private static string Url(HttpContext http, ModuleListener listener) =>
        listener.Module.Settings.PublicUrls[listener.Module.Identity.Name] ?? $"{http.Request.Scheme}://{http.Request.Host.Host}:{listener.Address.Port}";
}
