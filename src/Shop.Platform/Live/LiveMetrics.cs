using Microsoft.Extensions.Logging;
using Prometheus;
using Shop.Platform.Faults;
using Shop.Platform.Modules;

namespace Shop.Platform.Live;

/// <summary>
/// Samples a module's registry once a second for the console, with fifteen minutes of history in memory. So the console
/// shows the same values as <c>/metrics</c>.
/// </summary>
internal sealed class LiveMetrics : IAsyncDisposable
{
    /// <summary>
    /// Seconds that can be sent again: a page that polls every three seconds gets those that it missed, not the
    /// history.
    /// </summary>
    private const int Kept = 10;

    /// <summary>Seconds of history.</summary>
    public const int History = 900;

    private readonly CollectorRegistry _registry;
    private readonly DemoTraffic _traffic;
    private readonly ExpositionParser _exposition;
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _startedAt;
    private readonly long _start;
    private readonly PeriodicTask _sampling;
    private readonly Queue<LiveSample> _points = new(History);
    private readonly MemoryStream _text = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly EndpointHistory _endpoints = new();
    private readonly IReadOnlyList<BusinessMetric> _own;
    private RequestCounts? _last;
    private TimeSpan _lastRead;
    private int _seconds;
    private volatile Lazy<Task<LiveSnapshot>> _ofThisSecond;

    public LiveMetrics(CollectorRegistry registry, DemoTraffic traffic, TimeProvider clock, ILogger log,
        ModuleIdentity module, BuildInfo build)
    {
        _registry = registry;
        _traffic = traffic;
        Module = module;
        _own = module.BusinessMetrics;
        _exposition = new ExpositionParser(module.ItemLabels, _own);
        Marks = new ChartAnnotations(clock.GetUtcNow(), build.Version);
        _clock = clock;
        _startedAt = clock.GetUtcNow();
        _start = clock.GetTimestamp();
        _ofThisSecond = new Lazy<Task<LiveSnapshot>>(ReadAsync);
        Feed = new EventFeed(Kept, _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>(
            [new HistoryEvent(Points()), Second(LastPoint)]));
        _sampling = new PeriodicTask("Reading the live figures", TimeSpan.FromSeconds(1), SampleAsync, clock, log);
    }

    /// <summary>The history as one event, and then one event each second.</summary>
    public EventFeed Feed { get; }

    /// <summary>The service.</summary>
    public ModuleIdentity Module { get; }

    /// <summary>The annotations of the charts.</summary>
    public ChartAnnotations Marks { get; }

    /// <summary>The faults of the shop; null if it has none.</summary>
    public FaultCatalogue? Faults { get; init; }

    /// <summary>The history, oldest first.</summary>
    public LiveSample[] Points()
    {
        lock (_points) return [.. _points];
    }

    public async ValueTask DisposeAsync()
    {
        await _sampling.DisposeAsync();
        _reading.Dispose();
    }

    /// <summary>Reads the registry now.</summary>
    public async Task<LiveSnapshot> ReadAsync()
    {
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            LiveSnapshot reading = _exposition.Everything(_text.GetBuffer().AsSpan(0, (int)_text.Length));
            Dictionary<string, EndpointCounts> endpoints =
                ExpositionParser.Endpoints(_text.GetBuffer().AsSpan(0, (int)_text.Length));
            return reading with { Endpoints = _endpoints.Until(_clock.GetElapsedTime(_start), endpoints) };
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>The last second; null in the first one.</summary>
    public LiveSample? LastPoint
    {
        get
        {
            lock (_points) return _points.Count > 0 ? _points.Last() : null;
        }
    }

    // Done each second, even if nobody watches, so it reads only what the charts need, with hardly any allocation.
    private async Task SampleAsync()
    {
        RequestCounts read;
        TimeSpan at;
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            at = _clock.GetElapsedTime(_start);
            read = _exposition.Totals(_text.GetBuffer().AsSpan(0, (int)_text.Length));
            if (_seconds++ % EndpointHistory.Step == 0)
                _endpoints.Add(at, ExpositionParser.Endpoints(_text.GetBuffer().AsSpan(0, (int)_text.Length)));
        }
        finally
        {
            _reading.Release();
        }

        (RequestCounts? last, TimeSpan lastRead) = (_last, _lastRead);
        (_last, _lastRead) = (read, at);
        Marks.Active(read.Faults, _startedAt + at);
        // A single sample has no rate.
        if (last is null) return;
        double seconds = Math.Max(0.001, (at - lastRead).TotalSeconds);
        (double, double)[] moved = Moved(read.Buckets, last.Buckets);
        double Rate(Func<RequestCounts, double> count) => (count(read) - count(last)) / seconds;
        var point = new LiveSample(
            _startedAt + at, Rate(count => count.Requests), Rate(count => count.Refused), Rate(count => count.Failed),
            HistogramQuantile.Milliseconds(moved, 0.50), HistogramQuantile.Milliseconds(moved, 0.95),
            HistogramQuantile.Milliseconds(moved, 0.99))
        {
            Succeeded = Rate(count => count.Succeeded),
            Redirected = Rate(count => count.Redirected),
            InProgress = read.InProgress,
            Waiting = read.Waiting,
            Commit = HistogramQuantile.Milliseconds(Moved(read.Commits, last.Commits), 0.95),
            Own = [.. _own.Select((figure, i) => figure.Type == MetricType.Counter
                ? Rate(count => count.Own[i]) * figure.Seconds : read.Own[i])],
        };
        lock (_points)
        {
            if (_points.Count == History) _points.Dequeue();
            _points.Enqueue(point);
        }

        _ofThisSecond = new Lazy<Task<LiveSnapshot>>(ReadAsync);
        Feed.Publish(Second(point));
    }

    // All clients that ask within a second share one reading, also for the seconds that they missed.
    private SecondEvent Second(LiveSample? point) => new(point, () => _ofThisSecond.Value, _traffic, Marks, Faults);

    private static (double, double)[] Moved(
        SortedDictionary<double, double> now, SortedDictionary<double, double> before) =>
        [.. now.Select(bucket => (bucket.Key, bucket.Value - before.GetValueOrDefault(bucket.Key)))];

    private Task ExportAsync()
    {
        _text.SetLength(0);
        return _registry.CollectAndExportAsTextAsync(_text);
    }
}
