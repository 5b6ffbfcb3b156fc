using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Prometheus;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>One second of a service.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Requests">Requests a second.</param>
/// <param name="Errors">Answers with a 5xx of the shop's own a second.</param>
/// <param name="P50">Half of the requests took no longer, in milliseconds; from the histogram's buckets.</param>
/// <param name="P95">95 of 100 took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
internal sealed record LivePoint(DateTimeOffset At, double Requests, double Errors, double P50, double P95, double P99);

/// <summary>What a service's registry says, line by line, for those who look.</summary>
internal sealed record LiveReading(double Requests, double Errors, IReadOnlyDictionary<string, double> ByRoute, IReadOnlyDictionary<string, double> Figures);

/// <summary>
/// The figures of the console: the registry itself, read once a second, with five minutes of history in memory. So the console says what
/// <c>/metrics</c> says.
/// </summary>
internal sealed partial class LiveFigures : IAsyncDisposable
{
    /// <summary>Seconds of history.</summary>
    public const int History = 300;

    private readonly CollectorRegistry _registry;
    private readonly TimeProvider _clock;
    private readonly Periodic _sampling;
    private readonly Queue<LivePoint> _points = new(History);
    private readonly MemoryStream _text = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private (double Requests, double Errors, SortedDictionary<double, double> Buckets) _last = (0, 0, []);
    private DateTimeOffset _readAt;
    private LiveReading? _ofThisSecond;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LiveFigures(CollectorRegistry registry, TimeProvider clock, ILogger log)
    {
        _registry = registry;
        _clock = clock;
        _sampling = new Periodic("Reading the live figures", TimeSpan.FromSeconds(1), SampleAsync, clock, log);
    }

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

    /// <summary>The history as one event, and then each second as one.</summary>
    public async IAsyncEnumerable<(string Name, string Data)> EventsAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken end)
    {
        Task next = _next.Task;
        yield return ("history", Json(json =>
        {
            json.WriteStartArray();
            foreach (LivePoint point in Points()) Write(json, point);
            json.WriteEndArray();
        }));
        while (true)
        {
            await next.WaitAsync(end);
            next = _next.Task;
            LiveReading reading = await OfThisSecondAsync();
            yield return ("second", Json(json => WriteSecond(json, reading)));
        }
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

    // Read once, for all who watch.
    private async Task<LiveReading> OfThisSecondAsync()
    {
        await _reading.WaitAsync();
        try
        {
            return _ofThisSecond ??= Everything(_text.GetBuffer().AsSpan(0, (int)_text.Length));
        }
        finally
        {
            _reading.Release();
        }
    }

    // Done each second, whether or not anybody looks, so it takes no more than the charts need, and next to no memory.
    private async Task SampleAsync()
    {
        await _reading.WaitAsync();
        try
        {
            await ExportAsync();
            DateTimeOffset now = _clock.GetUtcNow();
            var read = Totals(_text.GetBuffer().AsSpan(0, (int)_text.Length));
            double seconds = _readAt == default ? 1 : Math.Max(0.001, (now - _readAt).TotalSeconds);
            (double, double)[] moved = [.. read.Buckets.Select(bucket => (bucket.Key, bucket.Value - _last.Buckets.GetValueOrDefault(bucket.Key)))];
            lock (_points)
            {
                if (_points.Count == History) _points.Dequeue();
                _points.Enqueue(new LivePoint(now, (read.Requests - _last.Requests) / seconds, (read.Errors - _last.Errors) / seconds,
                    Quantile(moved, 0.50), Quantile(moved, 0.95), Quantile(moved, 0.99)));
            }

            (_last, _readAt, _ofThisSecond) = (read, now, null);
        }
        finally
        {
            _reading.Release();
        }

        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private Task ExportAsync()
    {
        _text.SetLength(0);
        return _registry.CollectAndExportAsTextAsync(_text);
    }

    // As Prometheus does it: linear within the bucket.
    private static double Quantile((double Bound, double Count)[] buckets, double quantile)
    {
        if (buckets.Length == 0 || buckets[^1].Count == 0) return 0;
        double rank = quantile * buckets[^1].Count, below = 0, from = 0;
        foreach ((double bound, double count) in buckets)
        {
            if (count >= rank) return 1000 * (double.IsInfinity(bound) ? from : from + ((bound - from) * (rank - below) / (count - below)));
            (from, below) = (bound, count);
        }

        return 1000 * from;
    }

    private static (double Requests, double Errors, SortedDictionary<double, double> Buckets) Totals(ReadOnlySpan<byte> text)
    {
        double requests = 0, errors = 0;
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
            else if (line.StartsWith("http_requests_by_status_code_total{"u8) && RequestMetrics.IsFailure(Label(line, "code=\""u8)))
            {
                errors += Value(line);
            }
        }

        return (requests, errors, buckets);
    }

    private static LiveReading Everything(ReadOnlySpan<byte> text)
    {
        (double requests, double errors, _) = Totals(text);
        var byRoute = new Dictionary<string, double>(StringComparer.Ordinal);
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.Length == 0 || line[0] == (byte)'#') continue;
            if (line.StartsWith("app_requests_total{"u8))
            {
                if (Value(line) > 0) byRoute[$"{Encoding.UTF8.GetString(Label(line, "method=\""u8))} {Encoding.UTF8.GetString(Label(line, "endpoint=\""u8))}"] = Value(line);
            }
            else if (IsFigure(line))
            {
                Match series = Series().Match(Encoding.UTF8.GetString(line[..line.LastIndexOf((byte)' ')]));
                string labels = ServiceLabel().Replace(series.Groups["labels"].Value, "").Trim(',');
                figures[$"{series.Groups["name"].Value} {labels}".TrimEnd()] = Value(line);
            }
        }

        return new LiveReading(requests, errors, byRoute, figures);
    }

    // What the charts show, and what has a series for each product, is left to /metrics.
    private static bool IsFigure(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> name = line[..line.IndexOfAny((byte)'{', (byte)' ')];
        return !name.StartsWith("app_"u8) && !name.StartsWith("http_"u8) && !name.StartsWith("exposed_"u8)
            && !name.EndsWith("_bucket"u8) && !name.EndsWith("_sum"u8) && !name.EndsWith("_count"u8) && !name.EndsWith("_limit"u8)
            && line.IndexOf("product_id="u8) < 0;
    }

    private static ReadOnlySpan<byte> Label(ReadOnlySpan<byte> line, ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> rest = line[(line.IndexOf(start) + start.Length)..];
        return rest[..rest.IndexOf((byte)'"')];
    }

    private static double Value(ReadOnlySpan<byte> line) => Number(line[(line.LastIndexOf((byte)' ') + 1)..]);

    private static double Number(ReadOnlySpan<byte> text) => double.Parse(text, CultureInfo.InvariantCulture);

    private void WriteSecond(Utf8JsonWriter json, LiveReading reading)
    {
        LivePoint[] points = Points();
        json.WriteStartObject();
        json.WritePropertyName("point");
        Write(json, points[^1]);
        json.WriteNumber("requests", reading.Requests);
        json.WriteNumber("errors", reading.Errors);
        WriteMap(json, "routes", reading.ByRoute);
        WriteMap(json, "figures", reading.Figures);
        json.WriteEndObject();
    }

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
        foreach (double value in (ReadOnlySpan<double>)[point.Requests, point.Errors, point.P50, point.P95, point.P99]) json.WriteNumberValue(Math.Round(value, 2));
        json.WriteEndArray();
    }

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer)) write(json);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    [GeneratedRegex(@"^(?<name>[^{]+)(\{(?<labels>.*)\})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Series();

    [GeneratedRegex(",?service=\"[^\"]*\"", RegexOptions.None, 1000)]
    private static partial Regex ServiceLabel();
}
