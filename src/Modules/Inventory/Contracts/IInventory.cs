namespace Shop.Inventory.Contracts;

/// <summary>
/// The stock, as other modules may use it. Every call may be repeated: the second time changes nothing. A task that has
/// completed means that it is on disk. A call that failed may have taken effect, unless it says that the write was
/// refused: <see cref="Shop.Platform.Data.WriteRefusedException"/>.
/// </summary>
public interface IInventory
{
    /// <summary>Opens the stock of new products. A product that has one already keeps it as it is.</summary>
    Task OpenAsync(IReadOnlyList<OpeningStock> products);

    /// <summary>
    /// Notes that products are no longer sold: their levels concern nobody any more. What is there and what orders hold
    /// stays, and goes on moving. Nothing happens if a product is unknown.
    /// </summary>
    Task RetireAsync(IReadOnlyList<string> productIds);

    /// <summary>Holds every line for an order, or none.</summary>
    /// <param name="id">The reservation's id: the caller's own, so that it can be released even if the answer is
    /// lost.</param>
    /// <param name="lines">At most one line a product; quantities of at least 1.</param>
    ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines);

    /// <summary>Notes that these reservations have their orders.</summary>
    Task ConfirmAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>The reservations that no order has been confirmed for: what a crash may have left.</summary>
    Task<IReadOnlyList<ReservationId>> UnconfirmedAsync();

    /// <summary>How many reservations are held, confirmed or not.</summary>
    Task<long> CountReservationsAsync();

    /// <summary>Gives back to the stock what these reservations hold, in one write. Nothing happens for one that holds
    /// nothing.</summary>
    Task ReleaseAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>Takes out of the stock for good what these reservations hold, in one write. Nothing happens for one
    /// that holds nothing.</summary>
    Task ShipAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>
    /// Deletes old movements, a few in each write, and adds them to the opening balances of their products. A movement
    /// that was made for an order stays while the order exists, or holds its units.
    /// </summary>
    /// <param name="upTo">Movements of this time and before are old.</param>
    /// <param name="existing">Those of some orders that exist.</param>
    /// <param name="stopping">Leaves the rest for another call.</param>
    Task FoldMovementsAsync(DateTime upTo, Func<IReadOnlyCollection<string>, IReadOnlySet<string>> existing,
        CancellationToken stopping);
}

/// <summary>Which reservation is meant: an order holds one at a time, but its id may be tried again after a
/// failure.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Number">Tells this try at the order from every other; 0 if its id is never tried again.</param>
public readonly record struct ReservationId(string OrderId, long Number);

/// <summary>The first units of a product.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="Quantity">Units, 0 to 1,000,000,000.</param>
public sealed record OpeningStock(string ProductId, long Quantity);

/// <summary>So many units of a product.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="Quantity">Units, at least 1.</param>
public readonly record struct StockLine(string ProductId, long Quantity);

/// <summary>How a reservation went.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Shortages">Every line that is short, where the stock is too little.</param>
public sealed record Reservation(ReservationOutcome Outcome, IReadOnlyList<Shortage> Shortages);

/// <summary>How a reservation went.</summary>
public enum ReservationOutcome
{
    /// <summary>Every line is held, from now or from an earlier call with the same id.</summary>
    Held,

    /// <summary>The stock is too little; nothing is held.</summary>
    TooLittleStock,

    /// <summary>The order has a reservation of another number; it is unchanged.</summary>
    HeldByAnother,
}

/// <summary>A line that the stock is too little for.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="Wanted">Units wanted.</param>
/// <param name="Available">Units that could be sold.</param>
public sealed record Shortage(string ProductId, long Wanted, long Available);
