namespace Shop.Inventory.Contracts;

/// <summary>
/// The stock, as other modules may use it. Every call may be repeated: the second call changes nothing. If a task has
/// completed, its change is on disk. A failed call may have taken effect, unless its exception says that the write was
/// refused: <see cref="Shop.Platform.Data.WriteRefusedException"/>.
/// </summary>
public interface IInventory
{
    /// <summary>Gives new products their stock. A product that has a stock keeps it as it is.</summary>
    Task OpenAsync(IReadOnlyList<OpeningStock> products);

    /// <summary>
    /// Notes that products are no longer sold: they are no longer in the metrics and lists of low stock. Their units
    /// and reservations stay, and can still move. Nothing happens if a product is unknown.
    /// </summary>
    Task RetireAsync(IReadOnlyList<string> productIds);

    /// <summary>How many units of products can be sold at this moment.</summary>
    /// <param name="productIds">The products.</param>
    /// <returns>One number for each product, in the same order; null for an unknown product.</returns>
    ValueTask<IReadOnlyList<long?>> AvailableAsync(IReadOnlyList<string> productIds);

    /// <summary>Holds every line for an order, or none.</summary>
    /// <param name="id">The reservation's id: the caller's own, so that it can be released even if the answer is
    /// lost.</param>
    /// <param name="lines">At most one line for each product; quantities of at least 1.</param>
    ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines);

    /// <summary>Notes that these reservations have their orders.</summary>
    Task ConfirmAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>The reservations that are not confirmed: a crash may have left some without an order.</summary>
    Task<IReadOnlyList<ReservationId>> UnconfirmedAsync();

    /// <summary>How many reservations are held, confirmed or not.</summary>
    Task<long> CountReservationsAsync();

    /// <summary>Releases what these reservations hold, in one write. Those that hold nothing are left out.</summary>
    Task ReleaseAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>Ships what these reservations hold, in one write: the units leave the stock for good. Those that hold
    /// nothing are left out.</summary>
    Task ShipAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>
    /// Deletes old movements, a few in each write, and adds them to the opening balances of their products. A movement
    /// that was made for an order stays while the order exists, or holds its units.
    /// </summary>
    /// <param name="upTo">Movements of this time and before are old.</param>
    /// <param name="existing">Finds out which of some orders exist.</param>
    /// <param name="stopping">If cancelled, the rest is left to another call.</param>
    Task CompactMovementsAsync(
        DateTime upTo, Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>> existing,
        CancellationToken stopping);
}

/// <summary>The id of a reservation. An order has one reservation at a time, but its id may be tried again after a
/// failure.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Number">Tells this try from other tries of the same order id; 0 if the id is never tried again.</param>
public readonly record struct ReservationId(string OrderId, long Number);

/// <summary>The first units of a product.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="Quantity">Units, 0 to 1,000,000,000.</param>
public sealed record OpeningStock(string ProductId, long Quantity);

/// <summary>So many units of a product.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="Quantity">Units, at least 1.</param>
public readonly record struct StockLine(string ProductId, long Quantity);

/// <summary>The result of a reservation.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Shortages">Every line that is short, if the stock is too little.</param>
public sealed record Reservation(ReservationOutcome Outcome, IReadOnlyList<Shortage> Shortages);

/// <summary>The result of a reservation.</summary>
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
