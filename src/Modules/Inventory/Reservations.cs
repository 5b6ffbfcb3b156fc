using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>What other modules may do to the stock.</summary>
internal sealed class Reservations(
    InventoryStore store, InventoryMetrics metrics, [FromKeyedServices(InventoryModule.Name)] ModuleContext module) : IInventory
{
    private static readonly Reservation Held = new(ReservationOutcome.Held, []);
    private static readonly Reservation HoldsOtherLines = new(ReservationOutcome.HoldsOtherLines, []);

    public Task OpenAsync(IReadOnlyList<OpeningStock> products) => store.Writes.WriteAsync(
        () =>
        {
            DateTime now = module.Now();
            var received = new List<Movement>();
            foreach (OpeningStock product in products)
            {
                if (!store.Open(product.ProductId, now) || product.Quantity == 0) continue;
                if (store.Move(MovementKind.Received, product.ProductId, product.Quantity, null, now) is { } movement) received.Add(movement);
            }

            return Outcome.Keep(received);
        },
        Moved);

    public async Task<Reservation> ReserveAsync(string orderId, IReadOnlyList<StockLine> lines)
    {
        (Reservation reservation, _) = await store.Writes.WriteAsync(() => Reserve(orderId, lines), made =>
        {
            metrics.ReservationOpened();
            Moved(made.Movements);
        }, inline: true);
        return reservation;
    }

    public Task ConfirmAsync(IReadOnlyList<string> orderIds) => store.Writes.WriteAsync(() =>
    {
        foreach (string orderId in orderIds) store.Confirm(orderId);
        return Outcome.Keep(orderIds.Count);
    });

    public Task<IReadOnlyList<string>> UnconfirmedAsync() => Task.FromResult(store.Unconfirmed());

    public Task ReleaseAsync(string orderId) => CloseAsync(orderId, MovementKind.Released);

    public Task ShipAsync(string orderId) => CloseAsync(orderId, MovementKind.Shipped);

    private Outcome<(Reservation Reservation, List<Movement> Movements)> Reserve(string orderId, IReadOnlyList<StockLine> lines)
    {
        var movements = new List<Movement>(lines.Count);
        Shortage[] shortages = [.. lines.Where(line => LevelOf(line) < line.Quantity).Select(line => new Shortage(line.ProductId, line.Quantity, LevelOf(line)))];
        if (shortages.Length > 0)
            return Outcome.Undo((HeldBefore(orderId, lines) ?? new Reservation(ReservationOutcome.TooLittleStock, shortages), movements));

        DateTime now = module.Now();
        foreach (StockLine line in lines) movements.Add(store.Move(MovementKind.Reserved, line.ProductId, line.Quantity, orderId, now)!.Value);
        return store.AddReservation(orderId, movements[0].Id, movements[^1].Id)
            ? Outcome.Keep((Held, movements))
            : Outcome.Undo((HeldBefore(orderId, lines)!, movements));
    }

    private long LevelOf(StockLine line) => store.LevelOf(line.ProductId) ?? 0;

    private Reservation? HeldBefore(string orderId, IReadOnlyList<StockLine> lines)
    {
        IReadOnlyList<StockLine> held = store.ReservedLines(orderId);
        return held.Count == 0 ? null : held.ToHashSet().SetEquals(lines) ? Held : HoldsOtherLines;
    }

    private Task<List<Movement>> CloseAsync(string orderId, MovementKind kind) => store.Writes.WriteAsync(
        () =>
        {
            DateTime now = module.Now();
            var movements = new List<Movement>();
            foreach (StockLine line in store.ReservedLines(orderId))
            {
                movements.Add(store.Move(kind, line.ProductId, line.Quantity, orderId, now)
                    ?? throw new InvalidOperationException($"Order {orderId} holds more of {line.ProductId} than is reserved."));
            }

            store.RemoveReservation(orderId);
            return Outcome.Keep(movements);
        },
        movements =>
        {
            if (movements.Count > 0) metrics.ReservationClosed();
            Moved(movements);
        });

    private void Moved(List<Movement> movements)
    {
        foreach (Movement movement in movements) metrics.Moved(movement);
    }
}
