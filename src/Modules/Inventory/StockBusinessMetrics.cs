using Shop.Platform.Live;

namespace Shop.Inventory;

/// <summary>The business of the inventory service, as its console shows it.</summary>
internal static class StockBusinessMetrics
{
    public static readonly IReadOnlyList<BusinessMetric> All =
    [
        new("Units reserved a second", "inventory_units_moved_total", MetricType.Counter,
            "Units that new orders hold from now on.")
        {
            Label = "kind=\"reserved\"",
        },
        new("Units shipped a second", "inventory_units_moved_total", MetricType.Counter,
            "Units that left the warehouse with their orders.")
        {
            Label = "kind=\"shipped\"",
        },
        new("Reservations open", "inventory_reservations_open", MetricType.Gauge,
            "Orders that hold stock: not yet shipped, and not cancelled."),
        new("Products out of stock", "inventory_products", MetricType.Gauge,
            "Products on sale that nobody can buy at the moment.")
        {
            Label = "state=\"out\"",
        },
    ];
}
