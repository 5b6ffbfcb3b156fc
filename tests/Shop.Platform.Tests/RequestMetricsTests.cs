using System.Globalization;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Platform.Tests;

/// <summary>What the metrics of requests say of each limit and of each status.</summary>
internal sealed class RequestMetricsTests
{
    // By METRICS.md, and two more.
    private static readonly (RequestLimit Limit, string Reason)[] Reasons =
    [
        (RequestLimit.QueueFull, "queue_full"), (RequestLimit.QueueTimeout, "queue_timeout"),
        (RequestLimit.QueryTimeout, "query_timeout"), (RequestLimit.ClientRate, "client_rate"),
        (RequestLimit.TooManyRequests, "too_many_requests"),
        (RequestLimit.TooManyConnections, "too_many_connections"), (RequestLimit.BodyTooLarge, "body_too_large"),
        (RequestLimit.NoMemory, "no_memory"),
    ];

    private ModuleContext _module = null!;
    private RequestMetrics _metrics = null!;

    [SetUp]
    public void Make()
    {
        var identity = new ModuleIdentity("orders", "order-service", "Orders", "Orders.", 5002);
        ShopSettings settings = ShopSettings.Read(new ConfigurationBuilder().Build(), [identity]);
        _module = new ModuleContext(identity, settings, TimeProvider.System, NullLoggerFactory.Instance);
        _metrics = new ModuleListener(_module).Metrics;
    }

    [Test]
    public async Task Given_refusals_by_each_limit_then_each_is_counted_under_its_own_reason_and_there_from_the_start()
    {
        const string Metric = "app_requests_rejected_total";
        Assert.That((await ReadAsync(Metric, "reason")).OrderBy(reason => reason.Key, StringComparer.Ordinal),
            Is.EqualTo(Reasons.OrderBy(each => each.Reason, StringComparer.Ordinal)
                .Select(each => KeyValuePair.Create(each.Reason, 0d))));
        Assert.That(Reasons.Select(each => each.Limit), Is.EquivalentTo(Enum.GetValues<RequestLimit>()));
        for (int i = 0; i < Reasons.Length; i++)
        {
            for (int times = 0; times <= i; times++) _metrics.CountRefusal(Reasons[i].Limit);
        }

        Dictionary<string, double> counted = await ReadAsync(Metric, "reason");
        Assert.That(Reasons.Select(each => counted[each.Reason]), Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
    }

    // A route adds those that it can have.
    [TestCase(204)]
    [TestCase(400)]
    [TestCase(404)]
    [TestCase(405)]
    [TestCase(408)]
    [TestCase(414)]
    [TestCase(431)]
    [TestCase(499)]
    [TestCase(500)]
    [TestCase(503)]
    [TestCase(505)]
    public async Task Given_a_status_that_needs_no_route_then_its_series_is_there_from_the_start_so_that_a_rate_sees_the_first(
        int status) =>
        Assert.That((await ReadAsync("http_requests_by_status_code_total", "code"))[$"{status}"], Is.Zero);

    [TestCase(200, false)]
    [TestCase(304, false)]
    [TestCase(404, false)]
    [TestCase(429, false)]
    [TestCase(499, false)]
    [TestCase(500, true)]
    [TestCase(501, false)]
    [TestCase(502, true)]
    [TestCase(503, true)]
    [TestCase(504, true)]
    [TestCase(505, false)]
    [TestCase(507, true)]
    public async Task Given_an_answer_of_a_route_or_of_the_server_then_it_counts_as_failed_if_the_shop_is_to_blame(
        int status, bool isFailure)
    {
        RequestMetrics.RouteMetrics route = _metrics.Route("GET", "/orders");
        _metrics.Begin();
        _metrics.End(route, status, TimeSpan.FromMilliseconds(3));
        _metrics.CountServerRefusal(status);
        Dictionary<string, double> failed = await ReadAsync("app_requests_failed_total", "endpoint"),
            all = await ReadAsync("app_requests_total", "endpoint"),
            byCode = await ReadAsync("http_requests_by_status_code_total", "code");
        Assert.That((failed["/orders"], failed["unmatched"]), Is.EqualTo(isFailure ? (1d, 1d) : (0d, 0d)));
        Assert.That((all["/orders"], all["unmatched"], byCode[$"{status}"], _metrics.InProgress),
            Is.EqualTo((1d, 1d, 2d, 0)));
    }

    private async Task<Dictionary<string, double>> ReadAsync(string metric, string label)
    {
        using var text = new MemoryStream();
        await _module.Registry.CollectAndExportAsTextAsync(text);
        return Encoding.UTF8.GetString(text.ToArray()).Split('\n')
            .Where(line => line.StartsWith($"{metric}{{", StringComparison.Ordinal))
            .GroupBy(line => line.Split($"{label}=\"")[1].Split('"')[0], StringComparer.Ordinal)
            .ToDictionary(series => series.Key,
                series => series.Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture)),
                StringComparer.Ordinal);
    }
}
