using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Prometheus;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>One second of a service.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Requests">Requests a second.</param>
/// <param name="Refused">Answers a second that refused what a client sent.</param>
/// <param name="Failed">Answers a second in which the shop failed.</param>
/// <param name="P50">
/// Half of the requests took no longer, in milliseconds; from the histogram's buckets. Null if there was none.
/// </param>
/// <param name="P95">95 of 100 took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
internal sealed record LivePoint(
    DateTimeOffset At, double Requests, double Refused, double Failed, double? P50, double? P95, double? P99);

/// <summary>What a service's registry says, line by line, for those who look.</summary>
internal sealed record LiveReading(
    double Requests,
    IReadOnlyDictionary<string, double> ByCode,
    IReadOnlyDictionary<string, double> ByRoute,
    IReadOnlyDictionary<string, double> Figures);

/// <summary>
/// The figures of the console: the registry itself, read once a second, with five minutes of history in memory. So the
/// console says what <c>/metrics</c> says.
/// </summary>
internal sealed partial class LiveFigures : IAsyncDisposable
{
    /// <summary>Seconds of history.</summary>
    public const int History = 300;

    private readonly CollectorRegistry _registry;
    private readonly DemoTraffic _traffic;
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _startedAt;
    private readonly long _start;
    private readonly Periodic _sampling;
    private readonly Queue<LivePoint> _points = new(History);
    private readonly MemoryStream _text = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private Counts? _last;
    private TimeSpan _lastRead;

    public LiveFigures(CollectorRegistry registry, DemoTraffic traffic, TimeProvider clock, ILogger log)
    {
        _registry = registry;
        _traffic = traffic;
        _clock = clock;
        _startedAt = clock.GetUtcNow();
        _start = clock.GetTimestamp();
        // A client that missed a second gets the history again, so one is enough.
        Feed = new EventFeed(kept: 1, _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>(
            [new HistoryEvent(Points()), new SecondEvent(this, LastPoint)]));
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
            return Everything(_text.GetBuffer().AsSpan(0, (int)_text.Length));
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
        Counts read;
        TimeSpan at;
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            at = _clock.GetElapsedTime(_start);
            read = Totals(_text.GetBuffer().AsSpan(0, (int)_text.Length));
        }
        finally
        {
            _reading.Release();
        }

        (Counts? last, TimeSpan lastRead) = (_last, _lastRead);
        (_last, _lastRead) = (read, at);
        // What one reading says is since the start, and so is no rate.
        if (last is null) return;
        double seconds = Math.Max(0.001, (at - lastRead).TotalSeconds);
        (double, double)[] moved =
            [.. read.Buckets.Select(bucket => (bucket.Key, bucket.Value - last.Buckets.GetValueOrDefault(bucket.Key)))];
        double Rate(Func<Counts, double> count) => (count(read) - count(last)) / seconds;
        var point = new LivePoint(
            _startedAt + at, Rate(count => count.Requests), Rate(count => count.Refused), Rate(count => count.Failed),
            Quantile(moved, 0.50), Quantile(moved, 0.95), Quantile(moved, 0.99));
        lock (_points)
        {
            if (_points.Count == History) _points.Dequeue();
            _points.Enqueue(point);
        }

        Feed.Publish(new SecondEvent(this, point));
    }

    private Task ExportAsync()
    {
        _text.SetLength(0);
        return _registry.CollectAndExportAsTextAsync(_text);
    }

    // As Prometheus does it: linear within the bucket.
    private static double? Quantile((double Bound, double Count)[] buckets, double quantile)
    {
        if (buckets.Length == 0 || buckets[^1].Count == 0) return null;
        double rank = quantile * buckets[^1].Count, below = 0, from = 0;
        foreach ((double bound, double count) in buckets)
        {
            if (count >= rank && double.IsInfinity(bound)) break;
            if (count >= rank) return 1000 * (from + ((bound - from) * (rank - below) / (count - below)));
            (from, below) = (bound, count);
        }

        return 1000 * from;
    }

    private static Counts Totals(ReadOnlySpan<byte> text)
    {
        double requests = 0, refused = 0, failed = 0;
        var buckets = new SortedDictionary<double, double>();
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.StartsWith("app_request_latency_seconds_bucket{"u8))
            {
                ReadOnlySpan<byte> bound = Label(line, "le=\""u8);
                double key = bound.SequenceEqual("+Inf"u8) ? double.PositiveInfinity : Number(bound);
                buckets[key] = buckets.GetValueOrDefault(key) + Value(line);
            }
            else if (line.StartsWith("app_requests_total{"u8))
            {
                requests += Value(line);
            }
            else if (line.StartsWith("http_requests_by_status_code_total{"u8))
            {
                ReadOnlySpan<byte> code = Label(line, "code=\""u8);
                if (RequestMetrics.IsFailure(code)) failed += Value(line);
                else if (code[0] >= (byte)'4') refused += Value(line);
            }
        }

        return new Counts(requests, refused, failed, buckets);
    }

    private static LiveReading Everything(ReadOnlySpan<byte> text)
    {
        double requests = 0;
        var byCode = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var byRoute = new Dictionary<string, double>(StringComparer.Ordinal);
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.Length == 0 || line[0] == (byte)'#') continue;
            if (line.StartsWith("app_requests_total{"u8))
            {
                requests += Value(line);
                if (Value(line) == 0) continue;
                string method = Encoding.UTF8.GetString(Label(line, "method=\""u8));
                byRoute[$"{method} {Encoding.UTF8.GetString(Label(line, "endpoint=\""u8))}"] = Value(line);
            }
            else if (line.StartsWith("http_requests_by_status_code_total{"u8))
            {
                if (Value(line) > 0) byCode[CodeName((int)Number(Label(line, "code=\""u8)))] = Value(line);
            }
            else if (IsFigure(line))
            {
                Match series = Series().Match(Encoding.UTF8.GetString(line[..line.LastIndexOf((byte)' ')]));
                string labels = ServiceLabel().Replace(series.Groups["labels"].Value, "").Trim(',');
                figures[$"{series.Groups["name"].Value} {labels}".TrimEnd()] = Value(line);
            }
        }

        return new LiveReading(requests, byCode, byRoute, figures);
    }

    private static string CodeName(int code)
    {
        bool hasGone = code == RequestMetrics.ClientClosedRequest;
        return $"{code / 100}xx: {code} {(hasGone ? "Client went away" : ReasonPhrases.GetReasonPhrase(code))}".TrimEnd();
    }

    // What the charts show, and what has a series for each product, is left to /metrics.
    private static bool IsFigure(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> name = line[..line.IndexOfAny((byte)'{', (byte)' ')];
        return !name.StartsWith("app_"u8) && !name.StartsWith("http_"u8) && !name.StartsWith("exposed_"u8)
            && !name.EndsWith("_bucket"u8) && !name.EndsWith("_sum"u8) && !name.EndsWith("_count"u8)
            && !name.EndsWith("_limit"u8)
            && line.IndexOf("product_id="u8) < 0;
    }

    private static ReadOnlySpan<byte> Label(ReadOnlySpan<byte> line, ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> rest = line[(line.IndexOf(start) + start.Length)..];
        return rest[..rest.IndexOf((byte)'"')];
    }

    private static double Value(ReadOnlySpan<byte> line) => Number(line[(line.LastIndexOf((byte)' ') + 1)..]);

    private static double Number(ReadOnlySpan<byte> text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static void WriteMap(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, double> map)
    {
        json.WriteStartObject(name);
        foreach ((string key, double value) in map) json.WriteNumber(key, value);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, LivePoint point)
    {
        json.WriteStartArray();
        json.WriteNumberValue(point.At.ToUnixTimeMilliseconds());
        ReadOnlySpan<double?> values =
            [point.Requests, point.Failed, point.P50, point.P95, point.P99, point.Refused];
        foreach (double? value in values)
        {
            if (value is { } number) json.WriteNumberValue(Math.Round(number, 2));
            else json.WriteNullValue();
        }

        json.WriteEndArray();
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer)) write(json);
        return buffer.ToArray();
    }

    [GeneratedRegex(@"^(?<name>[^{]+)(\{(?<labels>.*)\})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Series();

    [GeneratedRegex(",?service=\"[^\"]*\"", RegexOptions.None, 1000)]
    private static partial Regex ServiceLabel();

    private sealed record Counts(
        double Requests, double Refused, double Failed, SortedDictionary<double, double> Buckets);

    private sealed class HistoryEvent(LivePoint[] points) : FeedEvent("history")
    {
        public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult(Json(json =>
        {
            json.WriteStartArray();
            foreach (LivePoint point in points) Write(json, point);
            json.WriteEndArray();
        }));
    }

    private sealed class SecondEvent(LiveFigures figures, LivePoint? point) : FeedEvent("second")
    {
        // The registry is read by the first of those who watch, and for all of them.
        private readonly Lazy<Task<byte[]>> _data = new(async () =>
        {
            LiveReading reading = await figures.ReadAsync();
            return Json(json =>
            {
                json.WriteStartObject();
                json.WritePropertyName("point");
                if (point is null) json.WriteNullValue();
                else Write(json, point);
                json.WriteNumber("requests", reading.Requests);
                json.WriteNumber("traffic", figures._traffic.Rate);
                WriteMap(json, "codes", reading.ByCode);
                WriteMap(json, "routes", reading.ByRoute);
                WriteMap(json, "figures", reading.Figures);
                json.WriteEndObject();
            });
        });

        public override async ValueTask<byte[]> DataAsync() => await _data.Value;
    }
}
