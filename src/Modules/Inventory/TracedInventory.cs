using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Modules;
using Shop.Platform.Telemetry;

namespace Shop.Inventory;

/// <summary>The contract, with a span for each call that may belong to a trace.</summary>
internal sealed class TracedInventory(
    Reservations inventory, [FromKeyedServices(InventoryModule.Name)] ModuleContext module) : IInventory
{
    private readonly ContractCalls _calls = new(module, "Inventory", module.Faults.Of(InventoryModule.Down.Name));

    public Task OpenAsync(IReadOnlyList<OpeningStock> products) =>
        _calls.MakeAsync("Open", (inventory, products), static call => call.inventory.OpenAsync(call.products));

    public Task RetireAsync(IReadOnlyList<string> productIds) =>
        _calls.MakeAsync("Retire", (inventory, productIds), static call => call.inventory.RetireAsync(call.productIds));

    public ValueTask<IReadOnlyList<long?>> AvailableAsync(IReadOnlyList<string> productIds) =>
        _calls.MakeAsync("Available", (inventory, productIds),
            static call => call.inventory.AvailableAsync(call.productIds));

    public ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines) =>
        _calls.MakeAsync("Reserve", (inventory, id, lines),
            static call => call.inventory.ReserveAsync(call.id, call.lines));

    public Task ConfirmAsync(IReadOnlyList<ReservationId> ids) =>
        _calls.MakeAsync("Confirm", (inventory, ids), static call => call.inventory.ConfirmAsync(call.ids));

    public Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() => inventory.UnconfirmedAsync();

    public Task<long> CountReservationsAsync() => inventory.CountReservationsAsync();

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) =>
        _calls.MakeAsync("Release", (inventory, ids), static call => call.inventory.ReleaseAsync(call.ids));

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) =>
        _calls.MakeAsync("Ship", (inventory, ids), static call => call.inventory.ShipAsync(call.ids));

    public Task CompactMovementsAsync(
        DateTime upTo, Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>> existing,
        CancellationToken stopping) =>
        inventory.CompactMovementsAsync(upTo, existing, stopping);
}
