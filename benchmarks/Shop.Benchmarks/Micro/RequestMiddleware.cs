using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Prometheus;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Security;

namespace Shop.Benchmarks.Micro;

/// <summary>
/// What counting, timing and guarding costs a request that is answered at once: the shop's, and prometheus-net's
/// own middleware for comparison.
/// </summary>
[Config(typeof(ShortRun))]
public class RequestMiddleware
{
    private readonly DefaultHttpContext _http = new();
    private RequestDelegate _shop = null!;
    private RequestDelegate _library = null!;

    [GlobalSetup]
    public void Build()
    {
        ShopSettings settings = ShopSettings.Read(new ConfigurationBuilder().Build(), []);
        var listener = new ModuleListener(new ModuleContext(new ModuleIdentity("bench", "bench-service", "Bench",
            "Bench.", 0), settings, TimeProvider.System, NullLoggerFactory.Instance));
        RequestDelegate answer = static _ => Task.CompletedTask;
        _shop = new RequestPipeline(listener, answer,
            new Admission(listener, new ServiceCollection().BuildServiceProvider()), answer).InvokeAsync;
        _http.SetEndpoint(new Endpoint(
            answer, new EndpointMetadataCollection(listener.Metrics.Route("GET", "/products/{id}")), "bench"));

        var app = new ApplicationBuilder(new ServiceCollection().BuildServiceProvider());
        app.UseHttpMetrics();
        app.Run(answer);
        _library = app.Build();
    }

    [Benchmark(Baseline = true)]
    public Task UseHttpMetrics() => _library(_http);

    [Benchmark]
    public Task Shop() => _shop(_http);
}
