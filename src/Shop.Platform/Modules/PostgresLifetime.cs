using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop.Platform.Data;

namespace Shop.Platform.Modules;

/// <summary>
/// Opens the schemas of all modules before the modules start, and closes the connections after they have stopped.
/// Hosts share them, so there is nothing to lock and no file to mark: see <see cref="BookKeeping"/>.
/// </summary>
internal sealed class PostgresLifetime(IEnumerable<IShopModule> modules, IServiceProvider services) : IHostedService
{
    private readonly Books _books = services.GetRequiredService<Books>();
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
            _ = new BooksMetrics(context, _books);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        for (int i = _open.Count - 1; i >= 0; i--) await _open[i].Postgres.DisposeAsync();
    }
}
