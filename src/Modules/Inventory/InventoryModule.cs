using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The inventory service: how many units there are, and who holds them.</summary>
public sealed class InventoryModule : IShopModule
{
    internal const string Name = "inventory";

    private Periodic? _housekeeping;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "inventory-service", "Shop: inventory",
        "The stock of every product: what is on hand, what orders hold, and every movement.", DefaultPort: 5003);

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(provider => new InventoryStore(Context(provider).Database));
        services.AddSingleton(provider => new InventoryMetrics(Context(provider)));
        services.AddSingleton<IInventory, Reservations>();
        services.AddSingleton<Restock>();
        services.AddSingleton<InventoryApi>();
        services.AddSingleton<StockPages>();
        services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Add(InventoryJson.Wire));
    }

    /// <inheritdoc/>
    public Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var store = services.GetRequiredService<InventoryStore>();
        services.GetRequiredService<InventoryMetrics>().Load(store.Levels(), store.CountReservations());
        ModuleContext module = Context(services);
        _housekeeping = new Periodic("Purging old idempotency keys", TimeSpan.FromHours(1), () => PurgeKeysAsync(store, module), module.Clock, module.Log);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void MapRoutes(ModuleRoutes routes, IServiceProvider services)
    {
        services.GetRequiredService<InventoryApi>().Map(routes);
        services.GetRequiredService<StockPages>().Map(routes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_housekeeping is not null) await _housekeeping.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) => services.GetRequiredKeyedService<ModuleContext>(Name);

    private static async Task PurgeKeysAsync(InventoryStore store, ModuleContext module)
    {
        DateTime before = module.Now() - IdempotencyKey.Retention;
        while (await store.Writes.WriteAsync(() => Outcome.Keep(store.PurgeKeys(before))) > 0)
        {
            // A thousand at a time, so that other writes get their turn.
        }
    }
}
