namespace Shop.Platform.Live;

/// <summary>A chart of the console.</summary>
/// <param name="Key">Its name in the page.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Unit">The unit of its values, as its axis says it.</param>
/// <param name="Form">How it is drawn.</param>
/// <param name="Series">The lines or areas, from the bottom to the top.</param>
/// <param name="Explanations">What its "?" says.</param>
internal sealed record ConsoleChart(string Key, string Title, string Unit, ChartForm Form,
    IReadOnlyList<ChartSeries> Series, IReadOnlyList<Explanation> Explanations)
{
    /// <summary>What is shown beside the title, if it is the sum of the series.</summary>
    public ChartSeries? Sum { get; init; }
}

/// <summary>A line or an area of a chart.</summary>
/// <param name="Title">Its name in the legend.</param>
/// <param name="Column">Its place in a point of the history.</param>
/// <param name="Style">Its class in the style sheet.</param>
/// <param name="Figure">Name of the figure that is its newest value.</param>
internal sealed record ChartSeries(string Title, int Column, string Style, string Figure);

/// <summary>How a chart is drawn.</summary>
internal enum ChartForm
{
    /// <summary>Lines from zero up.</summary>
    Lines,

    /// <summary>Areas, each on top of those before it.</summary>
    Stacked,

    /// <summary>Lines on a logarithmic scale.</summary>
    Logarithmic,
}

/// <summary>The charts of the console, and what the "?" beside each of its figures says.</summary>
internal static class ConsoleCharts
{
    /// <summary>Requests by the class of their status.</summary>
    public static readonly ConsoleChart Requests = new("requests", "Requests a second", "/s", ChartForm.Stacked,
        [
            new("5xx", LiveSample.FailedColumn, "failed", "errors"),
            new("4xx", LiveSample.RefusedColumn, "refused", "refused"),
            new("3xx", LiveSample.RedirectedColumn, "redirected", "redirected"),
            new("2xx", LiveSample.SucceededColumn, "succeeded", "succeeded"),
        ],
        [
            new("Requests a second", "app_requests_total", MetricType.Counter,
                """sum(rate(app_requests_total{service="$service"}[1m]))""",
                "How many requests were answered. The console takes the last second, the query the last minute."),
            new("By class of the status", "http_requests_by_status_code_total", MetricType.Counter,
                """
                sum by (class) (label_replace(rate(http_requests_by_status_code_total{service="$service"}[1m]),
                  "class", "${1}xx", "code", "(.).."))
                """,
                "2xx is done, 3xx is elsewhere or unchanged, 4xx is a request that the shop refused, 5xx is a failure "
                + "of the shop. A 501 or 505, which a client provokes, counts here with 4xx."),
        ])
    {
        Sum = new("all", LiveSample.RequestsColumn, "", "rate"),
    };

    /// <summary>Latency by its quantiles.</summary>
    public static readonly ConsoleChart Latency = new("latency", "Latency", "ms", ChartForm.Logarithmic,
        [
            new("p50", LiveSample.P50Column, "low", "p50"),
            new("p95", LiveSample.P95Column, "middle", "p95"),
            new("p99", LiveSample.P99Column, "high", "p99"),
        ],
        [
            Quantile("p50, the median", "0.5", "Half of the requests took no longer: what a usual request takes."),
            Quantile("p95", "0.95", "95 of 100 requests took no longer. An average would hide the other five."),
            Quantile("p99", "0.99", "99 of 100 requests took no longer. With 100 requests a page, everybody meets it. "
                + "A quantile is computed from the histogram's buckets, so it is as exact as they are narrow."),
        ]);

    /// <summary>Work that is under way or waits.</summary>
    public static readonly ConsoleChart Saturation = new("saturation", "Under way and waiting", "", ChartForm.Lines,
        [
            new("Requests under way", LiveSample.InProgressColumn, "middle", "inprogress"),
            new("Writes that wait", LiveSample.WaitingColumn, "high", "waiting"),
        ],
        [
            new("Requests under way", "app_requests_in_progress", MetricType.Gauge,
                """sum(app_requests_in_progress{service="$service"})""",
                "Requests that are being worked on at this moment. It is about the rate times the latency, by "
                + "Little's law. It rises if the shop does not keep up."),
            new("Writes that wait", "db_write_queue_depth", MetricType.Gauge,
                """sum(db_write_queue_depth{service="$service"})""",
                "Writes that wait for the next commit. If the queue is full, the shop answers 503."),
        ]);

    /// <summary>Time of a commit.</summary>
    public static readonly ConsoleChart Commits = new("commits", "Commit to disk, p95", "ms", ChartForm.Logarithmic,
        [new("Commit, p95", LiveSample.CommitColumn, "high", "commit")],
        [
            new("Commit to disk, p95", "db_commit_seconds", MetricType.Histogram,
                """
                1000 * histogram_quantile(0.95, sum by (le)
                  (rate(db_commit_seconds_bucket{service="$service"}[1m])))
                """,
                "95 of 100 group commits took no longer, fsync included. It is what each write waits for at least. "
                + "There is no line while nothing is written."),
        ]);

    /// <summary>What the "?" of the table by endpoint says.</summary>
    public static readonly IReadOnlyList<Explanation> Endpoints =
    [
        new("Rate of an endpoint", "app_requests_total", MetricType.Counter,
            """sum by (method, endpoint) (rate(app_requests_total{service="$service"}[1m]))""",
            "Requests a second over the last minute, by method and route."),
        new("Failures of an endpoint", "app_requests_failed_total", MetricType.Counter,
            """
            100 * sum by (method, endpoint) (rate(app_requests_failed_total{service="$service"}[1m]))
              / sum by (method, endpoint) (rate(app_requests_total{service="$service"}[1m]) > 0)
            """,
            "Of 100 requests over the last minute, how many the shop failed to answer (5xx, but not 501 and 505)."),
        new("Latency of an endpoint", "app_request_latency_seconds", MetricType.Histogram,
            """
            1000 * histogram_quantile(0.95, sum by (le, method, endpoint)
              (rate(app_request_latency_seconds_bucket{service="$service"}[1m])))
            """,
            "95 of 100 requests over the last minute took no longer. Replace 0.95 by 0.5 for the median."),
    ];

    /// <summary>What the "?" of the table by status code says.</summary>
    public static readonly IReadOnlyList<Explanation> Codes =
    [
        new("Answers by status code", "http_requests_by_status_code_total", MetricType.Counter,
            """sum by (code) (http_requests_by_status_code_total{service="$service"})""",
            "Requests answered since the start of the shop. 499 is a client that went away before its answer."),
    ];

    /// <summary>The charts of every service: how it answers, and what holds it up.</summary>
    public static readonly IReadOnlyList<ConsoleChart> OfEveryService = [Requests, Latency, Saturation, Commits];

    /// <summary>The chart of a module's own business: the rates among its figures.</summary>
    public static ConsoleChart Business(IReadOnlyList<BusinessMetric> figures)
    {
        string[] styles = ["middle", "high", "low"];
        (int Index, BusinessMetric Item)[] rates =
            [.. figures.Index().Where(figure => figure.Item is { Type: MetricType.Counter, Seconds: 1 })];
        return new ConsoleChart("business", "Business, a second", "/s", ChartForm.Lines,
            [.. rates.Select((figure, i) => new ChartSeries(figure.Item.Title, LiveSample.FirstOwnColumn + figure.Index,
                styles[i], $"line{figure.Index}"))],
            [.. rates.Select(figure => figure.Item.Explanation)]);
    }

    private static Explanation Quantile(string title, string quantile, string meaning) =>
        new(title, "app_request_latency_seconds", MetricType.Histogram,
            $$"""
            1000 * histogram_quantile({{quantile}}, sum by (le)
              (rate(app_request_latency_seconds_bucket{service="$service"}[1m])))
            """,
            meaning);
}
