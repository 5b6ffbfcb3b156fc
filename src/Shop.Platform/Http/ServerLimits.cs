using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>
/// The limits of the server. Idle connections cost memory, and slow clients delay others. SECURITY.md explains each
/// limit.
/// </summary>
internal static class ServerLimits
{
    /// <summary>The rate at which a client must at least send and read.</summary>
    public static readonly MinDataRate SlowestClient = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    /// <summary>Sets the limits, and opens the listener of each module.</summary>
    public static void ConfigureListeners(this IWebHostBuilder server, ShopSettings settings) =>
        server.ConfigureKestrel(kestrel =>
    {
        kestrel.AddServerHeader = false;
        var budget = kestrel.ApplicationServices.GetRequiredService<MemoryBudget>();
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxConcurrentConnections = budget.Connections + ConnectionLimit.BeingRefused;
        limits.RequestHeadersTimeout = settings.RequestTimeout;
        limits.KeepAliveTimeout = ModuleListener.KeepAlive;
        limits.MaxRequestLineSize = 8 * 1024;
        limits.MaxRequestHeaderCount = 100;
        limits.MaxRequestHeadersTotalSize = 16 * 1024;
        // What a client sends behind a request that is being answered is not read ahead. Bytes that were examined do
        // not count, so a longer body arrives all the same.
        limits.MaxRequestBufferSize = MemoryBudget.RequestBuffer;
        limits.MaxResponseBufferSize = budget.ResponseBuffer;
        limits.MinRequestBodyDataRate = SlowestClient;
        limits.MinResponseDataRate = SlowestClient;
        // The server counts the framing of chunks too, so its limit is wider; the shop's own is exact.
        limits.MaxRequestBodySize = 8 * RequestBody.MaxBytes;
        foreach (ModuleListener listener in kestrel.ApplicationServices.GetServices<ModuleListener>())
            listener.Listen(kestrel);
    });
}
