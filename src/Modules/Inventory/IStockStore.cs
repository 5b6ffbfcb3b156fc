using System.Globalization;
using System.Runtime.InteropServices;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>
/// Stores the stock: levels, movements and reservations. A change is made completely or not at all, and is on disk once
/// its task has completed; the result says what happened. A change that was refused changed nothing.
/// </summary>
internal interface IStockStore
{
    /// <summary>Work that the store needs every few seconds, and when the module stops.</summary>
    Task MaintainAsync();

    /// <summary>Gives new products their stock. A product that has a stock keeps it as it is.</summary>
    /// <returns>The movements of kind <c>received</c> that were made.</returns>
    ValueTask<MovementTotals> InitializeAsync(IReadOnlyList<OpeningStock> products);

    /// <summary>Notes that products are no longer sold. Unknown products are left out.</summary>
    ValueTask RetireAsync(IReadOnlyList<string> productIds);

    /// <summary>Holds every line for an order, or none.</summary>
    ValueTask<ReserveResult> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines);

    /// <summary>Notes that reservations have their orders.</summary>
    ValueTask ConfirmAsync(IReadOnlyList<ReservationId> ids);

    /// <summary>Ends reservations: their units are released or shipped. Those that hold nothing are left out.</summary>
    /// <param name="ids">The reservations.</param>
    /// <param name="kind"><see cref="MovementKind.Released"/> or <see cref="MovementKind.Shipped"/>.</param>
    ValueTask<CloseResult> CloseAsync(IReadOnlyList<ReservationId> ids, MovementKind kind);

    /// <summary>Changes what is on hand, once for each key.</summary>
    /// <param name="kind"><see cref="MovementKind.Received"/> or <see cref="MovementKind.Removed"/>.</param>
    /// <param name="productId">The product.</param>
    /// <param name="quantity">Units, at least 1.</param>
    /// <param name="key">The key of the request; null if it has none.</param>
    ValueTask<AdjustResult> AdjustAsync(MovementKind kind, string productId, long quantity, IdempotencyKey? key);

    /// <summary>Deletes movements, and adds them to the opening balances of their products.</summary>
    /// <returns>How many were deleted: those that were there.</returns>
    ValueTask<int> CompactAsync(IReadOnlyList<OldMovement> movements);

    /// <summary>Returns the space of deleted movements to the file system.</summary>
    ValueTask ReclaimSpaceAsync(CancellationToken end);

    /// <summary>The stock of a product; null if the product is unknown.</summary>
    ValueTask<StockLevel?> FindAsync(string productId, CancellationToken end);

    /// <summary>The stock of some products, in their order; null for those that are unknown.</summary>
    ValueTask<IReadOnlyList<StockLevel?>> FindAsync(IReadOnlyList<string> productIds, CancellationToken end);

    /// <summary>Products by id.</summary>
    /// <param name="maxLevel">Only products on sale with at most so many available units; null for all
    /// products.</param>
    /// <param name="after">The id that the page begins after; null for the first page.</param>
    /// <param name="limit">Most rows of the page.</param>
    /// <param name="end">Ends the query.</param>
    ValueTask<(PageOf<StockLevel> Page, RowTotal Total)> ListAsync(
        long? maxLevel, string? after, int limit, CancellationToken end);

    /// <summary>The products on sale with the lowest stock, lowest first.</summary>
    ValueTask<IReadOnlyList<StockLevel>> LowestAsync(int limit, CancellationToken end);

    /// <summary>How many products on sale have how much stock.</summary>
    /// <param name="lowBelow">A product with 1 or more available units, but fewer than this, is low.</param>
    /// <param name="end">Ends the query.</param>
    ValueTask<ProductCounts> CountProductsAsync(long lowBelow, CancellationToken end);

    /// <summary>The movements of a product, newest first. Its opening balance is the last row.</summary>
    /// <param name="productId">The product.</param>
    /// <param name="cursor">The id of the movement that the page begins after; null for the first page.</param>
    /// <param name="limit">Most rows of the page.</param>
    /// <param name="end">Ends the query.</param>
    ValueTask<(PageOf<Movement> Page, RowTotal Total)> ListMovementsAsync(
        string productId, long? cursor, int limit, CancellationToken end);

    /// <summary>The first page of <see cref="ListMovementsAsync"/>, without the total.</summary>
    ValueTask<IReadOnlyList<Movement>> NewestMovementsAsync(string productId, int limit, CancellationToken end);

    /// <summary>Movements that may be compacted, oldest first, of all products.</summary>
    /// <param name="after">The id of the movement to begin after; 0 to begin with the oldest.</param>
    /// <param name="limit">Most rows.</param>
    /// <param name="end">Ends the query.</param>
    ValueTask<IReadOnlyList<OldMovement>> OldestMovementsAsync(long after, int limit, CancellationToken end);

    /// <summary>The reservations that are not confirmed.</summary>
    ValueTask<IReadOnlyList<ReservationId>> UnconfirmedAsync(CancellationToken end);

    /// <summary>How many reservations are held, confirmed or not.</summary>
    ValueTask<long> CountReservationsAsync(CancellationToken end);
}

/// <summary>Movements that were made together.</summary>
/// <param name="Movements">How many.</param>
/// <param name="Units">The sum of their quantities.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MovementTotals(int Movements, long Units)
{
    /// <summary>These movements and another.</summary>
    public MovementTotals Plus(long units) => new(Movements + 1, Units + units);

    /// <summary>These movements and others.</summary>
    public MovementTotals Plus(MovementTotals others) => new(Movements + others.Movements, Units + others.Units);
}

/// <summary>How <see cref="IStockStore.ReserveAsync"/> went.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Shortages">Every line that is short, if the stock is too little.</param>
internal readonly record struct ReserveResult(ReserveOutcome Outcome, IReadOnlyList<Shortage>? Shortages = null);

/// <summary>How <see cref="IStockStore.ReserveAsync"/> went.</summary>
internal enum ReserveOutcome
{
    /// <summary>Every line is held now.</summary>
    Reserved,

    /// <summary>The reservation had been made before.</summary>
    HeldBefore,

    /// <summary>The order has a reservation of another number.</summary>
    HeldByAnother,

    /// <summary>The stock of some lines is too little.</summary>
    TooLittleStock,
}

/// <summary>How <see cref="IStockStore.CloseAsync"/> went.</summary>
/// <param name="Reservations">How many reservations ended.</param>
/// <param name="Moved">Their movements.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CloseResult(int Reservations, MovementTotals Moved);

/// <summary>How <see cref="IStockStore.AdjustAsync"/> went.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Available">Available units: after the change, at that time if it is a replay, or now if they are too
/// few.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct AdjustResult(AdjustOutcome Outcome, long Available = 0)
{
    /// <summary>The answer that is kept for the key of the request.</summary>
    public string Answer => Available.ToString(CultureInfo.InvariantCulture);

    /// <summary>The result for a request whose key has a record.</summary>
    public static AdjustResult Of(IdempotencyRecord kept) => kept.IsSame
        ? new AdjustResult(AdjustOutcome.Replayed, long.Parse(kept.Answer, CultureInfo.InvariantCulture))
        : new AdjustResult(AdjustOutcome.KeyReused);
}

/// <summary>How <see cref="IStockStore.AdjustAsync"/> went.</summary>
internal enum AdjustOutcome
{
    /// <summary>The change was made now.</summary>
    Adjusted,

    /// <summary>An equal request with the same key had made it.</summary>
    Replayed,

    /// <summary>The key belongs to another request.</summary>
    KeyReused,

    /// <summary>There is no such product.</summary>
    UnknownProduct,

    /// <summary>Fewer units are available than should be removed.</summary>
    TooLittleStock,
}

/// <summary>Products on sale by their stock.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProductCounts(int InStock, int Low, int Out);
