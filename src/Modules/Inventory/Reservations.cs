using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;

namespace Shop.Inventory;

/// <summary>What other modules may do to the stock.</summary>
internal sealed class Reservations(
    InventoryStore store, InventoryMetrics metrics, [FromKeyedServices(InventoryModule.Name)] ModuleContext module) : IInventory
{
    private static readonly Reservation Held = new(ReservationOutcome.Held, []);
    private static readonly Reservation HeldByAnother = new(ReservationOutcome.HeldByAnother, []);

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

            return WriteResult.Commit(received);
        },
        Moved);

    public Task RetireAsync(IReadOnlyList<string> productIds) => store.Writes.WriteAsync(() =>
    {
        foreach (string productId in productIds) store.Retire(productId);
        return WriteResult.Commit(productIds.Count);
    });

    public ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines) => store.Writes.WriteAsync(new ReserveCommand(this, id, lines));

    public Task ConfirmAsync(IReadOnlyList<ReservationId> ids) => ids.Count == 0 ? Task.CompletedTask : store.Writes.WriteAsync(() =>
    {
        foreach (ReservationId id in ids) store.Confirm(id);
        return WriteResult.Commit(ids.Count);
    });

    public Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() => Task.FromResult(store.Unconfirmed());

    public Task<long> CountReservationsAsync() => Task.FromResult(metrics.OpenReservations);

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) => CloseAsync(ids, MovementKind.Released);

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) => CloseAsync(ids, MovementKind.Shipped);

    public Task FoldMovementsAsync(DateTime upTo, Func<IReadOnlyCollection<string>, IReadOnlySet<string>> existing, CancellationToken stopping) =>
        new MovementFolding(store, metrics, upTo, existing).RunAsync(stopping);

    private WriteResult<Reservation> Reserve(ReservationId id, IReadOnlyList<StockLine> lines, Movement[] movements)
    {
        List<Shortage>? shortages = null;
        for (int i = 0; i < lines.Count; i++)
        {
            long level = store.LevelOf(lines[i].ProductId) ?? 0;
            if (level < lines[i].Quantity) (shortages ??= []).Add(new Shortage(lines[i].ProductId, lines[i].Quantity, level));
        }

        if (shortages is not null)
            return WriteResult.Rollback(HeldBefore(id) ?? new Reservation(ReservationOutcome.TooLittleStock, shortages));

        DateTime now = module.Now();
        for (int i = 0; i < lines.Count; i++)
            movements[i] = store.Move(MovementKind.Reserved, lines[i].ProductId, lines[i].Quantity, id.OrderId, now)!.Value;
        return store.AddReservation(id, movements[0].Id, movements[^1].Id)
            ? WriteResult.Commit(Held)
            : WriteResult.Rollback(HeldBefore(id)!);
    }

    private void Reserved(Movement[] movements)
    {
        metrics.ReservationOpened();
        Moved(movements);
    }

    private Reservation? HeldBefore(ReservationId id) =>
        store.NumberHeld(id.OrderId) is { } number ? number == id.Number ? Held : HeldByAnother : null;

    private Task CloseAsync(IReadOnlyList<ReservationId> ids, MovementKind kind) => ids.Count == 0 ? Task.CompletedTask : store.Writes.WriteAsync(
        () =>
        {
            DateTime now = module.Now();
            int closed = 0;
            var movements = new List<Movement>();
            foreach (ReservationId id in ids)
            {
                IReadOnlyList<StockLine> lines = store.ReservedLines(id);
                if (lines.Count == 0) continue;
                foreach (StockLine line in lines)
                {
                    movements.Add(store.Move(kind, line.ProductId, line.Quantity, id.OrderId, now)
                        ?? throw new InvalidOperationException($"Order {id.OrderId} holds more of {line.ProductId} than is reserved."));
                }

                store.RemoveReservation(id);
                closed++;
            }

            return WriteResult.Commit((closed, movements));
        },
        made =>
        {
            metrics.ReservationsClosed(made.closed);
            Moved(made.movements);
        });

    private void Moved(IReadOnlyList<Movement> movements)
    {
        for (int i = 0; i < movements.Count; i++) metrics.Moved(movements[i]);
    }

    private sealed class ReserveCommand(Reservations inventory, ReservationId id, IReadOnlyList<StockLine> lines) : WriteCommand<Reservation>
    {
        private readonly Movement[] _movements = new Movement[lines.Count];

        // An order is written next.
        protected override bool IsBrief => true;

        protected override WriteResult<Reservation> Run() => inventory.Reserve(id, lines, _movements);

        protected override void Committed(Reservation answer) => inventory.Reserved(_movements);
    }
}
