using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Postgres;
using Shop.Inventory.Storage.Sqlite;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>The inventory service: how many units there are, and which orders hold them.</summary>
public sealed class InventoryModule : IShopModule
{
    internal const string Name = "inventory";

    /// <summary>The fault by which calls of other services fail.</summary>
    internal static readonly FaultDefinition Down = new("inventory_down",
        "A share of the other services' calls to Inventory fails: new orders are answered 503, and the stock follows "
        + "shipped and cancelled orders later.",
        "share", 0.01m, 1, 1);

    /// <summary>The fault by which a transaction that nobody ends holds the stock.</summary>
    internal static readonly FaultDefinition LockedTable = new("locked_table",
        "A transaction that nobody ends holds a lock on the table of the stock in PostgreSQL: a request that "
        + "changes the stock waits, and is answered 503 in the end.",
        FaultDefinition.NoUnit, 1, 1, 1)
    {
        NeedsPostgres = true,
    };

    /// <summary>A start after a crash reads the movements of at most two such periods.</summary>
    private static readonly TimeSpan MaintenancePeriod = TimeSpan.FromSeconds(3);

    private IStockStore? _store;
    private PeriodicTask? _maintenance;
    private ILogger? _log;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "inventory-service", "Shop: inventory",
        "The stock of every product: what is on hand, what orders hold, and every movement.", DefaultPort: 5003)
    {
        NavigationTitle = "Stock",
        ItemLabels = ["product_id"],
        Faults = [Down, StockOutage.Definition, LockedTable],
        BusinessMetrics = StockBusinessMetrics.All,
    };

    /// <inheritdoc/>
    public ModuleTables Tables => StockTables.All;

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton<IStockStore>(provider => Context(provider) is { UsesPostgres: true } module
            ? new PostgresStockStore(module)
            : new SqliteStockStore(Context(provider)));
        services.AddSingleton(provider =>
            new InventoryMetrics(provider.GetRequiredService<IStockStore>(), Context(provider)));
        services.AddSingleton<Reservations>();
        services.AddSingleton<IInventory, TracedInventory>();
        services.AddSingleton<AdjustStock>();
        services.AddSingleton<StockOutage>();
        services.AddSingleton<InventoryApi>();
        services.AddSingleton<StockPages>();
        services.ConfigureHttpJsonOptions(options =>
            options.SerializerOptions.TypeInfoResolverChain.Add(InventoryJson.Default));
    }

    /// <inheritdoc/>
    public Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        _store = services.GetRequiredService<IStockStore>();
        _ = services.GetRequiredService<InventoryMetrics>(); // its gauges are right from the first scrape on
        ModuleContext module = Context(services);
        _log = module.Log;
        module.Faults.Of(StockOutage.Definition.Name).Effect = services.GetRequiredService<StockOutage>().RunAsync;
        if (_store is PostgresStockStore postgres) module.Faults.Of(LockedTable.Name).Effect = postgres.LockAsync;
        if (module.Consistency.Holds)
        {
            _maintenance = new PeriodicTask(
                "Maintaining the stock", MaintenancePeriod, _store.MaintainAsync, module.Clock, module.Log);
        }

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
        if (_maintenance is null) return;
        await _maintenance.DisposeAsync();
        try
        {
            await _store!.MaintainAsync();
        }
        catch (StoreException exception)
        {
            _log!.LogWarning(
                "The levels could not be written: {Error} The next start reads the movements since.",
                exception.Message);
        }
    }

    private static ModuleContext Context(IServiceProvider services) =>
        services.GetRequiredKeyedService<ModuleContext>(Name);
}
