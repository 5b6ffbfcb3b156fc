using System.Globalization;
using System.Runtime.InteropServices;
using Shop.Inventory.Contracts;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>
/// Stores the orders. If the task of a change has completed, the change is durable, and its result is final. A change
/// that fails with a <see cref="Shop.Platform.Data.StoreException"/> may have taken effect, unless it was refused: <see
/// cref="Shop.Platform.Data.WriteRefusedException"/>.
/// </summary>
internal interface IOrderStore
{
    /// <summary>
    /// How often to look for work that a crashed host has left. Null if no other host uses the store: then such work
    /// can only be left from this host's last run, and is found at its start.
    /// </summary>
    TimeSpan? RecoveryPeriod { get; }

    /// <summary>Writes an order, with its lines and its idempotency key.</summary>
    /// <param name="order">The order.</param>
    /// <param name="reservation">The reservation that holds its units.</param>
    /// <param name="fingerprint">
    /// The content of the request, if the client chose the order's id: a repeat must be the same.
    /// </param>
    /// <param name="key">The idempotency key of the request; null if it has none.</param>
    ValueTask<PlaceResult> PlaceAsync(Order order, ReservationId reservation, byte[]? fingerprint, IdempotencyKey? key);

    /// <summary>
    /// Looks for the order that an earlier, equal request has placed. If it is found by its id, the key is bound to it,
    /// too.
    /// </summary>
    /// <param name="key">The idempotency key of the request; null if it has none.</param>
    /// <param name="orderId">The id that the client chose; null if it chose none.</param>
    /// <param name="fingerprint">The content of the request.</param>
    /// <param name="now">The time.</param>
    ValueTask<ReplayResult> ReplayAsync(IdempotencyKey? key, string? orderId, byte[] fingerprint, DateTime now);

    /// <summary>
    /// Changes the status of an order, if <see cref="OrderStatus.Changes"/> allows it. If the stock must change as
    /// well, the same write adds that to the stock outbox: see <see cref="PendingStockChangesAsync"/>.
    /// </summary>
    /// <param name="id">The order's id.</param>
    /// <param name="status">The new status.</param>
    /// <param name="key">The idempotency key of the request; null if it has none.</param>
    /// <param name="now">The time.</param>
    ValueTask<ChangeStatusResult> ChangeStatusAsync(string id, string status, IdempotencyKey? key, DateTime now);

    /// <summary>The order; null if there is none.</summary>
    ValueTask<Order?> FindAsync(string id);

    /// <summary>The statuses that an order has had, oldest first; none if there is no such order.</summary>
    ValueTask<IReadOnlyList<OrderEvent>> EventsAsync(string id);

    /// <summary>A page of orders, newest first: at most so many, and no more than fit in a page.</summary>
    /// <param name="filter">Which orders.</param>
    /// <param name="cursor">
    /// Where the page begins: <see cref="OrderPage.Next"/> of the page before; null for the first page.
    /// </param>
    /// <param name="limit">The most orders.</param>
    /// <param name="end">Ends the query.</param>
    ValueTask<OrderPage> ListAsync(OrderFilter filter, long? cursor, long limit, CancellationToken end);

    /// <summary>The newest orders without their lines, newest first.</summary>
    ValueTask<IReadOnlyList<OrderHeader>> ListNewestAsync(OrderFilter filter, long limit, CancellationToken end);

    /// <summary>How many orders there are in each status.</summary>
    ValueTask<IReadOnlyDictionary<string, long>> CountByStatusAsync();

    /// <summary>
    /// Publishes the orders that other hosts place or change, soon after the change, while a client watches.
    /// </summary>
    /// <param name="isWatched">Whether a client watches.</param>
    /// <param name="publish">Called with each order.</param>
    ValueTask SubscribeToOtherHostsAsync(Func<bool> isWatched, Action<OrderHeader> publish);

    /// <summary>
    /// Decides for good which of these reservations have an order. A reservation that has none never gets one: if a
    /// host is still about to place its order, <see cref="PlaceAsync"/> refuses it.
    /// </summary>
    /// <param name="reservations">Reservations whose requests have failed, or are too old to be under way.</param>
    /// <returns>Those that have an order.</returns>
    ValueTask<IReadOnlySet<ReservationId>> ResolveAsync(IReadOnlyList<ReservationId> reservations);

    /// <summary>Reads the stock outbox: changes of status that may not have been applied to the stock yet.</summary>
    ValueTask<IReadOnlyList<StockChange>> PendingStockChangesAsync();

    /// <summary>Removes changes from the stock outbox, because they are applied to the stock.</summary>
    ValueTask CompleteStockChangesAsync(IReadOnlyList<ReservationId> reservations);

    /// <summary>Those of these orders that exist.</summary>
    ValueTask<IReadOnlySet<string>> FindExistingAsync(IReadOnlyCollection<string> ids);

    /// <summary>
    /// Deletes some of the orders that have been in a status since before a time, but none that is in the stock outbox,
    /// and none that an idempotency key is bound to.
    /// </summary>
    /// <param name="status">A status that is final.</param>
    /// <param name="endedBy">The latest time at which an order has come to the status.</param>
    /// <param name="cursor">Where to go on: <see cref="DeletedOrders.Next"/> of the call before; 0 at first.</param>
    /// <param name="now">The time.</param>
    ValueTask<DeletedOrders> DeleteAsync(string status, DateTime endedBy, long cursor, DateTime now);

    /// <summary>Returns free space to the file system.</summary>
    ValueTask ReclaimSpaceAsync(CancellationToken end);
}

/// <summary>The result of writing an order.</summary>
internal enum PlaceResult
{
    /// <summary>The order is durable.</summary>
    Placed,

    /// <summary>Another request has used the idempotency key in between. Nothing was written.</summary>
    KeyInUse,

    /// <summary>
    /// The order's id is that of another order, or its reservation was given up. Nothing was written.
    /// </summary>
    OrderIdInUse,
}

/// <summary>The result of looking for an earlier, equal request.</summary>
/// <param name="Outcome">What was found.</param>
/// <param name="Order">The order as it is now, if it was found.</param>
/// <param name="OrderId">The id of the order that was deleted, if it was.</param>
internal readonly record struct ReplayResult(ReplayOutcome Outcome, Order? Order = null, string? OrderId = null);

/// <summary>The result of looking for an earlier, equal request.</summary>
internal enum ReplayOutcome
{
    /// <summary>There was none.</summary>
    New,

    /// <summary>The order that it placed.</summary>
    Replayed,

    /// <summary>The key was used for another request.</summary>
    KeyReused,

    /// <summary>The order's id was used for an order with other content.</summary>
    OrderIdReused,

    /// <summary>The order that the key is bound to was deleted.</summary>
    OrderDeleted,
}

/// <summary>The result of a change of status.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Order">
/// The order: as the change left it, or, if the change was refused, as it is. Null if there is none.
/// </param>
/// <param name="Before">The order before the change, if there was one.</param>
/// <param name="Reservation">The reservation that the order holds, if its status was changed.</param>
internal readonly record struct ChangeStatusResult(
    ChangeStatusOutcome Outcome, Order? Order = null, Order? Before = null, ReservationId Reservation = default)
{
    /// <summary>The answer that is kept for the key of the request: the time alone, since the status is that of the
    /// request, and the rest of an order never changes.</summary>
    public string Answer => Order!.UpdatedAt.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The result of a change of status.</summary>
internal enum ChangeStatusOutcome
{
    /// <summary>The order has another status now.</summary>
    Changed,

    /// <summary>The order had this status already.</summary>
    Unchanged,

    /// <summary>An earlier, equal request has made the change.</summary>
    Replayed,

    /// <summary>There is no such order.</summary>
    NotFound,

    /// <summary>The order's status does not allow it.</summary>
    NotAllowed,

    /// <summary>The key was used for another request.</summary>
    KeyReused,
}

/// <summary>A change of status that must be applied to the stock.</summary>
/// <param name="Reservation">What the order holds.</param>
/// <param name="Status">The new status.</param>
internal readonly record struct StockChange(ReservationId Reservation, string Status);

/// <summary>A status that an order came to.</summary>
/// <param name="Status">The status.</param>
/// <param name="At">When, in milliseconds since 1970.</param>
internal sealed record OrderEvent(string Status, long At);

/// <summary>Which orders a list is of.</summary>
internal sealed record OrderFilter(string? Status = null, string? CustomerId = null, string? ProductId = null);

/// <summary>A page of orders.</summary>
/// <param name="Orders">The orders, newest first.</param>
/// <param name="Next">The cursor of the next page; null if this one is the last.</param>
/// <param name="Total">How many orders the list has in all.</param>
internal sealed record OrderPage(IReadOnlyList<Order> Orders, long? Next, RowTotal Total);

/// <summary>Orders that were deleted.</summary>
/// <param name="Orders">How many.</param>
/// <param name="Next">Where to go on; null if no other order is old enough.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DeletedOrders(int Orders, long? Next);
