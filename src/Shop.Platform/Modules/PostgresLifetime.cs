using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop.Platform.Data;

namespace Shop.Platform.Modules;

/// <summary>
/// Opens the schemas of all modules before the modules start, and closes the connections after they have stopped.
/// Hosts share them, so there is nothing to lock and no file to mark: see <see cref="SqliteLifetime"/>.
/// </summary>
internal sealed class PostgresLifetime(IEnumerable<IShopModule> modules, IServiceProvider services) : IHostedService
{
    private readonly DatabaseConsistency _consistency = services.GetRequiredService<DatabaseConsistency>();
    private readonly List<ModuleContext> _open = [];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (IShopModule module in modules)
        {
            var context = services.GetRequiredKeyedService<ModuleContext>(module.Identity.Name);
            _open.Add(context);
            await context.Postgres.OpenAsync(
                module.GetType().Assembly, context.Metrics, context.Registry, context.Faults.Commits,
                cancellationToken);
            _ = new ConsistencyMetrics(context, _consistency);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        for (int i = _open.Count - 1; i >= 0; i--) await _open[i].Postgres.DisposeAsync();
    }
}
