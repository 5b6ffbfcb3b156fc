using System.Net;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Security;

/// <summary>Whether a request comes from the machine that the shop runs on, and by no proxy.</summary>
internal static class LocalRequest
{
    private static readonly string[] OfProxies = ["Forwarded", "Via", "X-Real-IP"];

    /// <summary>Whether it does.</summary>
    /// <remarks>
    /// Behind a proxy on this machine everybody's address is this machine's. A shop that knows of a proxy does not go
    /// by the address at all; that a request went through another shows by the headers that it adds, by its name in
    /// Host, or by HTTP/1.0, which nginx speaks to what is behind it.
    /// </remarks>
    public static bool IsLocal(HttpContext http, ShopSettings settings) =>
        http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && settings.TrustedProxies.Count == 0 && settings.PublicUrls.Values.All(url => url is null)
        && !http.Request.Headers.Any(header => IsOfProxy(header.Key))
        && http.Request.Protocol != "HTTP/1.0" && IsThisMachine(http.Request.Host.Host);

    private static bool IsOfProxy(string header) =>
        header.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase)
        || OfProxies.Contains(header, StringComparer.OrdinalIgnoreCase);

    private static bool IsThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));
}
