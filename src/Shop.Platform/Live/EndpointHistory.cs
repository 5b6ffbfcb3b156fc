namespace Shop.Platform.Live;

/// <summary>
/// The counts of each endpoint at some moments of the last minutes. The difference between two moments is what the
/// endpoint did in between.
/// </summary>
internal sealed class EndpointHistory
{
    /// <summary>Time between two moments, in seconds.</summary>
    public const int Step = 10;

    private const int Steps = 30, StepsOfAMinute = 60 / Step;

    private readonly Lock _lock = new();
    private readonly List<Moment> _moments = new(Steps + 1);

    /// <summary>Keeps the counts of a moment.</summary>
    public void Add(TimeSpan at, IReadOnlyDictionary<string, EndpointCounts> counts)
    {
        lock (_lock)
        {
            if (_moments.Count > Steps) _moments.RemoveAt(0);
            _moments.Add(new Moment(at, counts));
        }
    }

    /// <summary>What each endpoint did until now, the busiest first.</summary>
    public IReadOnlyList<EndpointActivity> Until(TimeSpan at, IReadOnlyDictionary<string, EndpointCounts> counts)
    {
        Moment[] moments;
        lock (_lock) moments = [.. _moments];
        var now = new Moment(at, counts);
        Moment? minuteAgo = moments.Length == 0 ? null : moments[Math.Max(0, moments.Length - 1 - StepsOfAMinute)];
        return [.. counts.Keys.Select(route => Activity(route, minuteAgo, now, moments))
            .OrderByDescending(endpoint => endpoint.Rate).ThenBy(endpoint => endpoint.Route, StringComparer.Ordinal)];
    }

    private static EndpointActivity Activity(string route, Moment? minuteAgo, Moment now, Moment[] moments)
    {
        EndpointCounts last = now.Of(route);
        if (minuteAgo is null) return new EndpointActivity(route, last.Requests, 0, null, null, null, []);
        EndpointCounts first = minuteAgo.Of(route);
        (double Bound, double Count)[] moved = [.. last.Buckets.Select((bucket, i) =>
            (bucket.Bound, bucket.Count - (i < first.Buckets.Count ? first.Buckets[i].Count : 0)))];
        double requests = last.Requests - first.Requests;
        return new EndpointActivity(route, last.Requests, Rate(route, minuteAgo, now),
            requests > 0 ? 100 * (last.Failed - first.Failed) / requests : null,
            HistogramQuantile.Milliseconds(moved, 0.50), HistogramQuantile.Milliseconds(moved, 0.95),
            [.. moments.Zip(moments.Skip(1), (one, next) => Rate(route, one, next))]);
    }

    private static double Rate(string route, Moment from, Moment to) =>
        (to.Of(route).Requests - from.Of(route).Requests) / Math.Max(0.001, (to.At - from.At).TotalSeconds);

    private sealed record Moment(TimeSpan At, IReadOnlyDictionary<string, EndpointCounts> Counts)
    {
        public EndpointCounts Of(string route) => Counts.GetValueOrDefault(route) ?? EndpointCounts.None;
    }
}

/// <summary>What the metrics of an endpoint have counted since the start.</summary>
internal sealed class EndpointCounts
{
    /// <summary>Those of an endpoint without requests.</summary>
    public static readonly EndpointCounts None = new();

    /// <summary>Requests answered.</summary>
    public double Requests { get; set; }

    /// <summary>Answers in which the shop failed.</summary>
    public double Failed { get; set; }

    /// <summary>Requests by their latency: the upper bound in seconds, and how many were no slower.</summary>
    public List<(double Bound, double Count)> Buckets { get; } = [];
}
