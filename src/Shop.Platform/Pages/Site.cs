using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Security;

namespace Shop.Platform.Pages;

/// <summary>Where a browser finds the services: at the addresses that the settings say, else on the host that it asked, by their ports.</summary>
/// <param name="Products">The storefront.</param>
/// <param name="Orders">The orders board, and the checkout.</param>
/// <param name="Inventory">The stock board.</param>
/// <param name="TakesForms">Whether forms of this client are taken: with keys set, a browser has none, unless a proxy adds it. What would be refused is not offered.</param>
public sealed record Site(string Products, string Orders, string Inventory, bool TakesForms)
{
    /// <summary>As seen by this request.</summary>
    public static Site Of(HttpContext http)
    {
        Dictionary<string, ModuleListener> listeners = http.RequestServices.GetServices<ModuleListener>().ToDictionary(listener => listener.Module.Identity.Name, StringComparer.Ordinal);
        return new Site(Url(http, listeners["products"]), Url(http, listeners["orders"]), Url(http, listeners["inventory"]), MayWrite(http, listeners["products"].Module.Settings.ApiKeys));
    }

    /// <summary>Whether an <c>Origin</c> header names a page of the shop's own: of the host and port that were asked, or of another of its services.</summary>
    internal static bool IsOwnOrigin(HttpContext http, string? origin)
    {
        if (WebOrigin.Parse(origin) is not { } page) return false;
        HostString asked = http.Request.Host;
        // A published port, or a proxy in front, is seen by the browser alone, which names it in both headers.
        if (HostName.Canonical(asked.Host) == page.Host && (asked.Port ?? page.DefaultPort) == page.Port) return true;
        Site site = Of(http);
        return new[] { site.Products, site.Orders, site.Inventory }.Any(url => WebOrigin.Parse(url) == page);
    }

    private static bool MayWrite(HttpContext http, ApiKeys keys) => !keys.Any || (ApiKeys.Shown(http.Request.Headers) is { } shown && keys.Find(shown) is { MayWrite: true });

    private static string Url(HttpContext http, ModuleListener listener)
    {
        if (listener.Module.Settings.PublicUrls[listener.Module.Identity.Name] is { } url) return url;
        // A Uri leaves out the port that its scheme has by itself, as browsers do. What was asked may be a name that none can have, or no name.
        string asked = $"{http.Request.Scheme}://{http.Request.Host.Host}:{listener.Address.Port}";
        Uri address = Uri.TryCreate(asked, UriKind.Absolute, out Uri? known) ? known : listener.Address;
        return address.GetLeftPart(UriPartial.Authority);
    }
}
