using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>The inventory service: how many units there are, and who holds them.</summary>
public sealed class InventoryModule : IShopModule
{
    internal const string Name = "inventory";

    private Periodic? _checkpoints;
    private StockCheckpoint? _checkpoint;
    private ILogger? _log;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "inventory-service", "Shop: inventory",
        "The stock of every product: what is on hand, what orders hold, and every movement.", DefaultPort: 5003)
    {
        NavigationTitle = "Stock",
        ItemLabels = ["product_id"],
    };

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(provider => new InventoryStore(Context(provider).Database));
        services.AddSingleton(provider =>
        {
            var store = provider.GetRequiredService<InventoryStore>();
            return new InventoryMetrics(store.Levels, store.CountReservations(), Context(provider));
        });
        services.AddSingleton<IInventory, Reservations>();
        services.AddSingleton<Restock>();
        services.AddSingleton<InventoryApi>();
        services.AddSingleton<StockPages>();
        services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Add(InventoryJson.Default));
    }

    /// <inheritdoc/>
    public Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var store = services.GetRequiredService<InventoryStore>();
        _ = services.GetRequiredService<InventoryMetrics>(); // its gauges are right from the first scrape on
        ModuleContext module = Context(services);
        if (!module.Books.Agree) return Task.CompletedTask;
        _log = module.Log;
        _checkpoint = new StockCheckpoint(store);
        _checkpoints = new Periodic("Writing the stock rows", StockCheckpoint.Period, _checkpoint.RunAsync, module.Clock, module.Log);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void MapRoutes(ModuleRoutes routes, IServiceProvider services)
    {
        services.GetRequiredService<InventoryApi>().Map(routes);
        services.GetRequiredService<StockPages>().Map(routes);
        StockTraffic.Map(routes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_checkpoints is null) return;
        await _checkpoints.DisposeAsync();
        try
        {
            await _checkpoint!.RunAsync();
        }
        catch (StoreException exception)
        {
            _log!.LogWarning("The stock rows could not be written: {Error} The next start reads the movements since.", exception.Message);
        }
    }

    private static ModuleContext Context(IServiceProvider services) => services.GetRequiredKeyedService<ModuleContext>(Name);
}
