using System.Diagnostics;
using Microsoft.AspNetCore.Connections;

namespace Shop.Platform.Http;

/// <summary>
/// All connections of the process, by client. If there is no room for a connection or for bytes, connections that wait
/// for their client are evicted: those of the client that has most, the longest waiting first. A single client may use
/// everything; no client can lock out another.
/// </summary>
internal sealed class ClientConnections(MemoryBudget budget)
{
    /// <summary>
    /// Finding connections to evict means a scan of all, so many are evicted at once: this part of the limit.
    /// </summary>
    private const int Part = 32;

    /// <summary>
    /// A second. A client's unread responses are not evicted for its own next response before it has had time to read
    /// them.
    /// </summary>
    private static readonly long SlowToRead = Stopwatch.Frequency;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, HashSet<ClientConnection>> _byClient = new(StringComparer.Ordinal);
    private readonly Dictionary<ModuleListener, int> _byListener = [];
    private int _open;
    private long _requestBytes;
    private long _responseBytes;

    /// <summary>The limits.</summary>
    public MemoryBudget Budget => budget;

    /// <summary>Adds a connection.</summary>
    /// <returns>Null if there is no room, and no other can be evicted.</returns>
    public ClientConnection? TryAdd(ConnectionContext connection, ModuleListener listener)
    {
        var added = new ClientConnection(this, listener, connection);
        int limit = listener.Module.Settings.MaxConnections;
        List<ClientConnection> evicted = [];
        lock (_lock)
        {
            if (_byListener.GetValueOrDefault(listener) >= limit)
            {
                evicted = ToEvict(added.Client, Math.Max(1, limit / Part),
                    other => Frees(other, listener, added.Client),
                    other => other.Listener == listener && !other.IsClosing ? 1 : 0);
            }
            else if (_open >= budget.Connections)
            {
                evicted = ToEvict(added.Client, Math.Max(1, budget.Connections / Part),
                    other => Frees(other, other.Listener, added.Client), static other => other.IsClosing ? 0 : 1);
            }

            foreach (ClientConnection other in evicted) CloseLocked(other);
            bool hasRoom = _byListener.GetValueOrDefault(listener) < limit && _open < budget.Connections;
            if (hasRoom) AddLocked(added);
            else added = null;
        }

        foreach (ClientConnection other in evicted)
        {
            other.Listener.Metrics.CountEviction();
            other.Evict();
        }

        return added;
    }

    /// <summary>A connection has ended.</summary>
    public void Remove(ClientConnection connection)
    {
        lock (_lock) RemoveLocked(connection);
    }

    /// <summary>Changes the request bytes that a connection holds.</summary>
    /// <returns>False if there is no room for them. They count all the same: they have arrived.</returns>
    public bool TryHoldRequest(ClientConnection connection, long more) =>
        Interlocked.Add(ref _requestBytes, more) <= budget.RequestBytes || more < 0
        || MakeRoom(connection, ref _requestBytes, 0, budget.RequestBytes,
            static other => other.WaitsSince != 0 ? other.RequestBytes : 0, static other => other.RequestBytes);

    /// <summary>Adds response bytes that a connection holds.</summary>
    /// <returns>
    /// False if there is no room for them. Then they are not counted, and the response must be aborted.
    /// </returns>
    public bool TryHoldResponse(ClientConnection connection, long more)
    {
        // Bytes count only once there is room for them. Otherwise a client that has used up the room would, by attempts
        // that are refused, leave none for others.
        while (!TryTake(ref _responseBytes, more, budget.ResponseBytes))
        {
            if (!MakeRoomForResponses(connection, more)) return false;
        }

        return true;
    }

    /// <summary>Subtracts response bytes that a connection no longer holds.</summary>
    public void ReleaseResponse(long bytes) => Interlocked.Add(ref _responseBytes, -bytes);

    /// <summary>Whether there is memory for a response of this size.</summary>
    public bool HasRoomForResponse(ClientConnection connection, long bytes) =>
        Volatile.Read(ref _responseBytes) + bytes <= budget.ResponseBytes || MakeRoomForResponses(connection, bytes);

    private static long Frees(ClientConnection connection, ModuleListener listener, string newcomer) =>
        connection.Listener == listener && !connection.IsClosing
            && (connection.WaitsSince != 0 || IsUnread(connection, newcomer)) ? 1 : 0;

    private static bool IsUnread(ClientConnection connection, string newcomer) =>
        connection.UnreadSince is var since && since != 0
            && (since < Stopwatch.GetTimestamp() - SlowToRead || connection.Client != newcomer);

    private static bool TryTake(ref long held, long more, long limit)
    {
        for (long now = Volatile.Read(ref held); now + more <= limit;)
        {
            long before = now;
            now = Interlocked.CompareExchange(ref held, before + more, before);
            if (now == before) return true;
        }

        return false;
    }

    private bool MakeRoomForResponses(ClientConnection connection, long more) =>
        MakeRoom(connection, ref _responseBytes, more, budget.ResponseBytes,
            other => IsUnread(other, connection.Client) ? other.ResponseBytes : 0,
            static other => other.ResponseBytes);

    // Evicts until there is room, again if others take it meanwhile, or until nobody is left who may be evicted.
    private bool MakeRoom(ClientConnection newcomer, ref long held, long more, long limit,
        Func<ClientConnection, long> frees, Func<ClientConnection, long> holds)
    {
        while (true)
        {
            List<ClientConnection> evicted;
            lock (_lock)
            {
                long over = Volatile.Read(ref held) + more - limit;
                if (over <= 0) return true;
                evicted = ToEvict(newcomer.Client, over + (limit / Part), frees, holds);
                // Within the lock: whoever comes next finds either them or their room.
                foreach (ClientConnection connection in evicted) RemoveLocked(connection);
            }

            if (evicted.Count == 0) return false;
            foreach (ClientConnection connection in evicted)
            {
                connection.Listener.Metrics.CountRefusal(RequestLimit.NoMemory);
                connection.Abort();
            }
        }
    }

    // Connections that free what is wanted, as far as there are any: of clients that have more than the newcomer, and
    // of the newcomer itself.
    private List<ClientConnection> ToEvict(string newcomer, long wanted, Func<ClientConnection, long> frees,
        Func<ClientConnection, long> holds)
    {
        List<ClientConnection> evicted = [];
        long own = _byClient.TryGetValue(newcomer, out HashSet<ClientConnection>? mine) ? mine.Sum(holds) : 0;
        PriorityQueue<(string Name, HashSet<ClientConnection> Connections), long> clients = new();
        foreach ((string name, HashSet<ClientConnection> connections) in _byClient)
        {
            long all = connections.Sum(holds);
            if ((all > own || name == newcomer) && connections.Any(connection => frees(connection) > 0))
                clients.Enqueue((name, connections), -all);
        }

        while (wanted > 0
            && clients.TryDequeue(out (string Name, HashSet<ClientConnection> Connections) greediest, out long all))
        {
            // Down to what the newcomer or the next client has, whichever is more: then the two are equal.
            long next = Math.Max(own, clients.TryPeek(out _, out long nextAll) ? -nextAll : 0);
            long most = greediest.Name == newcomer ? wanted : Math.Min(wanted, -all - next);
            foreach (ClientConnection connection in greediest.Connections.Where(connection => frees(connection) > 0)
                .OrderBy(static connection => Math.Max(connection.WaitsSince, connection.UnreadSince)))
            {
                if (most <= 0) break;
                long freed = frees(connection);
                evicted.Add(connection);
                most -= freed;
                wanted -= freed;
            }
        }

        return evicted;
    }

    private void AddLocked(ClientConnection connection)
    {
        if (!_byClient.TryGetValue(connection.Client, out HashSet<ClientConnection>? client))
            _byClient.Add(connection.Client, client = []);
        client.Add(connection);
        _byListener[connection.Listener] = _byListener.GetValueOrDefault(connection.Listener) + 1;
        _open++;
    }

    private void RemoveLocked(ClientConnection connection)
    {
        connection.Leave();
        if (!_byClient.TryGetValue(connection.Client, out HashSet<ClientConnection>? client)
            || !client.Remove(connection)) return;
        if (client.Count == 0) _byClient.Remove(connection.Client);
        CloseLocked(connection);
    }

    // Its place is free for another connection. Until it has ended, it may still be evicted for its bytes.
    private void CloseLocked(ClientConnection connection)
    {
        if (connection.IsClosing) return;
        connection.IsClosing = true;
        _byListener[connection.Listener]--;
        _open--;
    }
}
