using System.Collections.Concurrent;
using Prometheus;
using Shop.Platform.Modules;

namespace Shop.Products;

/// <summary>Every metric of the module.</summary>
internal sealed class ProductMetrics
{
    /// <summary>Products with a view counter of their own; views of all others go to <c>other</c>.</summary>
    private const int MaxViewedProducts = 1000;

    private readonly Counter _views;
    private readonly Counter.Child _otherViews;
    private readonly ConcurrentDictionary<string, Counter.Child> _viewsByProduct = new(StringComparer.Ordinal);
    private readonly Counter.Child _created, _updated, _deleted;
    private readonly Lock _adding = new();

    public ProductMetrics(ModuleContext module, Catalogue catalogue)
    {
        _views = module.Metrics.CreateCounter("products_viewed_total",
            $"Views of a product (GET, 304 too, HEAD not); the first {MaxViewedProducts} products have a series each, "
            + "the rest are under other.", ["product_id"]);
        _otherViews = _views.WithLabels("other");
        Gauge size = module.Metrics.CreateGauge("product_catalog_size", "Products on sale.");
        module.Registry.AddBeforeCollectCallback(() => size.Set(catalogue.Count));
        Counter changes = module.Metrics.CreateCounter("product_changes_total",
            "Products created, updated and deleted.", ["change"]);
        _created = changes.WithLabels("created");
        _updated = changes.WithLabels("updated");
        _deleted = changes.WithLabels("deleted");
    }

    /// <summary>The counter of a product. Call it once and keep the result.</summary>
    public Counter.Child ViewsOf(string productId)
    {
        if (_viewsByProduct.TryGetValue(productId, out Counter.Child? known)) return known;
        lock (_adding)
        {
            if (_viewsByProduct.TryGetValue(productId, out known)) return known;
            // The label "other" is not that of a product.
            if (_viewsByProduct.Count >= MaxViewedProducts || productId == "other") return _otherViews;
            return _viewsByProduct[productId] = _views.WithLabels(productId);
        }
    }

    public void Created() => _created.Inc();

    public void Updated() => _updated.Inc();

    public void Deleted() => _deleted.Inc();
}
