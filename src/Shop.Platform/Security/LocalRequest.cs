using System.Net;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Security;

/// <summary>Whether a request comes from the shop's own machine, and not through a proxy.</summary>
internal static class LocalRequest
{
    private static readonly string[] OfProxies = ["Forwarded", "Via", "CDN-Loop"];

    /// <summary>Whether it is such a request.</summary>
    /// <remarks>
    /// Behind a proxy on this machine every client has this machine's address. So a shop with a configured proxy does
    /// not rely on the address at all. An unknown proxy shows by the headers that it adds (browsers and command-line
    /// clients send none with such names), by its name in Host, or by HTTP/1.0, which nginx before 1.29.7 uses for its
    /// upstream. Newer ones show by nothing unless they are configured to.
    /// </remarks>
    public static bool IsLocal(HttpContext http, ShopSettings settings) =>
        http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && settings.TrustedProxies.Count == 0 && settings.PublicUrls.Values.All(url => url is null)
        && !http.Request.Headers.Any(header => IsOfProxy(header.Key))
        && http.Request.Protocol != "HTTP/1.0" && IsThisMachine(http.Request.Host.Host);

    private static bool IsOfProxy(string header) =>
        header.StartsWith("X-", StringComparison.OrdinalIgnoreCase)
        || header.EndsWith("-IP", StringComparison.OrdinalIgnoreCase)
        || OfProxies.Contains(header, StringComparer.OrdinalIgnoreCase);

    private static bool IsThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (HostName.Address(host) is { } address && IPAddress.IsLoopback(address));
}
