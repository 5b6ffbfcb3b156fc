using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>The orders service: what customers have ordered, and how far it is.</summary>
public sealed class OrdersModule : IShopModule
{
    internal const string Name = "orders";

    private Settlement? _settlement;

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
        if (_settlement is not null) await _settlement.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) => services.GetRequiredKeyedService<ModuleContext>(Name);
}
