using Microsoft.AspNetCore.Connections;
using Shop.Platform;

namespace Shop.Host;

/// <summary>Explains a failed start in one line.</summary>
internal static class StartFailure
{
    /// <returns>The line; null for a bug, which keeps its stack trace.</returns>
    public static string? Explain(Exception exception) => exception switch
    {
        ShopStartException start => start.Message,
        OperationCanceledException => "it was told to stop meanwhile",
        IOException { InnerException: AddressInUseException } inUse =>
            $"a port is in use: {inUse.Message.TrimEnd('.')}. "
            + "Choose another with Shop:Products:Port, Shop:Orders:Port or Shop:Inventory:Port",
        System.Net.Sockets.SocketException socket => $"Shop:BindAddress can't be used: {socket.Message}",
        _ => null,
    };
}
