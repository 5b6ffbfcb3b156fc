using System.Net;
using System.Net.Sockets;

namespace Shop.Testing;

/// <summary>Ports for programs that have to be told theirs.</summary>
internal static class FreePort
{
    // Below those that Linux gives to connections (net.ipv4.ip_local_port_range): a client that asks again and again
    // for a port where nothing listens at the moment would be given that very port some time, and keep it.
    private const int First = 10_000, End = 32_000;

    private static readonly HashSet<int> Given = [];

    /// <summary>A port that was free a moment ago, and that nobody else in this process was given.</summary>
    public static int Next()
    {
        while (true)
        {
            int port = Random.Shared.Next(First, End);
            lock (Given)
            {
                if (!Given.Add(port)) continue;
            }

            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // It is taken: another.
            }
        }
    }

    /// <summary>Several of them.</summary>
    public static int[] Next(int count) => [.. Enumerable.Range(0, count).Select(_ => Next())];
}
