using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>The products service: what the shop sells, and for how much.</summary>
public sealed class ProductsModule : IShopModule
{
    internal const string Name = "products";

    /// <summary>Products whose view counter exists from the start; more would make an idle module's exposition large.</summary>
    private const int CountedFromStart = 200;

    private Periodic? _openings;

    /// <inheritdoc/>
    public ModuleIdentity Identity { get; } = new(Name, "product-service", "Shop: products",
        "The catalogue: what the shop sells, and for how much.", DefaultPort: 5001)
    {
        NavigationTitle = "Storefront",
        NavigationPages = [("Basket", "/basket")],
        ItemLabels = ["product_id"],
    };

    /// <inheritdoc/>
    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(provider => new ProductStore(Context(provider).Database));
        services.AddSingleton(_ => new Catalogue());
        services.AddSingleton<IProductCatalogue>(provider => provider.GetRequiredService<Catalogue>());
        services.AddSingleton(provider => new ProductMetrics(Context(provider), provider.GetRequiredService<Catalogue>()));
        services.AddSingleton<StockInitialization>();
        services.AddSingleton<ListProducts>();
        services.AddSingleton<CreateProduct>();
        services.AddSingleton<ChangeProduct>();
        services.AddSingleton<ProductsApi>();
        services.AddSingleton<StorePages>();
        services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Add(ProductsJson.Default));
    }

    /// <summary>What differs between the catalogue and the stock, in words.</summary>
    public static IEnumerable<string> Differences(BookFile products, StockBooks stock) => ProductBookStore.Differences(products, stock);

    /// <inheritdoc/>
    public async Task StartAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        ModuleContext module = Context(services);
        var store = services.GetRequiredService<ProductStore>();
        var catalogue = services.GetRequiredService<Catalogue>();
        if (!store.IsEmpty()) catalogue.Put(store.OnSale().Select(product => new CatalogueEntry(product)));
        else if (module.Settings.DemoData && module.Books.Agree) await DemoData.FillAsync(store, catalogue, module.Now().ToMilliseconds());

        if (catalogue.Outlines > 0)
        {
            module.Log.LogWarning(
                "The catalogue is full: of {Products} products, {Outlines} have no room in the {Bytes} bytes of memory that it may take; they are read from the database",
                catalogue.Count, catalogue.Outlines, catalogue.MaxBytes);
        }

        var metrics = services.GetRequiredService<ProductMetrics>();
        foreach (CatalogueEntry entry in catalogue.View.InOrder(CatalogueOrder.ById).Take(CountedFromStart)) metrics.ViewsOf(entry.Product.Id);

        if (!module.Books.Agree) return;
        var openings = services.GetRequiredService<StockInitialization>();
        await openings.ReconcileAsync();
        _openings = new Periodic("Opening the stock of new products", TimeSpan.FromSeconds(1), openings.ReconcileAsync, module.Clock, module.Log);
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
        if (_openings is not null) await _openings.DisposeAsync();
    }

    private static ModuleContext Context(IServiceProvider services) => services.GetRequiredKeyedService<ModuleContext>(Name);
}
