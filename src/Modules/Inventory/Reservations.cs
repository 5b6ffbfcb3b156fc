using Shop.Inventory.Contracts;

namespace Shop.Inventory;

/// <summary>The stock as other modules use it.</summary>
internal sealed class Reservations(IStockStore store, InventoryMetrics metrics) : IInventory
{
    private static readonly Reservation Held = new(ReservationOutcome.Held, []);
    private static readonly Reservation HeldByAnother = new(ReservationOutcome.HeldByAnother, []);

    public async Task OpenAsync(IReadOnlyList<OpeningStock> products) =>
        metrics.Moved(MovementKind.Received, await store.InitializeAsync(products));

    public async Task RetireAsync(IReadOnlyList<string> productIds) => await store.RetireAsync(productIds);

    public async ValueTask<IReadOnlyList<long?>> AvailableAsync(IReadOnlyList<string> productIds) =>
        [.. (await store.FindAsync(productIds, CancellationToken.None)).Select(stock => stock?.Available)];

    public async ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines)
    {
        ReserveResult result = await store.ReserveAsync(id, lines);
        if (result.Outcome == ReserveOutcome.Reserved) metrics.Moved(MovementKind.Reserved, Totals(lines));
        return result.Outcome switch
        {
            ReserveOutcome.HeldByAnother => HeldByAnother,
            ReserveOutcome.TooLittleStock => new Reservation(ReservationOutcome.TooLittleStock, result.Shortages!),
            _ => Held,
        };
    }

    public async Task ConfirmAsync(IReadOnlyList<ReservationId> ids)
    {
        if (ids.Count > 0) await store.ConfirmAsync(ids);
    }

    public async Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() =>
        await store.UnconfirmedAsync(CancellationToken.None);

    public async Task<long> CountReservationsAsync() => await store.CountReservationsAsync(CancellationToken.None);

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) => CloseAsync(ids, MovementKind.Released);

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) => CloseAsync(ids, MovementKind.Shipped);

    public Task CompactMovementsAsync(
        DateTime upTo, Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>> existing,
        CancellationToken stopping) =>
        new MovementCompaction(store, metrics, upTo, existing).RunAsync(stopping);

    private async Task CloseAsync(IReadOnlyList<ReservationId> ids, MovementKind kind)
    {
        if (ids.Count == 0) return;
        CloseResult result = await store.CloseAsync(ids, kind);
        metrics.Moved(kind, result.Moved);
    }

    private static MovementTotals Totals(IReadOnlyList<StockLine> lines)
    {
        MovementTotals totals = default;
        for (int i = 0; i < lines.Count; i++) totals = totals.Plus(lines[i].Quantity);
        return totals;
    }
}
