namespace Shop.Platform.Live;

/// <summary>
/// The places of a stream. A client alone may have all of them. If none is free, the oldest stream of the client with
/// most gives way to a client that has fewer, so no client keeps another out.
/// </summary>
internal sealed class StreamPlaces(int places)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<Place>> _byClient = new(StringComparer.Ordinal);
    private int _taken;

    /// <summary>Places that nobody has.</summary>
    public int Free => Math.Max(0, places - Volatile.Read(ref _taken));

    /// <summary>Takes a place: dispose it when the stream has ended.</summary>
    /// <returns>Null if there is none for this client.</returns>
    public Place? TryTake(string client)
    {
        Place? leaving = null;
        var place = new Place(this, client);
        lock (_lock)
        {
            int own = _byClient.GetValueOrDefault(client)?.Count ?? 0;
            if (_taken == places)
            {
                List<Place> most = _byClient.Values.MaxBy(streams => streams.Count)!;
                if (most.Count <= own + 1) return null;
                leaving = most[0];
                Remove(leaving);
            }

            if (!_byClient.TryGetValue(client, out List<Place>? mine)) _byClient[client] = mine = [];
            mine.Add(place);
            _taken++;
        }

        leaving?.GiveWay();
        return place;
    }

    private void Remove(Place place)
    {
        if (!_byClient.TryGetValue(place.Client, out List<Place>? streams) || !streams.Remove(place)) return;
        if (streams.Count == 0) _byClient.Remove(place.Client);
        _taken--;
    }

    /// <summary>The place of one stream.</summary>
    internal sealed class Place(StreamPlaces all, string client) : IDisposable
    {
        // It has no timer, so there is nothing to dispose of; and another thread may cancel it at any time.
#pragma warning disable CA2213
        private readonly CancellationTokenSource _gaveWay = new();
#pragma warning restore CA2213

        /// <summary>Whose stream it is.</summary>
        public string Client { get; } = client;

        /// <summary>Cancelled when the stream must end for another.</summary>
        public CancellationToken GaveWay => _gaveWay.Token;

        /// <summary>Ends the stream for another.</summary>
        public void GiveWay() => _ = _gaveWay.CancelAsync();

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (all._lock) all.Remove(this);
        }
    }
}
