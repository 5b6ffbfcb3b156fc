using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Shop.Telemetry.Tests;

/// <summary>What leaves the shop, seen by a receiver that nobody of the shop's own shares code with.</summary>
internal sealed class TraceTests
{
    private string _directory = null!;
    private OtlpReceiver _receiver = null!;

    [SetUp]
    public async Task BeginAsync()
    {
        _directory = Directory.CreateTempSubdirectory("shop-traces-").FullName;
        _receiver = await OtlpReceiver.StartAsync();
    }

    [TearDown]
    public async Task EndAsync()
    {
        await _receiver.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Test]
    public async Task Given_orders_at_once_when_one_is_followed_then_its_trace_leads_through_three_services_to_the_commits_that_carried_it()
    {
        const int Orders = 20;
        using ShopProcess shop = await StartAsync();
        var sent = Enumerable.Range(1, Orders).Select(i => (TraceId: $"{i:x32}", SpanId: $"{i + 256:x16}")).ToArray();
        HttpResponseMessage[] answers = await Task.WhenAll(
            sent.Select(order => OrderAsync(shop, "prod_0", $"00-{order.TraceId}-{order.SpanId}-01")));
        Assert.That(answers.Select(answer => answer.StatusCode), Is.All.EqualTo(HttpStatusCode.Created));

        await _receiver.UntilAsync(seen => sent.All(order =>
            seen.Spans.Any(span => span.TraceId == order.TraceId && span.Name == "POST /orders")) ? seen : null);
        foreach ((string traceId, string spanId) in sent)
        {
            SeenSpan request = await FindAsync(traceId, "POST /orders", SpanKind.Server, "order-service", spanId);
            Assert.That(request.Attributes, Is.SupersetOf(new Dictionary<string, string>
            {
                ["http.request.method"] = "POST",
                ["http.route"] = "/orders",
                ["http.response.status_code"] = "201",
                ["url.path"] = "/api/orders",
                ["url.scheme"] = "http",
            }));
            SeenSpan asks = await FindAsync(traceId, "ProductCatalogue/Find", SpanKind.Client,
                "order-service", request.SpanId);
            await FindAsync(traceId, "ProductCatalogue/Find", SpanKind.Server, "product-service", asks.SpanId);
            SeenSpan calls = await FindAsync(traceId, "Inventory/Reserve", SpanKind.Client,
                "order-service", request.SpanId);
            SeenSpan reserves = await FindAsync(traceId, "Inventory/Reserve", SpanKind.Server,
                "inventory-service", calls.SpanId);
            await AssertIsCarriedAsync(
                span => span.ParentId == reserves.SpanId && span.Name.EndsWith(" inventory", StringComparison.Ordinal),
                "COMMIT inventory");
            await AssertIsCarriedAsync(
                span => span.ParentId == request.SpanId && span.Name.EndsWith(" orders", StringComparison.Ordinal),
                "COMMIT orders");
        }

        string[] services = [.. _receiver.Spans.Select(span => span.Service).Distinct().Order(StringComparer.Ordinal)];
        Assert.That(services, Is.EqualTo(new[] { "inventory-service", "order-service", "product-service" }));
        Assert.That(_receiver.Spans.Select(span => span.Resource.GetValueOrDefault("service.version")), Has.None.Null);
        Assert.That(_receiver.Spans.Select(span => span.Resource["service.instance.id"]).Distinct().Count(),
            Is.EqualTo(1));
    }

    [Test]
    public async Task Given_a_trace_when_histograms_are_scraped_then_a_bucket_leads_to_it()
    {
        using ShopProcess shop = await StartAsync();
        const string TraceId = "0af7651916cd43dd8448eb211c80319c";
        await OrderAsync(shop, "prod_0", $"00-{TraceId}-b7ad6b7169203331-01");
        using var scrape = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        scrape.Headers.TryAddWithoutValidation("Accept", "application/openmetrics-text; version=1.0.0");
        using HttpResponseMessage answer = await shop.Orders.SendAsync(scrape);
        string[] lines = (await answer.Content.ReadAsStringAsync()).Split('\n');
        string[] leading = [.. lines.Where(
            line => line.Contains($"# {{trace_id=\"{TraceId}\"", StringComparison.Ordinal))];
        Assert.That(
            leading.Where(line => line.StartsWith("app_request_latency_seconds_bucket{", StringComparison.Ordinal)
                && line.Contains("endpoint=\"/orders\"", StringComparison.Ordinal)),
            Has.One.Items, string.Join('\n', leading));
        Assert.That(lines.Where(line => line.StartsWith("db_commit_seconds_bucket{", StringComparison.Ordinal)
                && line.Contains("# {trace_id=", StringComparison.Ordinal)),
            Is.Not.Empty);
        Assert.That(lines.Where(line => line.Contains("# {trace_id=", StringComparison.Ordinal))
                .Select(line => line.Split('{')[0]).Distinct(),
            Is.SubsetOf(new[] { "app_request_latency_seconds_bucket", "db_commit_seconds_bucket" }),
            "exemplars elsewhere");
    }

    [Test]
    public async Task Given_a_request_that_is_refused_when_it_is_looked_for_by_its_trace_id_then_its_span_and_its_log_line_say_why()
    {
        using ShopProcess shop = await StartAsync();
        using HttpResponseMessage answer = await OrderAsync(shop, "no_such_product");
        string traceId = (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["trace_id"]!;

        SeenSpan span = await _receiver.UntilAsync(seen => seen.Spans.SingleOrDefault(
            span => span.TraceId == traceId && span.Kind == SpanKind.Server && span.Service == "order-service"));
        SeenLog line = await _receiver.UntilAsync(seen => seen.Logs.SingleOrDefault(line => line.TraceId == traceId));
        Assert.Multiple(() =>
        {
            Assert.That(span.ParentId, Is.Empty);
            Assert.That(span.Attributes["http.response.status_code"], Is.EqualTo("422"));
            Assert.That(span.IsError, Is.False, "what a client does wrong is no failure of the service");
            Assert.That(span.Events.Single().Name, Is.EqualTo("request.refused"));
            Assert.That(span.Events.Single().Attributes["error.type"], Is.EqualTo("unknown-product"));
            Assert.That(line.Service, Is.EqualTo("order-service"));
            Assert.That(line.SpanId, Is.EqualTo(span.SpanId));
            Assert.That(line.Body, Does.Contain("no_such_product").And.Contain(traceId));
        });
    }

    [Test]
    public async Task Given_requests_with_a_query_then_their_spans_have_the_path_alone_and_no_more_than_256_characters_of_it()
    {
        using ShopProcess shop = await StartAsync();
        string path = $"/api/orders/{new string('x', 300)}";
        (string Method, string Target, string Path)[] requests =
        [
            ("GET", "/api/orders?customer_id=secret&limit=3", "/api/orders"), ("GET", path, path[..256]),
            ("BREW", "/orders?secret=1", "/orders"), ("GET", "/nowhere/secre%74?secret", "/nowhere/secret"),
        ];
        for (int i = 0; i < requests.Length; i++)
        {
            await shop.Orders.SendJsonAsync(new HttpMethod(requests[i].Method), requests[i].Target, null,
                ("traceparent", $"00-{i + 1:x32}-b7ad6b7169203331-01"));
        }

        SeenSpan[] spans = await _receiver.UntilAsync(seen =>
        {
            SeenSpan[] found = [.. Enumerable.Range(1, requests.Length).SelectMany(n => seen.Spans.Where(
                span => span.TraceId == $"{n:x32}" && span.Kind == SpanKind.Server))];
            return found.Length == requests.Length ? found : null;
        });
        Assert.That(spans.Select(span => span.Attributes["url.path"]), Is.EqualTo(requests.Select(sent => sent.Path)));
        Assert.That(spans.Select(span => span.Attributes["http.request.method"]),
            Is.EqualTo(new[] { "GET", "GET", "_OTHER", "GET" }));
        Assert.That(spans.Select(span => span.Attributes.GetValueOrDefault("http.route")),
            Is.EqualTo(new[] { "/orders", "/orders/{order_id}", null, null }));
        Assert.That(_receiver.Spans.SelectMany(span => span.Attributes.Values)
            .Where(value => value.Contains("secret", StringComparison.Ordinal)),
            Is.EqualTo(new[] { "/nowhere/secret" }));
    }

    [Test]
    public async Task Given_a_service_that_is_down_and_answers_that_fail_when_orders_are_traced_then_they_fail_all_the_same_and_their_spans_say_so()
    {
        using ShopProcess shop = await StartAsync();
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/inventory_down", new { intensity = 1 });
        using HttpResponseMessage down = await OrderAsync(shop, "prod_0", $"00-{1:x32}-b7ad6b7169203331-01");
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/failing_answers", new { intensity = 1 });
        using HttpResponseMessage failed = await OrderAsync(shop, "prod_0", $"00-{2:x32}-b7ad6b7169203331-01");
        Assert.That(((int)down.StatusCode, (int)failed.StatusCode), Is.EqualTo((503, 500)));
        foreach ((int trace, string name, string type) in new[]
        {
            (1, "POST /orders", "service-down"),
            (1, "Inventory/Reserve", "Shop.Platform.Data.ServiceDownException"),
            (2, "POST /orders", "trouble-on-demand"),
        })
        {
            SeenSpan span = await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(
                span => span.TraceId == $"{trace:x32}" && span.Name == name));
            Assert.That((span.IsError, span.Attributes["error.type"]), Is.EqualTo((true, type)), $"{span}");
        }
    }

    [Test]
    public async Task Given_orders_when_the_stock_follows_behind_the_answers_then_the_round_is_a_trace_with_its_calls()
    {
        using ShopProcess shop = await StartAsync();
        await OrderAsync(shop, "prod_0");
        SeenSpan call = await _receiver.UntilAsync(seen =>
            seen.Spans.FirstOrDefault(span => span.Name == "Inventory/Confirm" && span.Kind == SpanKind.Client));
        SeenSpan round =
            await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(span => span.SpanId == call.ParentId));
        Assert.That((round.Name, round.Service, round.ParentId, round.Attributes["shop.reconcile.steps"]),
            Is.EqualTo(("reconcile", "order-service", "", "1")));
    }

    [Test]
    public async Task Given_demo_traffic_when_it_runs_then_each_of_its_requests_is_the_parent_of_the_shops_span()
    {
        using ShopProcess shop = await StartAsync();
        using var start = new HttpRequestMessage(HttpMethod.Post, "/live/traffic")
        {
            Content = new FormUrlEncodedContent([new("action", "start"), new("rate", "20")]),
        };
        start.Headers.Add("Origin", shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority));
        using HttpResponseMessage started = await shop.Products.SendAsync(start);
        Assert.That((int)started.StatusCode, Is.LessThan(400));
        SeenSpan asked = await _receiver.UntilAsync(
            seen => seen.Spans.FirstOrDefault(span => span.Service == "shop-process" && span.Kind == SpanKind.Client));
        SeenSpan answered =
            await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(span => span.ParentId == asked.SpanId));
        Assert.That(asked.ParentId, Is.Empty, "the request that started the traffic has ended");
        Assert.That((answered.Kind, answered.TraceId), Is.EqualTo((SpanKind.Server, asked.TraceId)));
    }

    [Test]
    public async Task Given_a_sampler_that_takes_none_when_orders_are_placed_then_only_log_lines_leave()
    {
        using ShopProcess shop = await StartAsync(("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"));
        const string TraceId = "0af7651916cd43dd8448eb211c80319c";
        await OrderAsync(shop, "prod_0");
        using HttpResponseMessage refused = await OrderAsync(shop, "no_such_product",
            $"00-{TraceId}-b7ad6b7169203331-01");
        Assert.That((string)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["trace_id"]!,
            Is.EqualTo(TraceId));
        await _receiver.UntilAsync(
            seen => seen.Logs.FirstOrDefault(line => line.Body.Contains("no_such_product", StringComparison.Ordinal)));
        shop.Signal(15);
        Assert.That(await shop.ExitAsync(), Is.Zero, "what was left is sent before the end");
        Assert.That(_receiver.Spans, Is.Empty);
        Assert.That(shop.Log, Does.Contain(TraceId));
    }

    [TestCase("OTEL_SERVICE_NAME", "shop")]
    [TestCase("OTEL_SDK_DISABLED", "true")]
    [TestCase("OTEL_SDK_DISABLED", "TRUE")]
    [TestCase("OTEL_TRACES_EXPORTER", "none")]
    public async Task Given_nothing_that_asks_for_it_when_the_shop_runs_then_nothing_of_OpenTelemetry_is_loaded(
        string variable, string value)
    {
        (string, string)[] environment = variable == "OTEL_SERVICE_NAME" ? [(variable, value)]
            : [(variable, value), ("OTEL_LOGS_EXPORTER", "none"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", $"{_receiver.Address}")];
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, environment);
        using HttpResponseMessage answer = await OrderAsync(shop, "prod_0");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        Assert.That(MappedOfOpenTelemetry(shop), Is.Empty);
        Assert.That(_receiver.Authorizations, Is.Empty, "nothing was sent");
    }

    [Test]
    public async Task Given_a_receiver_that_is_dead_when_orders_are_placed_then_they_are_and_the_shop_says_it_and_ends_as_always()
    {
        Uri address = _receiver.Address;
        await _receiver.DisposeAsync();
        var withUser = new UriBuilder(address) { UserName = "ada", Password = "secret" };
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, Environment(withUser.Uri));
        if (!ShopProgram.IsNative)
            Assert.That(MappedOfOpenTelemetry(shop), Is.Not.Empty, "the near miss of the test above");
        for (int i = 0; i < 20; i++)
        {
            using HttpResponseMessage answer = await OrderAsync(shop, "prod_0");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        }

        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!shop.Log.Contains("Traces or logs could not be sent", StringComparison.Ordinal))
            await Task.Delay(50, bound.Token);
        shop.Signal(15);
        Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        Assert.That(shop.Log, Does.Not.Contain("secret"));
    }

    [Test]
    public async Task Given_headers_for_one_signal_when_it_is_sent_to_an_address_of_its_own_then_the_other_signal_is_not_sent()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", $"{_receiver.Address}v1/traces"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Basic abc"), ("OTEL_BSP_SCHEDULE_DELAY", "100"));
        using HttpResponseMessage refused = await OrderAsync(shop, "no_such_product");
        await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(span => span.Name == "POST /orders"));
        shop.Signal(15);
        Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        Assert.That(_receiver.Logs, Is.Empty);
        Assert.That(_receiver.Authorizations, Is.All.EqualTo("Basic abc"));
    }

    [Test]
    public async Task Given_variables_for_both_signals_and_others_for_one_then_those_for_the_one_win()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory,
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), // nobody is there
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", $"{_receiver.Address}v1/traces"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic both"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Basic abc"),
            ("OTEL_LOGS_EXPORTER", "none"), ("OTEL_BSP_SCHEDULE_DELAY", "100"));
        using HttpResponseMessage answer = await OrderAsync(shop, "prod_0");
        await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(span => span.Name == "POST /orders"));
        Assert.That(_receiver.Authorizations, Is.All.EqualTo("Basic abc"));
    }

    [TestCase("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")]
    [TestCase("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "somewhere")]
    [TestCase("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "ada:secret@")]
    [TestCase("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]
    [TestCase("OTEL_TRACES_EXPORTER", "zipkin")]
    [TestCase("OTEL_LOGS_EXPORTER", "console")]
    [TestCase("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]
    [TestCase("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "10s")]
    [TestCase("OTEL_TRACES_SAMPLER_ARG", "-0.1")]
    [TestCase("OTEL_TRACES_SAMPLER_ARG", "1.01")]
    [TestCase("OTEL_TRACES_SAMPLER", "parentbased_traceid_ratio")]
    [TestCase("OTEL_TRACES_SAMPLER_ARG", "1%")]
    [TestCase("OTEL_TRACES_SAMPLER_ARG", "5")]
    [TestCase("OTEL_BSP_MAX_QUEUE_SIZE", "many")]
    [TestCase("OTEL_SPAN_LINK_COUNT_LIMIT", "-1")]
    public async Task Given_a_variable_that_is_wrong_when_the_shop_starts_then_it_names_it(
        string variable, string value, string user = "")
    {
        ProcessStartInfo start = ShopProgram.Start($"--Shop:DataDirectory={_directory}");
        start.Environment["OTEL_TRACES_SAMPLER"] = "traceidratio";
        Assert.That(await ErrorOfStartAsync(start, variable, user + value), Does.Contain(value));
    }

    [TestCase("secret")]
    [TestCase("=secret")]
    [TestCase("two words=secret")]
    [TestCase("api-key=secret,comma")]
    [TestCase("api-key=secret%2Ccomma")]
    [TestCase("api-key=secret%0Asecret")]
    [TestCase("api-key=secret%C3%A9")]
    public Task Given_headers_that_can_not_be_sent_when_the_shop_starts_then_it_names_the_variable_and_no_secret(
        string headers) =>
        ErrorOfStartAsync(
            ShopProgram.Start($"--Shop:DataDirectory={_directory}"), "OTEL_EXPORTER_OTLP_HEADERS", headers);

    [TestCase("vendor=abc,other=1", "vendor=abc,other=1")]
    [TestCase("vendor=abc,nonsense", "vendor=abc")]
    [TestCase("vendor=abc,Other=1", "vendor=abc")]
    [TestCase("", "")]
    [TestCase(null, "")]
    public async Task Given_a_trace_state_when_it_comes_with_an_order_then_no_more_of_it_leaves_than_the_standard_allows(
        string? state, string expected)
    {
        const string TraceId = "0af7651916cd43dd8448eb211c80319c";
        using ShopProcess shop = await StartAsync();
        (HttpResponseMessage answer, _) = await shop.Orders.PostAsync("/api/orders", Http.Order("prod_0"),
            ("traceparent", $"00-{TraceId}-b7ad6b7169203331-01"),
            ("tracestate", state ?? $"k={new string('x', 4000)}"));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        SeenSpan span = await _receiver.UntilAsync(
            seen => seen.Spans.FirstOrDefault(span => span.TraceId == TraceId && span.Name == "POST /orders"));
        Assert.That(span.State, Is.EqualTo(expected));
    }

    [Test]
    public async Task Given_a_receiver_that_refuses_by_gRPC_when_an_order_is_placed_then_the_shop_says_it(
        [Values] bool isTrailer)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        await using WebApplication receiver = builder.Build();
        receiver.Run(http =>
        {
            http.Response.ContentType = "application/grpc";
            if (isTrailer) http.Response.AppendTrailer("grpc-status", "16");
            else http.Response.Headers["grpc-status"] = "16";
            return Task.CompletedTask;
        });
        await receiver.StartAsync();
        using ShopProcess shop = await ShopProcess.StartAsync(_directory,
            [.. Environment(new Uri(receiver.Urls.First())), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        await OrderAsync(shop, "prod_0");
        await Eventually.IsSoAsync(() => shop.Log.Contains("gRPC's status 16", StringComparison.Ordinal));
    }

    private async Task<string> ErrorOfStartAsync(ProcessStartInfo start, string variable, string value)
    {
        foreach ((string name, string other) in Environment(_receiver.Address).Append((variable, value)))
            start.Environment[name] = other;
        using var shop = Process.Start(start)!;
        Task<string> output = shop.StandardOutput.ReadToEndAsync(), errors = shop.StandardError.ReadToEndAsync();
        // A shop that starts all the same would run for ever.
        Task ended = shop.WaitForExitAsync();
        if (await Task.WhenAny(ended, Task.Delay(TimeSpan.FromMinutes(1))) != ended) shop.Kill();
        Assert.That((await output, await errors, shop.ExitCode), Is.EqualTo(("", await errors, 1)));
        Assert.That((await errors).TrimEnd(), Does.StartWith($"Shop can't start: {variable} must be ")
            .And.Not.Contain("secret").And.Not.Contain("\n"));
        return await errors;
    }

    private static (string Name, string Value)[] Environment(Uri receiver) =>
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.ToString()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
    ];

    private static string[] MappedOfOpenTelemetry(ShopProcess shop) =>
        [.. File.ReadLines($"/proc/{shop.Id}/maps")
            .Where(line => line.Contains("OpenTelemetry", StringComparison.Ordinal))];

    private static async Task<HttpResponseMessage> OrderAsync(
        ShopProcess shop, string product, string? traceparent = null)
    {
        (string, string)[] headers = traceparent is null ? [] : [("traceparent", traceparent)];
        return (await shop.Orders.PostAsync("/api/orders", Http.Order(product), headers)).Response;
    }

    private Task<ShopProcess> StartAsync(params (string, string)[] more) =>
        ShopProcess.StartAsync(_directory, [.. Environment(_receiver.Address), .. more]);

    private Task<SeenSpan> FindAsync(string traceId, string name, SpanKind kind, string service, string parentId) =>
        OnlyAsync(span => (span.TraceId, span.Name, span.Kind, span.Service, span.ParentId)
            == (traceId, name, kind, service, parentId));

    // Each service sends its spans by itself, so those of a trace come in any order.
    private async Task<SeenSpan> OnlyAsync(Func<SeenSpan, bool> isIt)
    {
        SeenSpan found = await _receiver.UntilAsync(seen => seen.Spans.FirstOrDefault(isIt));
        Assert.That(_receiver.Spans.Where(isIt), Has.One.Items);
        return found;
    }

    private async Task AssertIsCarriedAsync(Func<SeenSpan, bool> isWrite, string commitName)
    {
        SeenSpan write = await OnlyAsync(isWrite);
        Assert.That(write.Links, Has.One.Items, write.ToString());
        SeenSpan commit = await OnlyAsync(span => span.SpanId == write.Links[0].SpanId);
        Assert.That((commit.Name, commit.TraceId, commit.Service),
            Is.EqualTo((commitName, write.Links[0].TraceId, write.Service)));
        Assert.That(commit.Links, Does.Contain((write.TraceId, write.SpanId)));
        Assert.That(commit.Start, Is.GreaterThanOrEqualTo(write.Start));
        Assert.That(commit.End, Is.LessThanOrEqualTo(write.End), "who waits for a write waits for its commit");
        Assert.That(write.Attributes["db.system.name"], Is.EqualTo("sqlite"));
    }
}
