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
        Counter codes = Metrics.WithCustomRegistry(registry).CreateCounter("http_requests_by_status_code_total", "By code.", ["code"]);
        foreach ((string code, int count) in new[] { ("200", 100), ("404", 50), ("499", 20), ("500", 1), ("501", 1000), ("503", 3), ("504", 5), ("505", 2000) })
            codes.WithLabels(code).Inc(count);
        await using var figures = new LiveFigures(registry, TimeProvider.System, NullLogger.Instance);
        Assert.That((await figures.ReadAsync()).Errors, Is.EqualTo(1 + 3 + 5));
    }
}
