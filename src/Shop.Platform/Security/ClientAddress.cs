using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Security;

/// <summary>
/// Identifies clients without a key, for the limits per client: by the IPv4 address, or by the /64 network of the IPv6
/// address, because one client usually has a whole /64.
/// </summary>
internal static class ClientAddress
{
    private const int NetworkBytes = 8;

    /// <summary>The client of a request.</summary>
    public static string Of(HttpContext http) => Of(http.Connection.RemoteIpAddress);

    /// <summary>The client at an address.</summary>
    public static string Of(IPAddress? address)
    {
        if (address is null) return "";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
            return address.ToString();
        byte[] bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return $"{new IPAddress(bytes)}/64";
    }
}
