using System.Globalization;
using System.Net;

namespace Shop.Platform.Security;

/// <summary>
/// Names of hosts, compared as hosts are: in any case, IDN in either form, an address in any spelling.
/// </summary>
internal static class HostName
{
    private static readonly IdnMapping Idn = new();

    /// <summary>The one spelling of a name or an address, without port and brackets.</summary>
    public static string Canonical(string name)
    {
        string bare = name.Trim('[', ']').TrimEnd('.');
        if (Address(bare) is { } address) return address.ToString();
        try
        {
            return Idn.GetAscii(bare).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return bare.ToLowerInvariant(); // not a valid name, so it equals only itself
        }
    }

    /// <summary>The IP address, if the name is one.</summary>
    public static IPAddress? Address(string name)
    {
        if (!IPAddress.TryParse(name.Trim('[', ']'), out IPAddress? address)) return null;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }

    /// <summary>A <c>Host</c> header without its port.</summary>
    public static ReadOnlySpan<char> WithoutPort(ReadOnlySpan<char> host)
    {
        int colon = host.LastIndexOf(':');
        return colon > host.LastIndexOf(']') ? host[..colon] : host;
    }
}
