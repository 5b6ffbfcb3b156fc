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

    public Task RetireAsync(IReadOnlyList<string> productIds) => store.Writes.WriteAsync(() =>
    {
        foreach (string productId in productIds) store.Retire(productId);
        return Outcome.Keep(productIds.Count);
    });

    public ValueTask<Reservation> ReserveAsync(string orderId, IReadOnlyList<StockLine> lines) => store.Writes.WriteAsync(new Reserving(this, orderId, lines));

    public Task ConfirmAsync(IReadOnlyList<string> orderIds) => store.Writes.WriteAsync(() =>
    {
        foreach (string orderId in orderIds) store.Confirm(orderId);
        return Outcome.Keep(orderIds.Count);
    });

    public Task<IReadOnlyList<string>> UnconfirmedAsync() => Task.FromResult(store.Unconfirmed());

    public Task<long> CountReservationsAsync() => Task.FromResult(metrics.OpenReservations);

    public Task ReleaseAsync(string orderId) => CloseAsync(orderId, MovementKind.Released);

    public Task ShipAsync(string orderId) => CloseAsync(orderId, MovementKind.Shipped);

    private Outcome<Reservation> Reserve(string orderId, IReadOnlyList<StockLine> lines, Movement[] movements)
    {
        List<Shortage>? shortages = null;
        for (int i = 0; i < lines.Count; i++)
        {
            long level = store.LevelOf(lines[i].ProductId) ?? 0;
            if (level < lines[i].Quantity) (shortages ??= []).Add(new Shortage(lines[i].ProductId, lines[i].Quantity, level));
        }

        if (shortages is not null)
            return Outcome.Undo(HeldBefore(orderId, lines) ?? new Reservation(ReservationOutcome.TooLittleStock, shortages));

        DateTime now = module.Now();
        for (int i = 0; i < lines.Count; i++)
            movements[i] = store.Move(MovementKind.Reserved, lines[i].ProductId, lines[i].Quantity, orderId, now)!.Value;
        return store.AddReservation(orderId, movements[0].Id, movements[^1].Id)
            ? Outcome.Keep(Held)
            : Outcome.Undo(HeldBefore(orderId, lines)!);
    }

    private void Reserved(Movement[] movements)
    {
        metrics.ReservationOpened();
        Moved(movements);
    }

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

    private void Moved(IReadOnlyList<Movement> movements)
    {
        for (int i = 0; i < movements.Count; i++) metrics.Moved(movements[i]);
    }

    private sealed class Reserving(Reservations inventory, string orderId, IReadOnlyList<StockLine> lines) : PendingWrite<Reservation>(inline: true)
    {
        private readonly Movement[] _movements = new Movement[lines.Count];

        protected override Outcome<Reservation> Run() => inventory.Reserve(orderId, lines, _movements);

        protected override void Committed(Reservation answer) => inventory.Reserved(_movements);
    }
}
