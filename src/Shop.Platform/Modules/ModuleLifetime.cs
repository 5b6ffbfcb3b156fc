using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop.Platform.Data;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Platform.Modules;

/// <summary>Starts a module before the ports are open, and stops it after the requests have ended.</summary>
internal sealed class ModuleLifetime(IShopModule module, IServiceProvider services) : IHostedService, IAsyncDisposable
{
    private PeriodicTask? _purge;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var listener = services.GetRequiredKeyedService<ModuleListener>(module.Identity.Name);
        ModuleContext context = listener.Module;
        _ = new FaultMetrics(context);
        try
        {
            await module.StartAsync(services, cancellationToken);
        }
        catch (StoreException exception)
        {
            // A module's start calls other modules, too.
            string name = services.GetRequiredKeyedService<ModuleContext>(exception.Module).OwnDatabase.Name;
            string error = (exception as StoreUnreadableException)?.InnerException!.Message ?? exception.Message;
            throw new ShopStartException($"The {name} can't be used: {error}", exception);
        }

        if (context.Consistency.Holds) _purge = new PeriodicTask("Purging old idempotency keys", TimeSpan.FromHours(1),
            () => context.OwnDatabase.MaintainAsync(context.Now()), context.Clock, context.Log);
        services.GetRequiredService<PipelineWarmup>()
            .Begin(listener, () => ModulePipeline.Build(services, module, listener));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await services.GetRequiredService<DemoTraffic>().DisposeAsync();
        await services.GetRequiredKeyedService<LiveMetrics>(module.Identity.Name).DisposeAsync();
        await DisposeAsync();
        await module.DisposeAsync();
        services.GetRequiredKeyedService<ModuleContext>(module.Identity.Name).Queries.Dispose();
    }

    public ValueTask DisposeAsync() => _purge?.DisposeAsync() ?? default;
}
