using Shop.Platform.Live;

namespace Shop.Products;

/// <summary>The business of the products service, as its console shows it.</summary>
internal static class ProductBusinessMetrics
{
    public static readonly IReadOnlyList<BusinessMetric> All =
    [
        new("Product views a second", "products_viewed_total", MetricType.Counter,
            "Products that somebody looked at. The label product_id says which, for the first 1,000 products."),
        new("Changes of products a second", "product_changes_total", MetricType.Counter,
            "Products that were created, updated or deleted."),
        new("Products on sale", "product_catalog_size", MetricType.Gauge,
            "Products in the catalogue now."),
    ];
}
