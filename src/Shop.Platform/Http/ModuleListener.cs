using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Shop.Platform.Live;
using Shop.Platform.Modules;

namespace Shop.Platform.Http;

/// <summary>
/// The mark that a listener leaves on each of its connections. It decides which module answers: a connection can't
/// be forged; a Host header or a path can.
/// </summary>
public sealed class ModuleListener(ModuleContext module)
{
    /// <summary>How long a connection may be idle.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromMinutes(2);

    private ListenOptions? _listening;

    /// <summary>The module that answers on this listener.</summary>
    public ModuleContext Module { get; } = module;

    /// <summary>The requests of this listener, counted.</summary>
    public RequestMetrics Metrics { get; } = new(module);

    /// <summary>Limits how many writing requests of this listener are worked on at once.</summary>
    public WriteConcurrencyLimiter WriteLimiter { get; } = new(module.Clock);

    /// <summary>The requests of this listener that failed, logged.</summary>
    public FailureLog Failures { get; } = new(module.Log);

    /// <summary>What demo traffic asks of the module, and how often in comparison.</summary>
    internal List<(int Weight, Func<DemoRequest> Make)> DemoRequests { get; } = [];

    /// <summary>The connections of all listeners.</summary>
    internal ClientConnections Connections { get; init; } = new(MemoryBudget.OfProcess(module.Settings.MaxConnections));

    /// <summary>The module's own pipeline.</summary>
    public RequestDelegate Pipeline { get; set; } = static _ =>
        throw new InvalidOperationException("The pipeline is not built.");

    /// <summary>Where the module listens, with the real port once the host has started.</summary>
    public Uri Address
    {
        get
        {
            int port = _listening?.IPEndPoint?.Port is { } bound and > 0 ? bound : Port;
            string host = Module.Settings.LocalHost;
            if (port != Port && Module.Settings.BindAddress == "localhost") host = "127.0.0.1";
            if (IPAddress.TryParse(host, out IPAddress? address)
                && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6)
                host = $"[{address}]";
            return new Uri($"http://{host}:{port}");
        }
    }

    private int Port => Module.Settings.Ports[Module.Identity.Name];

    /// <summary>Opens the listener.</summary>
    public void Listen(KestrelServerOptions kestrel) => Listen(kestrel, Module.Settings.BindAddress, Port, Mark);

    /// <summary>
    /// Opens a listener as the settings write addresses: <c>localhost</c>, <c>*</c> or an IP address.
    /// </summary>
    public static void Listen(KestrelServerOptions kestrel, string bind, int port, Action<ListenOptions> configure)
    {
        if (bind == "*") kestrel.ListenAnyIP(port, configure);
        else if (bind != "localhost") kestrel.Listen(IPAddress.Parse(bind), port, configure);
        // A free port can't be the same in IPv4 and IPv6.
        else if (port == 0) kestrel.Listen(IPAddress.Loopback, 0, configure);
        else kestrel.ListenLocalhost(port, configure);
    }

    private void Mark(ListenOptions listening)
    {
        _listening = listening;
        listening.Protocols = HttpProtocols.Http1;
        var limit = new ConnectionLimit(this);
        listening.Use(next => connection =>
        {
            connection.Features.Set(this);
            return limit.RunAsync(connection, next);
        });
        var http2 = new Http2Preface(this);
        listening.Use(next => connection => http2.RunAsync(connection, next));
    }
}
