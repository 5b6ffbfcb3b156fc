namespace Shop.Platform.Http;

/// <summary>
/// The memory that may be held for clients that are slow to send or to read, over all connections together. The rest is
/// for the requests that the shop is working on.
/// </summary>
/// <param name="available">Bytes that the process may have for its objects: the limit of a container is in it.</param>
/// <param name="connections">Connections that the settings allow, of all services together.</param>
internal sealed class MemoryBudget(long available, long connections)
{
    /// <summary>
    /// Estimated memory of a connection. 8,000 idle connections were measured at 16 KB each, garbage included.
    /// </summary>
    private const int ConnectionBytes = 24 * 1024;

    /// <summary>Bytes of requests that the server reads ahead of what it has looked at.</summary>
    public const int RequestBuffer = 16 * 1024;

    private const int MinBuffer = 4 * 1024, MaxBuffer = 64 * 1024;

    /// <summary>The budget of this process.</summary>
    public static MemoryBudget OfProcess(long connections) =>
        new(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, connections);

    /// <summary>Connections of all services together.</summary>
    public int Connections { get; } = (int)Math.Clamp(available / ConnectionBytes, 1, connections);

    /// <summary>Bytes of requests that have not been read to their end.</summary>
    public long RequestBytes { get; } = available / 8;

    /// <summary>Bytes of responses that their clients have not read.</summary>
    public long ResponseBytes { get; } = available / 16;

    /// <summary>
    /// Bytes of responses that may wait for one client without being counted: so few that, on all connections, they are
    /// no more than <see cref="ResponseBytes"/>.
    /// </summary>
    public int ResponseBuffer => (int)Math.Clamp(ResponseBytes / Connections, MinBuffer, MaxBuffer);
}
