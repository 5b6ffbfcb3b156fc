using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Prometheus;

namespace Shop.Platform.Live;

/// <summary>One second of a service.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Requests">Requests a second.</param>
/// <param name="Errors">Answers with 5xx a second.</param>
/// <param name="P50">Half of the requests took no longer, in milliseconds; from the histogram's buckets.</param>
/// <param name="P95">95 of 100 took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
internal sealed record LivePoint(DateTimeOffset At, double Requests, double Errors, double P50, double P95, double P99);

/// <summary>What a service's registry says now.</summary>
internal sealed record LiveReading(
    double Requests, double Errors, IReadOnlyDictionary<string, double> ByRoute, IReadOnlyDictionary<string, double> Figures, SortedDictionary<double, double> Buckets);

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
    private readonly MemoryStream _buffer = new();
    private volatile LiveReading _reading = new(0, 0, new Dictionary<string, double>(StringComparer.Ordinal), new Dictionary<string, double>(StringComparer.Ordinal), []);
    private DateTimeOffset _readAt;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LiveFigures(CollectorRegistry registry, TimeProvider clock, ILogger log)
    {
        _registry = registry;
        _clock = clock;
        _sampling = new Periodic("Reading the live figures", TimeSpan.FromSeconds(1), SampleAsync, clock, log);
    }

    /// <summary>The newest reading.</summary>
    public LiveReading Reading => _reading;

    /// <summary>The history, oldest first.</summary>
    public LivePoint[] Points()
    {
        lock (_points) return [.. _points];
    }

    public ValueTask DisposeAsync() => _sampling.DisposeAsync();

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
            yield return ("second", Json(WriteSecond));
        }
    }

    private async Task SampleAsync()
    {
        _buffer.SetLength(0);
        await _registry.CollectAndExportAsTextAsync(_buffer);
        DateTimeOffset now = _clock.GetUtcNow();
        LiveReading before = _reading, reading = Read(Encoding.UTF8.GetString(_buffer.GetBuffer(), 0, (int)_buffer.Length));
        double seconds = _readAt == default ? 1 : Math.Max(0.001, (now - _readAt).TotalSeconds);
        (double bound, double count)[] moved = [.. reading.Buckets.Select(bucket => (bucket.Key, bucket.Value - before.Buckets.GetValueOrDefault(bucket.Key)))];
        lock (_points)
        {
            if (_points.Count == History) _points.Dequeue();
            _points.Enqueue(new LivePoint(now, (reading.Requests - before.Requests) / seconds, (reading.Errors - before.Errors) / seconds,
                Quantile(moved, 0.50), Quantile(moved, 0.95), Quantile(moved, 0.99)));
        }

        _readAt = now;
        _reading = reading;
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
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

    private static LiveReading Read(string text)
    {
        double requests = 0, errors = 0;
        var byRoute = new Dictionary<string, double>(StringComparer.Ordinal);
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        var buckets = new SortedDictionary<double, double>();
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (line.Length == 0 || line[0] == '#') continue;
            int space = line.LastIndexOf(' ');
            ReadOnlySpan<char> series = line[..space];
            int brace = series.IndexOf('{');
            ReadOnlySpan<char> name = brace < 0 ? series : series[..brace];
            if (name is "app_request_latency_seconds_bucket")
            {
                ReadOnlySpan<char> bound = Label(series, "le");
                double key = bound is "+Inf" ? double.PositiveInfinity : double.Parse(bound, CultureInfo.InvariantCulture);
                buckets[key] = buckets.GetValueOrDefault(key) + Value(line, space);
            }
            else if (name is "app_requests_total")
            {
                double value = Value(line, space);
                requests += value;
                if (value > 0) byRoute[$"{Label(series, "method")} {Label(series, "endpoint")}"] = value;
            }
            else if (name is "http_requests_by_status_code_total")
            {
                if (Label(series, "code") is ['5', ..]) errors += Value(line, space);
            }
            else if (IsFigure(name, series))
            {
string labels = brace < 0 ? "" : ServiceLabel().Replace(series[(brace + 1)..^1].ToString(), "").Trim(',');
                figures[$"{name} {labels}".TrimEnd()] = Value(line, space);
            }
        }

        return new LiveReading(requests, errors, byRoute, figures, buckets);
    }

    private static bool IsFigure(ReadOnlySpan<char> name, ReadOnlySpan<char> series) =>
        !name.StartsWith("app_") && !name.EndsWith("_bucket") && !name.EndsWith("_sum") && !name.EndsWith("_count") && !name.EndsWith("_limit")
        && series.IndexOf("product_id=") < 0 && !name.StartsWith("exposed_");

    private static ReadOnlySpan<char> Label(ReadOnlySpan<char> series, string name)
    {
        int start = series.IndexOf($"{name}=\"");
        if (start < 0) return default;
        ReadOnlySpan<char> rest = series[(start + name.Length + 2)..];
        return rest[..rest.IndexOf('"')];
    }

    private static double Value(ReadOnlySpan<char> line, int space) => double.Parse(line[(space + 1)..], CultureInfo.InvariantCulture);

    private void WriteSecond(Utf8JsonWriter json)
    {
        LiveReading reading = _reading;
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

    [GeneratedRegex(",?service=\"[^\"]*\"", RegexOptions.None, 1000)]
    private static partial Regex ServiceLabel();
}
