using Shop.Platform.Live;

namespace Shop.Orders;

/// <summary>The business of the orders service, as its console shows it.</summary>
internal static class OrderBusinessMetrics
{
    public static readonly IReadOnlyList<BusinessMetric> All =
    [
        new("Orders placed a second", "orders_created_total", MetricType.Counter,
            "Orders that were accepted and are on disk. An order that is sent again is not counted again."),
        new("Orders not placed a second", "orders_rejected_total", MetricType.Counter,
            "Orders that the shop refused, for any reason: too little stock, an unknown product, an invalid request, "
            + "a reused id, or too much load. The label reason says which."),
        new("Revenue a minute", "order_revenue_total", MetricType.Counter,
            "Value of the orders that were paid. Refunds are another counter, order_refunds_total.")
        {
            Seconds = 60,
            IsMoney = true,
        },
        new("Orders not paid yet", "orders_by_status", MetricType.Gauge,
            "Orders that wait for their payment. They hold stock that nobody else can buy.")
        {
            Label = "status=\"created\"",
        },
    ];
}
