using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Shop.Platform.Http;

namespace Shop.Platform.Modules;

/// <summary>
/// Builds a module's pipeline while later modules start, and sends one request through it, so that no client waits for
/// the first request's initialization. As a hosted service it comes after the modules and before the ports.
/// </summary>
internal sealed class PipelineWarmup(IServiceProvider services) : IHostedService
{
    private readonly List<Task> _building = [Warmup.Ended];

    /// <summary>Begins to build the pipeline of a module that has started.</summary>
    public void Begin(ModuleListener listener, Func<RequestDelegate> build) => _building.Add(Task.Run(() =>
    {
        listener.Pipeline = build();
        return PrewarmAsync(listener);
    }));

    /// <summary>Waits for all pipelines; if one fails, the start fails.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => Task.WhenAll(_building);

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Task PrewarmAsync(ModuleListener listener)
    {
        var http = new DefaultHttpContext { RequestServices = services };
        http.Features.Set(listener);
        http.Request.Method = HttpMethods.Get;
        http.Request.Path = "/health/live"; // no metric counts it
        http.Request.Host = new HostString("localhost");
        return listener.Pipeline(http);
    }
}
