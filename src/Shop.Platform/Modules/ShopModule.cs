using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;

namespace Shop.Platform.Modules;

/// <summary>
/// What the host sees of a module: its name, its services, its routes, its start and its stop.
/// Modules start before any port is open, in the order in which the host lists them. They are disposed in reverse, once requests
/// have ended and before their databases are closed.
/// </summary>
public interface IShopModule : IAsyncDisposable
{
    /// <summary>Who the module is.</summary>
    ModuleIdentity Identity { get; }

    /// <summary>Adds the module's own types to the container.</summary>
    void AddServices(IServiceCollection services);

    /// <summary>Reads the state that the module keeps in memory, and settles what a crash may have left.</summary>
    Task StartAsync(IServiceProvider services, CancellationToken cancellationToken);

    /// <summary>Lists the module's routes.</summary>
    void MapRoutes(ModuleRoutes routes, IServiceProvider services);
}

/// <summary>Who a module is.</summary>
/// <param name="Name">Short name: its listener, its settings and its file bear it (<c>orders</c>).</param>
/// <param name="Service">Value of the label <c>service</c> on its metrics (<c>order-service</c>).</param>
/// <param name="Title">Title of its API document.</param>
/// <param name="Summary">One sentence on what it does.</param>
/// <param name="DefaultPort">Port it listens on where the settings name none.</param>
public sealed record ModuleIdentity(string Name, string Service, string Title, string Summary, int DefaultPort);
