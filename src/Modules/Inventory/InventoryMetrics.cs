using Prometheus;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>Every metric of the module.</summary>
internal sealed class InventoryMetrics
{
    /// <summary>Products that have a series of their own: the shortest.</summary>
    private const int LowestStock = 50;

    /// <summary>Below this level a product that is not out is low.</summary>
    private const long LowBelow = 10;

    private readonly StockLevels _levels;
    private readonly Dictionary<string, (Counter.Child Movements, Counter.Child Units)> _byKind = new(StringComparer.Ordinal);
    private readonly Counter _deleted;
    private readonly Gauge _stockLevel, _reservationsOpen;
    private readonly Gauge.Child _inStock, _low, _out;
    private readonly Lock _refreshing = new();
    private HashSet<string> _shown = new(StringComparer.Ordinal);
    private long _open;

    public InventoryMetrics(StockLevels levels, long openReservations, ModuleContext module)
    {
        _levels = levels;
        _open = openReservations;
        Counter movements = module.Metrics.CreateCounter("inventory_movements_total", "Stock movements by kind.", ["kind"]);
        Counter units = module.Metrics.CreateCounter("inventory_units_moved_total", "Units moved by kind of movement.", ["kind"]);
        foreach (MovementKind kind in MovementKind.All) _byKind[kind.Name] = (movements.WithLabels(kind.Name), units.WithLabels(kind.Name));
        _deleted = module.Metrics.CreateCounter("inventory_movements_deleted_total", "Movements that went into opening balances because they were old.");
        _stockLevel = module.Metrics.CreateGauge("inventory_stock_level", $"Units that can be sold, of the {LowestStock} products on sale with the lowest stock.", ["product_id"]);
        Gauge products = module.Metrics.CreateGauge("inventory_products", "Products on sale by state: in_stock, low (1 to 9), out.", ["state"]);
        (_inStock, _low, _out) = (products.WithLabels("in_stock"), products.WithLabels("low"), products.WithLabels("out"));
        _reservationsOpen = module.Metrics.CreateGauge("inventory_reservations_open", "Reservations held: not yet shipped or released.");
        module.Registry.AddBeforeCollectCallback(Refresh);
    }

    /// <summary>Reservations that are held.</summary>
    public long OpenReservations => Interlocked.Read(ref _open);

    public void Moved(Movement movement)
    {
        (Counter.Child movements, Counter.Child units) = _byKind[movement.Kind.Name];
        movements.Inc();
        units.Inc(movement.Quantity);
    }

    public void Deleted(int movements) => _deleted.Inc(movements);

    public void ReservationOpened() => Interlocked.Increment(ref _open);

    public void ReservationsClosed(int closed) => Interlocked.Add(ref _open, -closed);

    private void Refresh()
    {
        lock (_refreshing)
        {
            int low = 0, none = 0, all = 0;
            var shortest = new PriorityQueue<string, (long Level, string ProductId)>(LowestStock + 1, LongestFirst);
            foreach (StockRow stock in _levels.Sold)
            {
                (string productId, long level) = (stock.ProductId, stock.StockLevel);
                all++;
                if (level <= 0) none++;
                else if (level < LowBelow) low++;
                if (shortest.Count < LowestStock) shortest.Enqueue(productId, (level, productId));
                else shortest.EnqueueDequeue(productId, (level, productId));
            }

            _inStock.Set(all - low - none);
            _low.Set(low);
            _out.Set(none);
            _reservationsOpen.Set(OpenReservations);
            Show(shortest);
        }
    }

    private static readonly Comparer<(long Level, string ProductId)> LongestFirst = Comparer<(long Level, string ProductId)>.Create((one, other) =>
        other.Level != one.Level ? other.Level.CompareTo(one.Level) : string.CompareOrdinal(other.ProductId, one.ProductId));

    private void Show(PriorityQueue<string, (long Level, string ProductId)> shortest)
    {
        var shown = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string productId, (long level, _)) in shortest.UnorderedItems)
        {
            _stockLevel.WithLabels(productId).Set(level);
            shown.Add(productId);
        }

        foreach (string productId in _shown.Where(productId => !shown.Contains(productId))) _stockLevel.RemoveLabelled(productId);
        _shown = shown;
    }
}
