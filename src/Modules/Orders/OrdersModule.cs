using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>The orders service: what customers have ordered, and how far it is.</summary>
public sealed class OrdersModule : IShopModule
{
    internal const string Name = "orders";

    private Settlement? _settlement;
    private Periodic? _housekeeping;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "order-service", "Shop: orders",
        "What customers have ordered, and how far it is.", DefaultPort: 5002);

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(provider => new OrderStore(Context(provider).Database));
        services.AddSingleton(provider => new OrderMetrics(Context(provider)));
        services.AddSingleton<Settlement>();
        services.AddSingleton<KeyedGate>();
        services.AddSingleton<PlaceOrder>();
        services.AddSingleton<OrderLifecycle>();
        services.AddSingleton<OrdersApi>();
        services.AddSingleton<OrderFeed>();
        services.AddSingleton<OrderPages>();
        services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Add(OrdersJson.Default));
    }

    /// <inheritdoc/>
    public async Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var store = services.GetRequiredService<OrderStore>();
        _settlement = services.GetRequiredService<Settlement>();
        await _settlement.SettleAsync();
        _settlement.Start();
        services.GetRequiredService<OrderMetrics>().Load(store.CountByStatus());
        ModuleContext module = Context(services);
        _housekeeping = new Periodic("Purging old idempotency keys", TimeSpan.FromHours(1), () => PurgeKeysAsync(store, module), module.Clock, module.Log);
    }

    /// <inheritdoc/>
    public void MapRoutes(ModuleRoutes routes, IServiceProvider services)
    {
        services.GetRequiredService<OrdersApi>().Map(routes);
        services.GetRequiredService<OrderPages>().Map(routes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_housekeeping is not null) await _housekeeping.DisposeAsync();
        if (_settlement is not null) await _settlement.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) => services.GetRequiredKeyedService<ModuleContext>(Name);

    private static async Task PurgeKeysAsync(OrderStore store, ModuleContext module)
    {
        DateTime before = module.Now() - IdempotencyKey.Retention;
        while (await store.Writes.WriteAsync(() => Outcome.Keep(store.PurgeKeys(before))) > 0)
        {
            // A thousand at a time, so that other writes get their turn.
        }
    }
}
