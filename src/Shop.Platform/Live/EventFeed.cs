using System.Globalization;

namespace Shop.Platform.Live;

/// <summary>One event of a feed.</summary>
/// <param name="name">What kind of event it is.</param>
public abstract class FeedEvent(string name)
{
    /// <summary>What kind of event it is.</summary>
    public string Name { get; } = name;

    /// <summary>Its data: JSON without a line break. Made once for all watchers, and only if there are any.</summary>
    public abstract ValueTask<byte[]> DataAsync();
}

/// <summary>
/// The events of a service, numbered, for clients that watch. The newest events are kept, so a client that reconnects
/// soon continues from its last event. A client that was away for longer, or since before the shop's start, gets the
/// opening events instead.
/// </summary>
/// <param name="kept">How many events are kept.</param>
/// <param name="opening">
/// Makes the opening events, for a client that can't continue from its last event; the argument says whether it has
/// one.
/// </param>
public sealed class EventFeed(int kept, Func<bool, ValueTask<IReadOnlyList<FeedEvent>>> opening)
{
    /// <summary>Streams read the feed more often than this, and so do pages without a stream.</summary>
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(30);

    // Numbers start again with each start of the shop, so an id contains the start.
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly FeedEvent[] _kept = new FeedEvent[kept];
    private readonly Lock _lock = new();
    private long _last, _watchedAt = long.MinValue / 2;
    private TaskCompletionSource? _next;

    /// <summary>The id of the newest event: a page that shows the state after it continues from there.</summary>
    public string Position
    {
        get
        {
            Watch();
            lock (_lock) return Id(_last);
        }
    }

    /// <summary>Whether a client watches, or has done so a moment ago.</summary>
    public bool IsWatched => Environment.TickCount64 - Volatile.Read(ref _watchedAt) < MaxPause.TotalMilliseconds;

    /// <summary>Publishes an event.</summary>
    public void Publish(FeedEvent happened)
    {
        TaskCompletionSource? next;
        lock (_lock)
        {
            _last++;
            _kept[_last % kept] = happened;
            (next, _next) = (_next, null);
        }

        next?.SetResult();
    }

    internal string Id(long number) => $"{_run}-{number}";

    /// <summary>What a client gets first.</summary>
    /// <param name="after">The id of the last event that it has; null if it has none.</param>
    internal async ValueTask<Batch> OpenAsync(string? after)
    {
        Watch();
        if (Number(after) is { } number && Since(number) is { } missed) return missed;
        long last;
        // Read before the opening is made: events that happen meanwhile come again after it, rather than not at all.
        lock (_lock) last = _last;
        return new Batch(await opening(after is not null), last, IsOpening: true);
    }

    /// <summary>The events after an event; null if not all of them are kept.</summary>
    internal Batch? Since(long number)
    {
        Watch();
        lock (_lock)
        {
            if (number > _last || _last - number > kept) return null;
            var events = new FeedEvent[_last - number];
            for (int i = 0; i < events.Length; i++) events[i] = _kept[(number + 1 + i) % kept];
            return new Batch(events, _last, IsOpening: false);
        }
    }

    /// <summary>Completes when there is an event after this one.</summary>
    internal Task NextAsync(long number)
    {
        lock (_lock)
        {
            if (number != _last) return Task.CompletedTask;
            return (_next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private void Watch() => Volatile.Write(ref _watchedAt, Environment.TickCount64);

    private long? Number(string? id) =>
        id is not null && id.StartsWith($"{_run}-", StringComparison.Ordinal)
        && long.TryParse(id.AsSpan(_run.Length + 1), NumberStyles.None, null, out long number) ? number : null;

    /// <summary>Events that a client gets together.</summary>
    /// <param name="Events">Oldest first.</param>
    /// <param name="Last">The number of the newest event that they cover.</param>
    /// <param name="IsOpening">Whether they are opening events, which replace all earlier ones.</param>
    internal readonly record struct Batch(IReadOnlyList<FeedEvent> Events, long Last, bool IsOpening);
}
