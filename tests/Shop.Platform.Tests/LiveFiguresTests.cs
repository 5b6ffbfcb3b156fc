using Microsoft.Extensions.Logging.Abstractions;
using Prometheus;
using Shop.Platform.Live;

namespace Shop.Platform.Tests;

internal sealed class LiveFiguresTests
{
    [Test]
    public async Task Given_answers_of_every_kind_when_the_console_counts_errors_then_those_that_clients_provoke_are_not_among_them()
    {
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        Counter codes = Codes(registry);
        await using var traffic = new DemoTraffic([], TimeProvider.System, NullLoggerFactory.Instance);
        await using var figures = new LiveFigures(registry, traffic, TimeProvider.System, NullLogger.Instance);
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
        await using var figures = new LiveFigures(registry, traffic, clock, NullLogger.Instance);
        await figures.Feed.NextAsync(0);
        for (int second = 1; second <= 4; second++)
        {
            if (second < 4) codes.WithLabels("503").Inc(100);
            clock.Set(TimeSpan.FromSeconds(seconds));
            await figures.Feed.NextAsync(second);
        }

        LivePoint[] points = figures.Points();
        Assert.Multiple(() =>
        {
            Assert.That(points.Zip(points.Skip(1), (one, next) => (next.At - one.At).TotalSeconds), Is.All.InRange(0.9, 60));
            Assert.That(Count(points, point => point.Failed), Is.EqualTo(300).Within(0.01));
            Assert.That(points.Max(point => point.Failed), Is.LessThan(400));
        });
    }

    private static Counter Codes(CollectorRegistry registry) =>
        Metrics.WithCustomRegistry(registry).CreateCounter("http_requests_by_status_code_total", "By code.", ["code"]);

    /// <summary>What rates and times come to since the first second.</summary>
    private static double Count(LivePoint[] points, Func<LivePoint, double> rate) =>
        points.Zip(points.Skip(1), (one, next) => rate(next) * (next.At - one.At).TotalSeconds).Sum();

    /// <summary>The machine's clock, which somebody sets. Time goes on all the same.</summary>
    private sealed class SetClock : TimeProvider
    {
        private long _off;

        public void Set(TimeSpan off) => Interlocked.Add(ref _off, off.Ticks);

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _off));
    }
}
