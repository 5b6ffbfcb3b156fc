using Microsoft.Extensions.DependencyInjection;
using Prometheus;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>Why an order was not placed: the label <c>reason</c> of <c>orders_rejected_total</c>.</summary>
internal static class OrderRefusal
{
    public const string Invalid = "invalid";
    public const string UnknownProduct = "unknown_product";
    public const string InsufficientStock = "insufficient_stock";
    public const string Conflict = "conflict";
    public const string Overloaded = "overloaded";

    public static readonly IReadOnlyList<string> All =
        [Invalid, UnknownProduct, InsufficientStock, Conflict, Overloaded];
}

/// <summary>Every metric of the module.</summary>
internal sealed class OrderMetrics
{
    private readonly Counter _created, _deleted, _refused, _replayed, _statusChanges;
    private readonly Gauge _byStatus;
    private readonly Histogram _lines;
    private readonly Histogram.Child _value;
    private readonly Counter.Child _revenue, _refunds;
    private readonly Lock _valuing = new();
    private long _valueCents, _revenueCents, _refundsCents;

    public OrderMetrics(IOrderStore store, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
    {
        string currency = module.Settings.Currency;
        _created = module.Metrics.CreateCounter("orders_created_total", "Orders placed, and on disk.");
        _deleted = module.Metrics.CreateCounter("orders_deleted_total",
            "Orders deleted because they were older than Shop:OrderRetention keeps them.");
        _refused = module.Metrics.CreateCounter("orders_rejected_total",
            "Orders not placed: invalid (400), unknown_product (422), insufficient_stock (409), "
            + "conflict (409: id or key reused), overloaded (503).", ["reason"]);
        _replayed = module.Metrics.CreateCounter("orders_replayed_total",
            "Orders answered from an earlier identical request.");
        _statusChanges = module.Metrics.CreateCounter("order_status_changes_total",
            "Changes of an order's status.", ["from", "to"]);
        _byStatus = module.Metrics.CreateGauge("orders_by_status", "Orders by their status.", ["status"]);
        _value = module.Metrics.CreateHistogram("order_value", "Total of an order, in the currency of the label.",
            new HistogramConfiguration
            {
                LabelNames = ["currency"],
                Buckets = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000],
            }).WithLabels(currency);
        _lines = module.Metrics.CreateHistogram("order_lines", "Lines of an order.",
            new HistogramConfiguration { Buckets = [1, 2, 3, 5, 10, 20, 50, 100] });
        _revenue = module.Metrics.CreateCounter("order_revenue_total",
            "Value of the orders that were paid.", ["currency"]).WithLabels(currency);
        _refunds = module.Metrics.CreateCounter("order_refunds_total",
            "Value of the paid orders that were cancelled.", ["currency"]).WithLabels(currency);
        module.Registry.AddBeforeCollectCallback(CorrectValue);
        module.RefreshAtScrape(async _ =>
        {
            foreach ((string status, long orders) in await store.CountByStatusAsync())
                _byStatus.WithLabels(status).Set(orders);
        });
        foreach (string reason in OrderRefusal.All) _refused.WithLabels(reason);
        foreach ((string from, string to) in OrderStatus.Changes) _statusChanges.WithLabels(from, to);
        foreach (string status in OrderStatus.All) _byStatus.WithLabels(status);
    }

    public void Placed(Order order)
    {
        _created.Inc();
        lock (_valuing)
        {
            _value.Observe((double)Money.FromCents(order.TotalCents));
            _valueCents += order.TotalCents;
        }

        _lines.Observe(order.Lines.Count);
    }

    public void Refused(string reason) => _refused.WithLabels(reason).Inc();

    public void Replayed() => _replayed.Inc();

    public void Changed(string from, Order order)
    {
        _statusChanges.WithLabels(from, order.Status).Inc();
        if (order.Status == OrderStatus.Paid) Add(_revenue, ref _revenueCents, order.TotalCents);
        if (from == OrderStatus.Paid && order.Status == OrderStatus.Cancelled)
            Add(_refunds, ref _refundsCents, order.TotalCents);
    }

    public void Deleted(int orders) => _deleted.Inc(orders);

    // Summed in cents: a sum of doubles would drift from what clients counted.
    private static void Add(Counter.Child counter, ref long sumCents, long cents) =>
        counter.IncTo((double)Money.FromCents(Interlocked.Add(ref sumCents, cents)));

    // A histogram sums doubles, which drifts from what clients counted. So its sum is corrected to that of the cents:
    // by observing the tiny difference, and -1 observations of 0, so that the count stays.
    private void CorrectValue()
    {
        lock (_valuing)
        {
            double difference = (double)Money.FromCents(_valueCents) - _value.Sum;
            if (difference == 0) return;
            _value.Observe(0, -1);
            _value.Observe(difference, 1);
        }
    }
}
