using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Products.Contracts;
using Shop.Products.Storage.Postgres;
using Shop.Products.Storage.Sqlite;

namespace Shop.Products;

/// <summary>The products service: what the shop sells, and for how much.</summary>
public sealed class ProductsModule : IShopModule
{
    internal const string Name = "products";

    /// <summary>Products whose view counter exists from the start; more would make an idle module's exposition
    /// large.</summary>
    private const int CountedFromStart = 200;

    private IAsyncDisposable? _subscription;
    private PeriodicTask? _stockRounds;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "product-service", "Shop: products",
        "The catalogue: what the shop sells, and for how much.", DefaultPort: 5001)
    {
        NavigationTitle = "Storefront",
        NavigationPages = [new("Basket", "/basket", static http => Basket.Of(http).Units)],
        ItemLabels = ["product_id"],
        BusinessMetrics = ProductBusinessMetrics.All,
    };

    /// <inheritdoc/>
    public ModuleTables Tables => ProductTables.All;

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(_ => new Catalogue());
        services.AddSingleton<IProductStore>(provider =>
            Context(provider).UsesPostgres
                ? new PostgresProductStore(Context(provider), provider.GetRequiredService<Catalogue>())
                : new SqliteProductStore(Context(provider), provider.GetRequiredService<Catalogue>()));
        services.AddSingleton(provider =>
            new ProductMetrics(Context(provider), provider.GetRequiredService<Catalogue>()));
        services.AddSingleton<StockInitialization>();
        services.AddSingleton<FindProduct>();
        services.AddSingleton<IProductCatalogue>(provider =>
            new TracedCatalogue(provider.GetRequiredService<FindProduct>(), Context(provider)));
        services.AddSingleton<ListProducts>();
        services.AddSingleton<CreateProduct>();
        services.AddSingleton<ChangeProduct>();
        services.AddSingleton<ProductsApi>();
        services.AddSingleton<StorefrontStock>();
        services.AddSingleton<StorePages>();
        services.AddSingleton<IProductNames, ProductNames>();
        services.ConfigureHttpJsonOptions(options =>
            options.SerializerOptions.TypeInfoResolverChain.Add(ProductsJson.Default));
    }

    /// <summary>What differs between the catalogue and the stock, in words.</summary>
    public static IEnumerable<string> Differences(DatabaseFile products, StockConsistency stock) =>
        ProductConsistencyCheck.Differences(products, stock);

    /// <inheritdoc/>
    public async Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        ModuleContext module = Context(services);
        var store = services.GetRequiredService<IProductStore>();
        var catalogue = services.GetRequiredService<Catalogue>();
        _subscription = store as IAsyncDisposable;
        await store.StartAsync();
        if (module.Settings.DemoData && module.Consistency.Holds) await store.SeedAsync(DemoData.Products);

        if (catalogue.Outlines > 0)
        {
            module.Log.LogWarning(
                "The catalogue is full: it may use {Bytes} bytes of memory, which is not enough for {Outlines} of its "
                + "{Products} products; they are read from the database",
                catalogue.MaxBytes, catalogue.Outlines, catalogue.Count);
        }

        var metrics = services.GetRequiredService<ProductMetrics>();
        foreach (CatalogueEntry entry in catalogue.View.InOrder(CatalogueOrder.ById).Take(CountedFromStart))
            metrics.ViewsOf(entry.Product.Id);

        if (!module.Consistency.Holds) return;
        var stock = services.GetRequiredService<StockInitialization>();
        await module.RetryRefusedAsync(stock.ReconcileAsync);
        _stockRounds = new PeriodicTask(
            "Initializing the stock of new products", TimeSpan.FromSeconds(1), stock.ReconcileAsync, module.Clock,
            module.Log);
    }

    /// <inheritdoc/>
    public void MapRoutes(ModuleRoutes routes, IServiceProvider services)
    {
        services.GetRequiredService<ProductsApi>().Map(routes);
        services.GetRequiredService<StorePages>().Map(routes);
        CatalogueTraffic.Map(routes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stockRounds is not null) await _stockRounds.DisposeAsync();
        if (_subscription is not null) await _subscription.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) =>
        services.GetRequiredKeyedService<ModuleContext>(Name);
}
