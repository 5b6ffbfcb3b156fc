using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Postgres;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>The orders service: what customers have ordered, and the status of each order.</summary>
public sealed class OrdersModule : IShopModule
{
    internal const string Name = "orders";

    private IAsyncDisposable? _subscription;
    private OrderReconciler? _reconciler;
    private OrderRetention? _retention;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "order-service", "Shop: orders",
        "What customers have ordered, and how far it is.", DefaultPort: 5002)
    {
        NavigationTitle = "Orders",
        AcceptsFormsOfOtherModules = true, // the basket of the storefront is sent to the checkout
        BusinessMetrics = OrderBusinessMetrics.All,
    };

    /// <inheritdoc/>
    public ModuleTables Tables => OrderTables.All;

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton<IOrderStore>(provider => Context(provider) is { UsesPostgres: true } module
            ? new PostgresOrderStore(module.Postgres, module.Log)
            : new SqliteOrderStore(Context(provider).Database, Context(provider).Settings));
        services.AddSingleton<OrderMetrics>();
        services.AddSingleton<OrderReconciler>();
        services.AddSingleton<OrderRetention>();
        services.AddSingleton<AsyncKeyedLock>();
        services.AddSingleton<PlaceOrder>();
        services.AddSingleton<OrderLifecycle>();
        services.AddSingleton<OrdersApi>();
        services.AddSingleton<OrderFeed>();
        services.AddSingleton<OrderPages>();
        services.ConfigureHttpJsonOptions(options =>
            options.SerializerOptions.TypeInfoResolverChain.Add(OrdersJson.Default));
    }

    /// <summary>The differences within the orders' data, and between the orders and the stock, in words.</summary>
    public static IEnumerable<string> Differences(DatabaseFile orders, StockConsistency stock) =>
        OrderConsistencyCheck.Differences(orders, stock);

    /// <inheritdoc/>
    public async Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        ModuleContext module = Context(services);
        var store = services.GetRequiredService<IOrderStore>();
        _ = services.GetRequiredService<OrderMetrics>(); // a scrape may come before the first request
        if (!module.Consistency.Holds) return;
        _subscription = store as IAsyncDisposable;
        await services.GetRequiredService<OrderFeed>().StartAsync();
        _reconciler = services.GetRequiredService<OrderReconciler>();
        await _reconciler.ReconcileAsync();
        _reconciler.Start();
        // While other hosts accept orders, the two counts are never of the same moment.
        if (!module.UsesPostgres)
            await CompareAsync(module, await store.CountByStatusAsync(), services.GetRequiredService<IInventory>());
        if (!module.Consistency.Holds) return;
        _retention = services.GetRequiredService<OrderRetention>();
        _retention.Start();
    }

    /// <inheritdoc/>
    public void MapRoutes(ModuleRoutes routes, IServiceProvider services)
    {
        services.GetRequiredService<OrdersApi>().Map(routes);
        services.GetRequiredService<OrderPages>().Map(routes);
        OrderTraffic.Map(routes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_retention is not null) await _retention.DisposeAsync();
        if (_reconciler is not null) await _reconciler.DisposeAsync();
        if (_subscription is not null) await _subscription.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) =>
        services.GetRequiredKeyedService<ModuleContext>(Name);

    // All pending work is done and no port is open: so each open order has a reservation, and nothing else has one.
    private static async Task CompareAsync(
        ModuleContext module, IReadOnlyDictionary<string, long> ordersByStatus, IInventory inventory)
    {
        long open = OrderStatus.Open.Sum(status => ordersByStatus.GetValueOrDefault(status));
        long reservations = await inventory.CountReservationsAsync();
        if (module.Consistency.Allows(reservations - open)) return;
        module.Consistency.Report($"{open} orders are open, and {reservations} reservations are held", module.Log);
    }
}
