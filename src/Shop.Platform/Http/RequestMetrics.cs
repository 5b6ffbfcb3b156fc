using Microsoft.AspNetCore.Http;
using Prometheus;
using Shop.Platform.Modules;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Http;

/// <summary>
/// The request metrics of one module. Children are resolved when the routes are built, not per request.
/// </summary>
public sealed class RequestMetrics
{
    /// <summary>Endpoint label of unmatched requests.</summary>
    public const string Unmatched = "unmatched";

    /// <summary>The client went away before it had its answer.</summary>
    public const int ClientClosedRequest = 499;

    private static readonly string[] StandardMethods =
        [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Put, HttpMethods.Delete,
            HttpMethods.Connect, HttpMethods.Options, HttpMethods.Trace, HttpMethods.Patch];

    // In the order of RequestLimit.
    private static readonly string[] LimitNames =
    [
        "queue_full", "queue_timeout", "query_timeout", "client_rate", "too_many_requests", "too_many_connections",
        "body_too_large", "no_memory",
    ];

    /// <summary>
    /// Statuses that need no route: the pipeline's own, and those that the server answers by itself. Each route adds
    /// what it may answer.
    /// </summary>
    private static readonly int[] CodesWithoutRoute =
        [204, 400, 404, 405, 408, 414, 431, ClientClosedRequest, 500, 503, 505];

    private readonly Counter _requests, _failed, _byCode;
    private readonly Histogram _latency;
    private readonly Counter.Child?[] _codes = new Counter.Child?[600];
    private readonly Counter.Child[] _refused;
    private readonly Counter _evicted;
    private readonly Dictionary<string, RouteMetrics> _unmatched = new(StringComparer.Ordinal);
    private readonly RouteMetrics _unmatchedOther;
    private int _inProgress;

    internal RequestMetrics(ModuleContext module)
    {
        _requests = module.Metrics.CreateCounter("app_requests_total", "Requests answered, by method and route.",
            ["method", "endpoint"]);
        _failed = module.Metrics.CreateCounter("app_requests_failed_total",
            "Requests that the shop failed to answer, by method and route: 5xx, but not 501 and 505.",
            ["method", "endpoint"]);
        _byCode = module.Metrics.CreateCounter("http_requests_by_status_code_total",
            "Requests answered, by status code; 499 is a client that went away.", ["code"]);
        _latency = module.Metrics.CreateHistogram("app_request_latency_seconds",
            "Time from the first middleware until the last byte is handed to the server, in seconds.",
            new HistogramConfiguration
            {
                LabelNames = ["method", "endpoint"],
                ExemplarBehavior = TraceExemplars.OfRecorded,
                Buckets = [.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10],
            });
        Gauge inProgress = module.Metrics.CreateGauge("app_requests_in_progress", "Requests being worked on now.");
        module.Registry.AddBeforeCollectCallback(() => inProgress.Set(InProgress));
        Counter rejected = module.Metrics.CreateCounter("app_requests_rejected_total", "Requests refused by a limit.",
            ["reason"]);
        _refused = [.. LimitNames.Select(reason => rejected.WithLabels(reason))];
        _evicted = module.Metrics.CreateCounter("app_connections_gave_way_total",
            "Connections that were closed for others, because there was no room and they waited for their client.");

        Expect(CodesWithoutRoute);
        foreach (string method in StandardMethods)
            _unmatched[method] = new RouteMetrics(this, method, Unmatched, hasLatencyFromStart: false);
        _unmatchedOther = new RouteMetrics(this, "other", Unmatched, hasLatencyFromStart: false);
    }

    /// <summary>
    /// Whether a status code is a failure of the shop's own: a 5xx, but not what a client provokes against the
    /// protocol.
    /// </summary>
    internal static bool IsFailure(ReadOnlySpan<byte> code) =>
        code[0] == (byte)'5' && !code.SequenceEqual("501"u8) && !code.SequenceEqual("505"u8);

    private static bool IsFailure(int code) => code >= 500 && code is not (501 or 505);

    /// <summary>Requests being worked on now.</summary>
    public int InProgress => Volatile.Read(ref _inProgress);

    /// <summary>The metrics of one route, at 0 from now on.</summary>
    public RouteMetrics Route(string method, string template) => new(this, method, template, hasLatencyFromStart: true);

    /// <summary>The metrics of a page: its latency exists from its first request on.</summary>
    public RouteMetrics Page(string method, string template) => new(this, method, template, hasLatencyFromStart: false);

    /// <summary>Statuses that requests may be answered with: they are at 0 from now on.</summary>
    internal void Expect(IEnumerable<int> codes)
    {
        foreach (int code in codes) _codes[code] ??= _byCode.WithLabels(code.ToString());
    }

    /// <summary>Counts a request that a limit refused.</summary>
    public void CountRefusal(RequestLimit limit) => _refused[(int)limit].Inc();

    /// <summary>A connection that waited for its client was closed for another.</summary>
    internal void CountEviction() => _evicted.Inc();

    internal int Begin() => Interlocked.Increment(ref _inProgress);

    internal void End(RouteMetrics route, int code, TimeSpan duration)
    {
        Interlocked.Decrement(ref _inProgress);
        route.Observe(duration);
        if (IsFailure(code)) route.CountFailure();
        Count(code);
        if (code == StatusCodes.Status413PayloadTooLarge) CountRefusal(RequestLimit.BodyTooLarge);
    }

    /// <summary>The metrics of an unmatched request.</summary>
    internal RouteMetrics ForUnmatched(string method) => _unmatched.GetValueOrDefault(method, _unmatchedOther);

    /// <summary>
    /// The server refused a request before the shop saw it: its head was malformed, too large or too slow.
    /// </summary>
    internal void CountServerRefusal(int code)
    {
        _unmatchedOther.Count();
        if (IsFailure(code)) _unmatchedOther.CountFailure();
        Count(code);
    }

    /// <summary>A connection beyond the limit was answered when it sent a request.</summary>
    internal void CountRefusedConnection()
    {
        CountServerRefusal(StatusCodes.Status503ServiceUnavailable);
        CountRefusal(RequestLimit.TooManyConnections);
    }

    private void Count(int code) => (_codes[code] ??= _byCode.WithLabels(code.ToString())).Inc();

    /// <summary>The children of one method and route.</summary>
    public sealed class RouteMetrics
    {
        private readonly RequestMetrics _metrics;
        private readonly Counter.Child _requests;
        private readonly Counter.Child _failed;
        private Histogram.Child? _latency;

        internal RouteMetrics(RequestMetrics metrics, string method, string template, bool hasLatencyFromStart)
        {
            _metrics = metrics;
            Method = method;
            Template = template;
            SpanName = template == Unmatched ? method : $"{method} {template}";
            _requests = metrics._requests.WithLabels(method, template);
            _failed = metrics._failed.WithLabels(method, template);
            // Histograms of requests that may never come would be a third of an idle module's series.
            if (hasLatencyFromStart) _latency = metrics._latency.WithLabels(method, template);
        }

        /// <summary>The method, as the metrics name it.</summary>
        internal string Method { get; }

        /// <summary>The route, as the metrics name it.</summary>
        internal string Template { get; }

        /// <summary>The name of a request's span.</summary>
        internal string SpanName { get; }

        internal void Count() => _requests.Inc();

        internal void Observe(TimeSpan duration)
        {
            _requests.Inc();
            // If two requests do this at once, both get the same histogram.
            _latency ??= _metrics._latency.WithLabels(Method, Template);
            _latency.Observe(duration.TotalSeconds);
        }

        internal void CountFailure() => _failed.Inc();
    }
}
