using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Prometheus;
using Shop.Platform.Live;
using Shop.Platform.Modules;
using Shop.Testing;

namespace Shop.Platform.Tests;

internal sealed class LiveMetricsTests
{
    [Test]
    public async Task Given_answers_of_every_kind_when_the_console_counts_errors_then_those_that_clients_provoke_are_not_among_them()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        Counter codes = Codes(registry);
        await using var traffic = new DemoTraffic([], TimeProvider.System, NullLoggerFactory.Instance);
        await using var figures = Figures(registry, traffic, TimeProvider.System);
        await figures.Feed.NextAsync(0);
        string[] failed = ["500", "503", "504"], refused = ["400", "404", "429", "499", "501", "505"];
        foreach (string code in failed) codes.WithLabels(code).Inc(2);
        foreach (string code in refused) codes.WithLabels(code).Inc(100);
        codes.WithLabels("200").Inc(1000);
        // All of them are within one second, or within two if they fall on its end.
        for (int second = 1; second <= 2; second++) await figures.Feed.NextAsync(second);
        Assert.Multiple(() =>
        {
            Assert.That(Count(figures.Points(), point => point.Failed), Is.EqualTo(6).Within(0.01));
            Assert.That(Count(figures.Points(), point => point.Refused), Is.EqualTo(600).Within(0.01));
        });
    }

    [Test]
    public async Task Given_a_clock_that_is_set_when_requests_come_then_the_console_shows_their_rate_and_times_that_go_on(
        [Values(-3600, -5, 5, 3600)] int seconds)
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        Counter codes = Codes(registry);
        var clock = new SetClock();
        await using var traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance);
        await using var figures = Figures(registry, traffic, clock);
        await figures.Feed.NextAsync(0);
        for (int second = 1; second <= 4; second++)
        {
            if (second < 4) codes.WithLabels("503").Inc(100);
            clock.Set(TimeSpan.FromSeconds(seconds));
            await figures.Feed.NextAsync(second);
        }

        LiveSample[] points = figures.Points();
        Assert.Multiple(() =>
        {
            Assert.That(
                points.Zip(points.Skip(1), (one, next) => (next.At - one.At).TotalSeconds), Is.All.InRange(0.9, 60));
            Assert.That(Count(points, point => point.Failed), Is.EqualTo(300).Within(0.01));
            Assert.That(points.Max(point => point.Failed), Is.LessThan(400));
        });
    }

    // Expected values by hand: what lies within a bucket lies evenly in it, and what lies above
    // the last bound is at that.
    [Test]
    public async Task Given_seconds_that_are_neither_steady_nor_round_then_each_point_has_their_rates_and_times_and_no_others()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        MetricFactory metrics = Metrics.WithCustomRegistry(registry);
        Counter codes = Codes(registry);
        Counter requests = metrics.CreateCounter("app_requests_total", "Requests.", ["method", "endpoint"]);
        Histogram latency = metrics.CreateHistogram(
            "app_request_latency_seconds", "Latency.", new HistogramConfiguration
            {
                LabelNames = ["method", "endpoint"],
                Buckets = [.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10],
            });
        Gauge.Child underWay = metrics.CreateGauge("app_requests_in_progress", "Under way.", ["service"])
            .WithLabels("x");
        Histogram commits = metrics.CreateHistogram(
            "db_commit_seconds", "Commits.", new HistogramConfiguration { Buckets = [.01, .02] });
        Counter sold = metrics.CreateCounter("things_sold_total", "Sold.", ["kind"]);
        metrics.CreateCounter("things_sold_total_of_another_name", "Not sold.").Inc(1000);
        Gauge inStock = metrics.CreateGauge("things_in_stock", "In stock.");
        void Answer(string route, string code, int times, double seconds)
        {
            requests.WithLabels("GET", route).Inc(times);
            codes.WithLabels(code).Inc(times);
            for (int i = 0; i < times; i++) latency.WithLabels("GET", route).Observe(seconds);
        }

        var clock = new ManualClock();
        await using var traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance);
        Answer("/before", "500", 1000, 3);
        await using var figures = Figures(registry, traffic, clock);
        await clock.PassAsync(TimeSpan.Zero); // once what was before has been read
        Answer("/a", "200", 40, 0.003);
        Answer("/b", "404", 29, 0.02);
        Answer("/b", "501", 6, 0.02);
        Answer("/a", "503", 19, 0.07);
        Answer("/b", "429", 4, 0.3);
        Answer("/c", "500", 2, 20);
        underWay.Set(3);
        for (int i = 0; i < 20; i++) commits.Observe(0.015);
        sold.WithLabels("sold").Inc(20);
        sold.WithLabels("given away").Inc(100);
        inStock.Set(7);
        await SecondAsync(1.6);
        underWay.Set(0);
        Answer("/a", "200", 4, 0.0007);
        Answer("/a", "304", 3, 0.003);
        await SecondAsync(1);
        inStock.Set(4);
        await SecondAsync(2.5);

        // Requests; failed; p50; p95; p99; refused; 2xx; 3xx; under way; waiting; commit; sold;
        // sales a minute; in stock.
        double?[][] expected =
        [
            // 100, 21, 39, 40 in 1.6 seconds
            [62.5, 13.12, 14.29, 312.5, 10_000, 24.38, 25, 0, 3, 0, 19.5, 12.5, 750, 7],
            [7, 0, 0.94, 4.71, 4.94, 0, 4, 3, 0, 0, null, 0, 0, 7],
            [0, 0, null, null, null, 0, 0, 0, 0, 0, null, 0, 0, 4],
        ];
        (JsonNode history, JsonNode last) = await TellAsync(figures);
        Assert.That(
            history.AsArray().Select(point => point!.AsArray().Skip(1).Select(value => (double?)value)),
            Is.EqualTo(expected));
        Assert.That(
            history.AsArray().Select(point => (long)point![0]!),
            Is.EqualTo(new long[] { 1600, 2600, 5100 }
                .Select(at => at + DateTimeOffset.MinValue.ToUnixTimeMilliseconds())));
        Assert.That(last["point"]!.ToJsonString(), Is.EqualTo(history[2]!.ToJsonString()));
        Assert.That((double)last["requests"]!, Is.EqualTo(1107));
        Assert.That(last["codes"]!.AsObject().Select(code => $"{code.Key} {code.Value}"), Is.EqualTo(new[]
        {
            "2xx: 200 OK 44", "3xx: 304 Not Modified 3", "4xx: 404 Not Found 29", "4xx: 429 Too Many Requests 4",
            "5xx: 500 Internal Server Error 1002", "5xx: 501 Not Implemented 6", "5xx: 503 Service Unavailable 19",
        }));
        Assert.That(
            last["routes"]!.AsObject().Select(route => $"{route.Key} {route.Value}"),
            Is.EquivalentTo(new[] { "GET /before 1000", "GET /a 66", "GET /b 39", "GET /c 2" }));

        async Task SecondAsync(double seconds)
        {
            int points = figures.Points().Length;
            await clock.PassAsync(TimeSpan.FromSeconds(seconds));
            while (figures.Points().Length == points) await Task.Yield();
        }
    }

    // By hand: in the minute before the end, /a has 60 requests, 30 of them in its last ten seconds.
    [Test]
    public async Task Given_endpoints_when_they_are_asked_for_then_each_has_its_rate_failures_and_latency_of_the_last_minute()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        MetricFactory metrics = Metrics.WithCustomRegistry(registry);
        Counter requests = metrics.CreateCounter("app_requests_total", "Requests.", ["method", "endpoint"]);
        Counter failed = metrics.CreateCounter("app_requests_failed_total", "Failed.", ["method", "endpoint"]);
        Histogram latency = metrics.CreateHistogram("app_request_latency_seconds", "Latency.",
            new HistogramConfiguration { LabelNames = ["method", "endpoint"], Buckets = [.01, .02] });
        void Answer(string route, int times, double seconds)
        {
            requests.WithLabels("GET", route).Inc(times);
            for (int i = 0; i < times; i++) latency.WithLabels("GET", route).Observe(seconds);
        }

        var clock = new ManualClock();
        await using var traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance);
        Answer("/a", 1000, 3);
        failed.WithLabels("GET", "/a").Inc(1000);
        requests.WithLabels("GET", "/never").Inc(0);
        await using var figures = Figures(registry, traffic, clock);
        await clock.PassAsync(TimeSpan.Zero);
        for (int second = 1; second <= 360; second++)
        {
            if (second is > 300 and <= 330) Answer("/a", 1, 0.015);
            if (second > 350) Answer("/a", 3, 0.005);
            if (second == 355) failed.WithLabels("GET", "/a").Inc(6);
            if (second == 10) Answer("/b", 5, 0.005);
            int points = figures.Points().Length;
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            while (figures.Points().Length == points) await Task.Yield();
        }

        (_, JsonNode last) = await TellAsync(figures);
        JsonNode[] endpoints = [.. last["endpoints"]!.AsArray().Select(endpoint => endpoint!)];
        Assert.That(
            endpoints.Select(endpoint => (string)endpoint["route"]!), Is.EqualTo(new[] { "GET /a", "GET /b" }),
            "the busiest first");
        Assert.That(
            ((double)endpoints[0]["requests"]!, (double)endpoints[0]["rate"]!, (double)endpoints[0]["failed"]!),
            Is.EqualTo((1060d, 1d, 10d)));
        Assert.That(((double)endpoints[0]["p50"]!, (double)endpoints[0]["p95"]!), Is.EqualTo((10d, 19d)));
        Assert.That(
            endpoints[0]["rates"]!.AsArray().Select(rate => (double)rate!),
            Is.EqualTo([.. new double[24], 1d, 1d, 1d, 0d, 0d, 3d]));
        Assert.That(
            ((double)endpoints[1]["rate"]!, endpoints[1]["failed"], endpoints[1]["p95"]),
            Is.EqualTo((0d, (JsonNode?)null, (JsonNode?)null)));
    }

    [Test]
    public async Task Given_faults_that_are_switched_on_and_off_then_the_console_says_from_when_to_when()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        Gauge active = Metrics.WithCustomRegistry(registry).CreateGauge("shop_fault_active", "On.", ["fault"]);
        var clock = new ManualClock();
        await using var traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance);
        active.WithLabels("slow_commits").Set(0);
        await using var figures = Figures(registry, traffic, clock);
        await clock.PassAsync(TimeSpan.Zero);
        foreach ((string fault, int value) in new[]
        {
            ("slow_commits", 1), ("memory_leak", 1), ("slow_commits", 0), ("slow_commits", 1),
        })
        {
            active.WithLabels(fault).Set(value);
            int points = figures.Points().Length;
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            while (figures.Points().Length == points) await Task.Yield();
        }

        (_, JsonNode last) = await TellAsync(figures);
        long start = (long)last["started"]!;
        Assert.That((string)last["version"]!, Is.EqualTo("1.2.3"));
        Assert.That(
            last["faults"]!.AsArray()
            .Select(fault => ((string)fault!["name"]!, (long)fault["from"]! - start, (long?)fault["until"] - start)),
            Is.EqualTo(
                new[] { ("slow_commits", 1000L, (long?)3000), ("memory_leak", 2000, null),
                ("slow_commits", 4000, null) }));
    }

    [Test]
    public void Given_faults_of_long_ago_then_what_ended_before_the_chart_begins_goes_and_what_still_runs_stays()
    {
        DateTimeOffset start = DateTimeOffset.UnixEpoch, end = start.AddSeconds(1);
        var annotations = new ChartAnnotations(start, "1.2.3");
        annotations.Active(["short", "long"], start);
        annotations.Active(["long"], end);
        annotations.Active(["long"], end.AddSeconds(LiveMetrics.History));
        ChartAnnotations.FaultSpan ended = new("short", start, end), runs = new("long", start, null);
        Assert.That(annotations.Faults, Is.EqualTo(new[] { ended, runs }));
        annotations.Active(["long"], end.AddSeconds(LiveMetrics.History + 1));
        Assert.That(annotations.Faults, Is.EqualTo(new[] { runs }));
    }

    [Test]
    public async Task Given_more_seconds_than_are_kept_then_the_last_nine_hundred_are_left()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        Counter requests = Metrics.WithCustomRegistry(registry).CreateCounter("app_requests_total", "Requests.");
        var clock = new ManualClock();
        await using var traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance);
        await using var figures = Figures(registry, traffic, clock);
        for (int second = 1; second <= 903; second++)
        {
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            await figures.Feed.NextAsync(second - 1);
        }

        LiveSample[] points = figures.Points();
        Assert.That((points.Length, (points[^1].At - points[0].At).TotalSeconds), Is.EqualTo((900, 899d)));
        Assert.That(requests.Value, Is.Zero);
    }

    private static async Task<(JsonNode History, JsonNode Last)> TellAsync(LiveMetrics figures)
    {
        EventFeed.Batch batch = await figures.Feed.OpenAsync(null);
        JsonNode[] events = await Task.WhenAll(batch.Events.Select(
            async happened => JsonNode.Parse(Encoding.UTF8.GetString(await happened.DataAsync()))!));
        return (events[0], events[1]);
    }

    private static LiveMetrics Figures(CollectorRegistry registry, DemoTraffic traffic, TimeProvider clock)
    {
        var module = new ModuleIdentity("shop", "shop-service", "Shop", "A shop.", 1)
        {
            BusinessMetrics =
            [
                new("Sold", "things_sold_total", MetricType.Counter, "Sold.") { Label = "kind=\"sold\"" },
                new("Sold a minute", "things_sold_total", MetricType.Counter, "Sold.")
                {
                    Label = "kind=\"sold\"",
                    Seconds = 60,
                },
                new("In stock", "things_in_stock", MetricType.Gauge, "In stock."),
            ],
        };
        return new LiveMetrics(registry, traffic, clock, NullLogger.Instance, module, new BuildInfo("1.2.3", "abc"));
    }

    private static Counter Codes(CollectorRegistry registry) =>
        Metrics.WithCustomRegistry(registry).CreateCounter("http_requests_by_status_code_total", "By code.", ["code"]);

    /// <summary>What rates and times come to since the first second.</summary>
    private static double Count(LiveSample[] points, Func<LiveSample, double> rate) =>
        points.Zip(points.Skip(1), (one, next) => rate(next) * (next.At - one.At).TotalSeconds).Sum();

    /// <summary>The machine's clock, which somebody sets. Time goes on all the same.</summary>
    private sealed class SetClock : TimeProvider
    {
        private long _off;

        public void Set(TimeSpan off) => Interlocked.Add(ref _off, off.Ticks);

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _off));
    }
}
