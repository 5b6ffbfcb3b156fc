using Prometheus;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>Every metric of the module.</summary>
internal sealed class InventoryMetrics
{
    /// <summary>Products that have a series each: those with the lowest stock.</summary>
    private const int LowestStock = 50;

    /// <summary>Below this level a product that is not out of stock is low.</summary>
    private const long LowBelow = 10;

    private readonly IStockStore _store;
    private readonly Dictionary<string, (Counter.Child Movements, Counter.Child Units)> _byKind =
        new(StringComparer.Ordinal);

    private readonly Counter _deleted;
    private readonly Gauge _stockLevel, _reservationsOpen;
    private readonly Gauge.Child _inStock, _low, _out;
    private readonly Lock _refreshing = new();
    private HashSet<string> _shown = new(StringComparer.Ordinal);

    public InventoryMetrics(IStockStore store, ModuleContext module)
    {
        _store = store;
        IMetricFactory metrics = module.Metrics;
        Counter movements = metrics.CreateCounter("inventory_movements_total", "Stock movements by kind.", ["kind"]);
        Counter units = metrics.CreateCounter("inventory_units_moved_total", "Units moved by kind of movement.",
            ["kind"]);
        foreach (MovementKind kind in MovementKind.All)
            _byKind[kind.Name] = (movements.WithLabels(kind.Name), units.WithLabels(kind.Name));
        _deleted = metrics.CreateCounter("inventory_movements_deleted_total",
            "Movements that went into opening balances because they were old.");
        _stockLevel = metrics.CreateGauge("inventory_stock_level",
            $"Units that can be sold, of the {LowestStock} products on sale with the lowest stock.", ["product_id"]);
        Gauge products = metrics.CreateGauge("inventory_products",
            "Products on sale by state: in_stock, low (1 to 9), out.", ["state"]);
        _inStock = products.WithLabels("in_stock");
        _low = products.WithLabels("low");
        _out = products.WithLabels("out");
        _reservationsOpen = metrics.CreateGauge("inventory_reservations_open",
            "Reservations held: not yet shipped or released.");
        module.RefreshAtScrape(RefreshAsync);
    }

    public void Moved(MovementKind kind, MovementTotals totals)
    {
        (Counter.Child movements, Counter.Child units) = _byKind[kind.Name];
        movements.Inc(totals.Movements);
        units.Inc(totals.Units);
    }

    public void Deleted(int movements) => _deleted.Inc(movements);

    private async Task RefreshAsync(CancellationToken end)
    {
        ProductCounts products = await _store.CountProductsAsync(LowBelow, end);
        IReadOnlyList<StockLevel> lowest = await _store.LowestAsync(LowestStock, end);
        long reservations = await _store.CountReservationsAsync(end);
        lock (_refreshing)
        {
            _inStock.Set(products.InStock);
            _low.Set(products.Low);
            _out.Set(products.Out);
            _reservationsOpen.Set(reservations);
            Show(lowest);
        }
    }

    private void Show(IReadOnlyList<StockLevel> lowest)
    {
        var shown = new HashSet<string>(StringComparer.Ordinal);
        foreach (StockLevel stock in lowest)
        {
            _stockLevel.WithLabels(stock.ProductId).Set(stock.Available);
            shown.Add(stock.ProductId);
        }

        foreach (string productId in _shown)
        {
            if (!shown.Contains(productId)) _stockLevel.RemoveLabelled(productId);
        }

        _shown = shown;
    }
}
