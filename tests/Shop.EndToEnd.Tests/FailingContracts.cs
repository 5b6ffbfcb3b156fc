using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Products.Contracts;

namespace Shop.EndToEnd.Tests;

/// <summary>The real modules behind contracts whose calls fail by chance, before they take effect or after.</summary>
internal sealed class FailingContracts(IInventory inventory, IProductCatalogue products, Failures failures) : IInventory, IProductCatalogue
{
    public static Action<IServiceCollection> Behind(Failures failures) => services =>
    {
        ServiceDescriptor inventory = services.Single(service => service.ServiceType == typeof(IInventory));
        ServiceDescriptor products = services.Single(service => service.ServiceType == typeof(IProductCatalogue));
        services.AddSingleton(provider =>
        {
            failures.Inventory = (IInventory)ActivatorUtilities.CreateInstance(provider, inventory.ImplementationType!);
            return new FailingContracts(failures.Inventory, (IProductCatalogue)products.ImplementationFactory!(provider), failures);
        });
        services.AddSingleton<IInventory>(provider => provider.GetRequiredService<FailingContracts>());
        services.AddSingleton<IProductCatalogue>(provider => provider.GetRequiredService<FailingContracts>());
    };

    public Task OpenAsync(IReadOnlyList<OpeningStock> opening) => failures.PassAsync(() => inventory.OpenAsync(opening));

    public Task RetireAsync(IReadOnlyList<string> productIds) => failures.PassAsync(() => inventory.RetireAsync(productIds));

    public async ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines)
    {
        Reservation? reservation = null;
        await failures.PassAsync(async () => reservation = await inventory.ReserveAsync(id, lines));
        return reservation!;
    }

    public Task ConfirmAsync(IReadOnlyList<ReservationId> ids) => failures.PassAsync(() => inventory.ConfirmAsync(ids));

    public Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() => inventory.UnconfirmedAsync();

    public Task<long> CountReservationsAsync() => inventory.CountReservationsAsync();

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) => failures.PassAsync(() => inventory.ReleaseAsync(ids));

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) => failures.PassAsync(() => inventory.ShipAsync(ids));

    public Task FoldMovementsAsync(DateTime upTo, Func<IReadOnlyCollection<string>, IReadOnlySet<string>> existing, CancellationToken stopping) =>
        failures.PassAsync(() => inventory.FoldMovementsAsync(upTo, existing, stopping));

    public async ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids)
    {
        IReadOnlyList<ProductOnSale?>? found = null;
        await failures.PassAsync(async () => found = await products.FindAsync(ids));
        return found!;
    }
}

/// <summary>Which calls fail, and how.</summary>
internal sealed class Failures
{
    private readonly Lock _lock = new();
    private Random _random = new(0);
    private int _percent;

    public int Made { get; private set; }

    /// <summary>The real one.</summary>
    public IInventory Inventory { get; set; } = null!;

    /// <summary>From now on so many of a hundred calls fail.</summary>
    public void Begin(int percent, int seed)
    {
        lock (_lock) (_percent, _random) = (percent, new Random(seed));
    }

    public void End() => Begin(0, 0);

    public async Task PassAsync(Func<Task> call)
    {
        (Exception? before, Exception? after) = Draw();
        if (before is not null) throw before;
        await call();
        if (after is not null) throw after;
    }

    private (Exception? Before, Exception? After) Draw()
    {
        lock (_lock)
        {
            if (_random.Next(100) >= _percent) return (null, null);
            Made++;
            return _random.Next(8) switch
            {
                0 => (new WriteQueueFullException("inventory"), null),
                1 => (new WriteTimeoutException("inventory"), null),
                2 => (new StoreUnavailableException("inventory", new IOException("no")), null),
                3 => (new InvalidOperationException("no"), null),
                4 or 5 => (null, new StoreUnavailableException("inventory", new IOException("no"))),
                6 => (null, new InvalidOperationException("no")),
                _ => (null, new TimeoutException("no")),
            };
        }
    }
}
