using System.Collections.Frozen;
using System.Net;

namespace Shop.Platform.Security;

/// <summary>
/// The host names that the shop answers. A page can point its own host name at the shop's address (DNS rebinding), and
/// then has the same origin as the shop. Only the <c>Host</c> header tells it from the shop's own pages.
/// </summary>
/// <remarks>
/// Allowed are localhost, host.docker.internal, loopback addresses, the bound address, the hosts of the public URLs,
/// and those that the settings add. If every address is bound, every IP address, which nobody can point elsewhere, and
/// the machine's own name are allowed too.
/// </remarks>
internal sealed class AllowedHosts
{
    private readonly FrozenSet<string> _names;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly bool _allowsAll;
    private readonly bool _allowsAddresses;
    private string _last = "";

    public AllowedHosts(ShopSettings settings)
    {
        _allowsAll = settings.AllowedHosts.Contains("*");
        _allowsAddresses = settings.BindsEveryAddress;
        string[] machine = _allowsAddresses
            ? [Environment.MachineName, $"{Environment.MachineName}.local"]
            : [settings.BindAddress];
        IEnumerable<string> published = settings.PublicUrls.Values.OfType<string>().Select(url => new Uri(url).IdnHost);
        string[] names = ["localhost", "host.docker.internal", .. machine, .. published, .. settings.AllowedHosts];
        _names = names.Select(HostName.Canonical).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _lookup = _names.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Whether a request with this <c>Host</c> header may be for the shop.</summary>
    public bool Include(string host)
    {
        // Nearly all requests have the same host as the request before.
        if (host == _last) return true;
        if (!_allowsAll && !_lookup.Contains(HostName.WithoutPort(host)) && !IncludeInAnotherSpelling(host))
            return false;
        _last = host;
        return true;
    }

    /// <summary>
    /// Whether nobody can own this name in the public DNS: an address, or a name without a dot, as machines and
    /// containers have.
    /// </summary>
    public static bool IsLocalName(string host)
    {
        string name = HostName.Canonical(HostName.WithoutPort(host).ToString());
        return !name.Contains('.') || HostName.Address(name) is not null;
    }

    private bool IncludeInAnotherSpelling(string host)
    {
        string name = HostName.Canonical(HostName.WithoutPort(host).ToString());
        // A request without a name (old clients, probes) can't be DNS rebinding.
        if (name.Length == 0 || _names.Contains(name)) return true;
        return HostName.Address(name) is { } address && (_allowsAddresses || IPAddress.IsLoopback(address));
    }
}
