namespace Shop.Platform.Http;

/// <summary>
/// What of the memory there is may be held for clients that are slow to send or to read. A limit for each connection
/// says nothing about all of them together; these do. The rest is for what the shop is working on.
/// </summary>
/// <param name="available">Bytes that the process may have for its objects: the limit of a container is in it.</param>
/// <param name="connections">Connections that the settings allow, of all services together.</param>
internal sealed class MemoryBudget(long available, long connections)
{
    /// <summary>
    /// What a connection is reckoned at. 8,000 idle ones were measured at 16 KB each, what they leave for the collector
    /// included.
    /// </summary>
    private const int ConnectionBytes = 24 * 1024;

    /// <summary>Bytes of requests that the server reads ahead of what it has looked at.</summary>
    public const int RequestBuffer = 16 * 1024;

    private const int MinBuffer = 4 * 1024, MaxBuffer = 64 * 1024;

    /// <summary>By what this process has.</summary>
    public static MemoryBudget OfProcess(long connections) =>
        new(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, connections);

    /// <summary>Connections of all services together.</summary>
    public int Connections { get; } = (int)Math.Clamp(available / ConnectionBytes, 1, connections);

    /// <summary>Bytes of requests that have not been read to their end.</summary>
    public long RequestBytes { get; } = available / 8;

    /// <summary>Bytes of replies that their clients have not read.</summary>
    public long ResponseBytes { get; } = available / 16;

    /// <summary>
    /// Bytes of replies that may wait for one client without being counted: with this many on every connection they are
    /// no more than is counted.
    /// </summary>
    public int ResponseBuffer => (int)Math.Clamp(ResponseBytes / Connections, MinBuffer, MaxBuffer);
}
