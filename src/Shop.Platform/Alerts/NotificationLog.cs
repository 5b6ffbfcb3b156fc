using System.Globalization;
using System.Text;
using Shop.Platform.Live;

namespace Shop.Platform.Alerts;

/// <summary>A notification that was received.</summary>
/// <param name="At">When it came.</param>
/// <param name="Notification">What Alertmanager sent.</param>
/// <param name="Bytes">Its size in bytes.</param>
internal sealed record ReceivedNotification(DateTimeOffset At, Notification Notification, int Bytes);

/// <summary>The last notifications, in memory that is bounded in their number and in their bytes.</summary>
internal sealed class NotificationLog
{
    /// <summary>The most notifications that are kept.</summary>
    public const int MaxCount = 100;

    /// <summary>The most bytes of notifications that are kept.</summary>
    public const int MaxBytes = 2 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly LinkedList<ReceivedNotification> _newestFirst = new();
    private int _bytes;

    public NotificationLog() =>
        Events = new EventFeed(kept: 1,
            _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>([new CountEvent(Read().Count)]));

    /// <summary>The number of received notifications: at once, and after each new one.</summary>
    public EventFeed Events { get; }

    /// <summary>How many were received since the start, and the last of them, newest first.</summary>
    public (long Count, IReadOnlyList<ReceivedNotification> NewestFirst) Read()
    {
        lock (_gate) return (Count, [.. _newestFirst]);
    }

    private long Count { get; set; }

    /// <summary>Adds a notification, and drops the oldest if there is no room.</summary>
    public void Add(ReceivedNotification received)
    {
        long count;
        lock (_gate)
        {
            _newestFirst.AddFirst(received);
            _bytes += received.Bytes;
            count = ++Count;
            while (_newestFirst.Count > MaxCount || (_bytes > MaxBytes && _newestFirst.Count > 1))
            {
                _bytes -= _newestFirst.Last!.Value.Bytes;
                _newestFirst.RemoveLast();
            }
        }

        Events.Publish(new CountEvent(count));
    }

    private sealed class CountEvent(long count) : FeedEvent("count")
    {
        public override ValueTask<byte[]> DataAsync() =>
            ValueTask.FromResult(Encoding.ASCII.GetBytes(count.ToString(CultureInfo.InvariantCulture)));
    }
}
