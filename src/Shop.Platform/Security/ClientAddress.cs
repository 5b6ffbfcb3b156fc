using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Security;

/// <summary>Whom the limits of one client are for, if it shows no key: its IPv4 address, or the /64 network of its IPv6 address, which one client has whole.</summary>
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
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address)) return address.ToString();
        byte[] bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return $"{new IPAddress(bytes)}/64";
    }
}
