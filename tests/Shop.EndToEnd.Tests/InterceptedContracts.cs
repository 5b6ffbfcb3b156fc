using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Products.Contracts;

namespace Shop.EndToEnd.Tests;

/// <summary>Makes a call from one module to another, or does not.</summary>
/// <param name="call">Name of the method.</param>
/// <param name="subjects">The products or orders that the call is about.</param>
/// <param name="make">Makes the call.</param>
internal delegate Task Interceptor(string call, IEnumerable<string> subjects, Func<Task> make);

/// <summary>The real modules behind contracts whose calls go through the hands of a test.</summary>
internal sealed class InterceptedContracts(IInventory inventory, IProductCatalogue products, Interceptor intercept)
    : IInventory, IProductCatalogue
{
    /// <summary>Puts the interceptor before both contracts.</summary>
    /// <param name="intercept">Gets each call that does something, and each that looks products up.</param>
    /// <param name="real">Told of the real inventory.</param>
    public static Action<IServiceCollection> By(Interceptor intercept, Action<IInventory>? real = null) => services =>
    {
        ServiceDescriptor inventory = services.Single(service => service.ServiceType == typeof(IInventory));
        ServiceDescriptor products = services.Single(service => service.ServiceType == typeof(IProductCatalogue));
        services.AddSingleton(provider =>
        {
            var made = (IInventory)ActivatorUtilities.CreateInstance(provider, inventory.ImplementationType!);
            real?.Invoke(made);
            return new InterceptedContracts(made, (IProductCatalogue)products.ImplementationFactory!(provider),
                intercept);
        });
        services.AddSingleton<IInventory>(provider => provider.GetRequiredService<InterceptedContracts>());
        services.AddSingleton<IProductCatalogue>(provider => provider.GetRequiredService<InterceptedContracts>());
    };

    public Task OpenAsync(IReadOnlyList<OpeningStock> opening) =>
        intercept(nameof(OpenAsync), opening.Select(product => product.ProductId), () => inventory.OpenAsync(opening));

    public Task RetireAsync(IReadOnlyList<string> productIds) =>
        intercept(nameof(RetireAsync), productIds, () => inventory.RetireAsync(productIds));

    public ValueTask<IReadOnlyList<long?>> AvailableAsync(IReadOnlyList<string> productIds) =>
        inventory.AvailableAsync(productIds);

    public async ValueTask<Reservation> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines)
    {
        Reservation? reservation = null;
        await intercept(nameof(ReserveAsync), lines.Select(line => line.ProductId),
            async () => reservation = await inventory.ReserveAsync(id, lines));
        return reservation!;
    }

    public Task ConfirmAsync(IReadOnlyList<ReservationId> ids) =>
        intercept(nameof(ConfirmAsync), Orders(ids), () => inventory.ConfirmAsync(ids));

    public Task<IReadOnlyList<ReservationId>> UnconfirmedAsync() => inventory.UnconfirmedAsync();

    public Task<long> CountReservationsAsync() => inventory.CountReservationsAsync();

    public Task ReleaseAsync(IReadOnlyList<ReservationId> ids) =>
        intercept(nameof(ReleaseAsync), Orders(ids), () => inventory.ReleaseAsync(ids));

    public Task ShipAsync(IReadOnlyList<ReservationId> ids) =>
        intercept(nameof(ShipAsync), Orders(ids), () => inventory.ShipAsync(ids));

    public Task CompactMovementsAsync(
        DateTime upTo, Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>> existing,
        CancellationToken stopping) =>
        intercept(nameof(CompactMovementsAsync), [], () => inventory.CompactMovementsAsync(upTo, existing, stopping));

    public async ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids)
    {
        IReadOnlyList<ProductOnSale?>? found = null;
        await intercept(nameof(FindAsync), ids, async () => found = await products.FindAsync(ids));
        return found!;
    }

    private static IEnumerable<string> Orders(IReadOnlyList<ReservationId> ids) => ids.Select(id => id.OrderId);
}
