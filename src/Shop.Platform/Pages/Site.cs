using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Security;

namespace Shop.Platform.Pages;

/// <summary>
/// The addresses of the services for a browser: those of the settings, else the requested host with the ports of the
/// services.
/// </summary>
/// <param name="Services">Each module and its address, in the order of the navigation.</param>
/// <param name="AcceptsForms">
/// Whether forms of this client are accepted: if keys are set, a browser sends none, unless a proxy adds it. A form
/// that would be refused is not shown.
/// </param>
public sealed record Site(IReadOnlyList<(ModuleIdentity Module, string Url)> Services, bool AcceptsForms)
{
    /// <summary>The site as this request sees it.</summary>
    public static Site Of(HttpContext http)
    {
        ModuleListener[] listeners = [.. http.RequestServices.GetServices<ModuleListener>()
            .OrderBy(listener => listener.Module.Identity.DefaultPort)];
        return new Site([.. listeners.Select(listener => (listener.Module.Identity, Url(http, listener)))],
            MayWrite(http, listeners[0].Module.Settings.ApiKeys));
    }

    /// <summary>The address of a service.</summary>
    /// <param name="module">Name of its module.</param>
    public string Url(string module) => Services.First(service => service.Module.Name == module).Url;

    /// <summary>The services that forms of any page may be posted to.</summary>
    internal IEnumerable<string> FormTargets =>
        Services.Where(service => service.Module.AcceptsFormsOfOtherModules).Select(service => service.Url);

    /// <summary>
    /// Whether an <c>Origin</c> header names a page of the shop's own: of the host and port that were asked, or of
    /// another of its services.
    /// </summary>
    internal static bool IsOwnOrigin(HttpContext http, string? origin)
    {
        if (WebOrigin.Parse(origin) is not { } page) return false;
        HostString asked = http.Request.Host;
        // Only the browser knows a published port or a proxy in front, and sends it in both headers.
        if (HostName.Canonical(asked.Host) == page.Host && (asked.Port ?? page.DefaultPort) == page.Port) return true;
        return Of(http).Services.Any(service => WebOrigin.Parse(service.Url) == page);
    }

    private static bool MayWrite(HttpContext http, ApiKeys keys) => !keys.Any
        || (ApiKeys.BearerToken(http.Request.Headers) is { } shown && keys.Find(shown) is { MayWrite: true });

    private static string Url(HttpContext http, ModuleListener listener)
    {
        if (listener.Module.Settings.PublicUrls[listener.Module.Identity.Name] is { } url) return url;
        // A Uri leaves out the default port, as browsers do. The requested name may be invalid or missing.
        string asked = $"{http.Request.Scheme}://{http.Request.Host.Host}:{listener.Address.Port}";
        Uri address = Uri.TryCreate(asked, UriKind.Absolute, out Uri? known) ? known : listener.Address;
        return address.GetLeftPart(UriPartial.Authority);
    }
}
