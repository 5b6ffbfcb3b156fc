namespace Shop.Platform.Live;

/// <summary>
/// Limits the open event streams. One client may have all of them. If no more may be opened, the oldest stream of the
/// client with the most streams is ended for a client that has fewer, so no client keeps another out.
/// </summary>
internal sealed class StreamLimiter(int limit)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<Lease>> _byClient = new(StringComparer.Ordinal);
    private int _taken;

    /// <summary>Streams that may still be opened.</summary>
    public int Free => Math.Max(0, limit - Volatile.Read(ref _taken));

    /// <summary>Acquires a lease; dispose it when the stream has ended.</summary>
    /// <returns>Null if there is none for this client.</returns>
    public Lease? TryAcquire(string client)
    {
        Lease? evicted = null;
        var lease = new Lease(this, client);
        lock (_lock)
        {
            int own = _byClient.GetValueOrDefault(client)?.Count ?? 0;
            if (_taken == limit)
            {
                List<Lease> most = _byClient.Values.MaxBy(streams => streams.Count)!;
                if (most.Count <= own + 1) return null;
                evicted = most[0];
                Remove(evicted);
            }

            if (!_byClient.TryGetValue(client, out List<Lease>? mine)) _byClient[client] = mine = [];
            mine.Add(lease);
            _taken++;
        }

        evicted?.Evict();
        return lease;
    }

    private void Remove(Lease lease)
    {
        if (!_byClient.TryGetValue(lease.Client, out List<Lease>? streams) || !streams.Remove(lease)) return;
        if (streams.Count == 0) _byClient.Remove(lease.Client);
        _taken--;
    }

    /// <summary>The lease of one stream.</summary>
    internal sealed class Lease(StreamLimiter all, string client) : IDisposable
    {
        // It has no timer, so there is nothing to dispose of; and another thread may cancel it at any time.
#pragma warning disable CA2213
        private readonly CancellationTokenSource _evicted = new();
#pragma warning restore CA2213

        /// <summary>Whose stream it is.</summary>
        public string Client { get; } = client;

        /// <summary>Cancelled when the stream must end for another.</summary>
        public CancellationToken Evicted => _evicted.Token;

        /// <summary>Ends the stream for another.</summary>
        public void Evict() => _ = _evicted.CancelAsync();

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (all._lock) all.Remove(this);
        }
    }
}
