using Microsoft.Extensions.Logging;
using Prometheus;

namespace Shop.Platform.Live;

/// <summary>
/// The figures of the console: the registry itself, read once a second, with five minutes of history in memory. So the
/// console says what <c>/metrics</c> says.
/// </summary>
internal sealed class LiveFigures : IAsyncDisposable
{
    /// <summary>Seconds of history.</summary>
    public const int History = 300;

    private readonly CollectorRegistry _registry;
    private readonly DemoTraffic _traffic;
    private readonly Exposition _exposition;
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _startedAt;
    private readonly long _start;
    private readonly Periodic _sampling;
    private readonly Queue<LivePoint> _points = new(History);
    private readonly MemoryStream _text = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private RequestCounts? _last;
    private TimeSpan _lastRead;

    public LiveFigures(CollectorRegistry registry, DemoTraffic traffic, TimeProvider clock, ILogger log,
        IReadOnlyList<string>? itemLabels = null)
    {
        _registry = registry;
        _traffic = traffic;
        _exposition = new Exposition(itemLabels ?? []);
        _clock = clock;
        _startedAt = clock.GetUtcNow();
        _start = clock.GetTimestamp();
        // A client that missed a second gets the history again, so one is enough.
        Feed = new EventFeed(kept: 1, _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>(
            [new HistoryEvent(Points()), new SecondEvent(LastPoint, ReadAsync, _traffic)]));
        _sampling = new Periodic("Reading the live figures", TimeSpan.FromSeconds(1), SampleAsync, clock, log);
    }

    /// <summary>The history as one event, and then each second as one.</summary>
    public EventFeed Feed { get; }

    /// <summary>The history, oldest first.</summary>
    public LivePoint[] Points()
    {
        lock (_points) return [.. _points];
    }

    public async ValueTask DisposeAsync()
    {
        await _sampling.DisposeAsync();
        _reading.Dispose();
    }

    /// <summary>What the registry says now.</summary>
    public async Task<LiveReading> ReadAsync()
    {
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            return _exposition.Everything(_text.GetBuffer().AsSpan(0, (int)_text.Length));
        }
        finally
        {
            _reading.Release();
        }
    }

    private LivePoint? LastPoint
    {
        get
        {
            lock (_points) return _points.Count > 0 ? _points.Last() : null;
        }
    }

    // Done each second, whether or not anybody looks, so it takes no more than the charts need, and next to no memory.
    private async Task SampleAsync()
    {
        RequestCounts read;
        TimeSpan at;
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            at = _clock.GetElapsedTime(_start);
            read = Exposition.Totals(_text.GetBuffer().AsSpan(0, (int)_text.Length));
        }
        finally
        {
            _reading.Release();
        }

        (RequestCounts? last, TimeSpan lastRead) = (_last, _lastRead);
        (_last, _lastRead) = (read, at);
        // What one reading says is since the start, and so is no rate.
        if (last is null) return;
        double seconds = Math.Max(0.001, (at - lastRead).TotalSeconds);
        (double, double)[] moved =
            [.. read.Buckets.Select(bucket => (bucket.Key, bucket.Value - last.Buckets.GetValueOrDefault(bucket.Key)))];
        double Rate(Func<RequestCounts, double> count) => (count(read) - count(last)) / seconds;
        var point = new LivePoint(
            _startedAt + at, Rate(count => count.Requests), Rate(count => count.Refused), Rate(count => count.Failed),
            HistogramQuantile.Milliseconds(moved, 0.50), HistogramQuantile.Milliseconds(moved, 0.95),
            HistogramQuantile.Milliseconds(moved, 0.99));
        lock (_points)
        {
            if (_points.Count == History) _points.Dequeue();
            _points.Enqueue(point);
        }

        Feed.Publish(new SecondEvent(point, ReadAsync, _traffic));
    }

    private Task ExportAsync()
    {
        _text.SetLength(0);
        return _registry.CollectAndExportAsTextAsync(_text);
    }
}
