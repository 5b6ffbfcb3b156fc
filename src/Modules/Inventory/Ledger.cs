using Shop.Inventory.Contracts;

namespace Shop.Inventory;

/// <summary>
/// The stock inside a write. What may be moved is decided here; the engines keep the levels and the movements.
/// </summary>
internal abstract class Ledger
{
    /// <summary>Available units; null if the product is unknown.</summary>
    public long? AvailableOf(string productId) => Find(productId)?.Available;

    /// <summary>The lines that the stock is too little for; null if there are none.</summary>
    public IReadOnlyList<Shortage>? ShortagesOf(IReadOnlyList<StockLine> lines)
    {
        List<Shortage>? shortages = null;
        for (int i = 0; i < lines.Count; i++)
        {
            long available = AvailableOf(lines[i].ProductId) ?? 0;
            if (available < lines[i].Quantity)
                (shortages ??= []).Add(new Shortage(lines[i].ProductId, lines[i].Quantity, available));
        }

        return shortages;
    }

    /// <summary>Changes what is on hand.</summary>
    public AdjustResult Adjust(MovementKind kind, string productId, long quantity, DateTime now)
    {
        if (AvailableOf(productId) is not { } before) return new AdjustResult(AdjustOutcome.UnknownProduct);
        return Move(kind, productId, quantity, null, now) is { } after
            ? new AdjustResult(AdjustOutcome.Adjusted, after.Available)
            : new AdjustResult(AdjustOutcome.TooLittleStock, before);
    }

    /// <summary>Releases or ships what a reservation holds.</summary>
    public MovementTotals Close(MovementKind kind, IReadOnlyList<StockLine> lines, string orderId, DateTime now)
    {
        MovementTotals moved = default;
        foreach (StockLine line in lines)
        {
            if (Move(kind, line.ProductId, line.Quantity, orderId, now) is null)
                throw new InvalidOperationException(
                    $"Order {orderId} holds more of {line.ProductId} than is reserved.");
            moved = moved.Plus(line.Quantity);
        }

        return moved;
    }

    /// <summary>Appends a movement.</summary>
    /// <returns>The stock after it; null if the product is unknown or has too little, and then nothing was
    /// changed.</returns>
    public abstract StockLevel? Move(
        MovementKind kind, string productId, long quantity, string? orderId, DateTime now);

    /// <summary>The stock of a product as the write sees it; null if the product is unknown.</summary>
    protected abstract StockLevel? Find(string productId);
}
