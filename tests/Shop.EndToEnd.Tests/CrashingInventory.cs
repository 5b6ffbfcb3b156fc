using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// The real inventory behind a switch that ends the world: at a chosen call, before it or after it, and for every call from then
/// on. To the caller that is a crash between two of its steps: nothing that comes after can happen.
/// </summary>
internal sealed class CrashingInventory(IInventory real, CrashSwitch crash) : IInventory
{
    public static Action<IServiceCollection> Behind(CrashSwitch crash) => services =>
    {
        ServiceDescriptor descriptor = services.Single(service => service.ServiceType == typeof(IInventory));
        services.Remove(descriptor);
        services.AddSingleton<IInventory>(provider =>
            new CrashingInventory((IInventory)ActivatorUtilities.CreateInstance(provider, descriptor.ImplementationType!), crash));
    };

    public Task OpenAsync(IReadOnlyList<OpeningStock> products) => crash.PassAsync(() => real.OpenAsync(products));

    public Task RetireAsync(IReadOnlyList<string> productIds) => crash.PassAsync(() => real.RetireAsync(productIds));

    public async ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines)
    {
        Reservation? reservation = null;
        await crash.PassAsync(async () => reservation = await real.ReserveAsync(id, lines));
        return reservation!;
    }

    public Task ConfirmAsync(IReadOnlyList<ReservationId> ids) => crash.PassAsync(() => real.ConfirmAsync(ids));

    public Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() => real.UnconfirmedAsync();

    public Task<long> CountReservationsAsync() => real.CountReservationsAsync();

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) => crash.PassAsync(() => real.ReleaseAsync(ids));

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) => crash.PassAsync(() => real.ShipAsync(ids));

    public Task FoldMovementsAsync(DateTime upTo, Func<IReadOnlyCollection<string>, IReadOnlySet<string>> existing, CancellationToken stopping) =>
        crash.PassAsync(() => real.FoldMovementsAsync(upTo, existing, stopping));
}

/// <summary>When the world ends.</summary>
internal sealed class CrashSwitch
{
    private readonly Lock _lock = new();
    private int? _passesLeft;

    public bool HasCrashed { get; private set; }

    /// <summary>Crashes after so many more half-calls: the beginning and the end of a call are one each.</summary>
    public void CrashAfter(int passes)
    {
        lock (_lock) _passesLeft = passes;
    }

    public void Reset()
    {
        lock (_lock) (_passesLeft, HasCrashed) = (null, false);
    }

    public async Task PassAsync(Func<Task> call)
    {
        Pass();
        await call();
        Pass();
    }

    private void Pass()
    {
        lock (_lock)
        {
            if (_passesLeft is { } left && !HasCrashed)
            {
                HasCrashed = left <= 0;
                _passesLeft = left - 1;
            }

            if (HasCrashed) throw new CrashException();
        }
    }
}

internal sealed class CrashException() : Exception("The process is gone.");
