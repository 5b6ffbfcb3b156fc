using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Data;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Platform.Modules;

/// <summary>
/// A module as the host sees it: its names, its services, its routes, its start and its stop.
/// Modules start before any port is open, in the order in which the host lists them. They are disposed in reverse, once
/// requests have ended and before their databases are closed.
/// </summary>
public interface IShopModule : IAsyncDisposable
{
    /// <summary>Its names.</summary>
    ModuleIdentity Identity { get; }

    /// <summary>What it keeps, as it is copied from one engine to the other.</summary>
    ModuleTables Tables { get; }

    /// <summary>Adds the module's own types to the container.</summary>
    void AddServices(IServiceCollection services);

    /// <summary>Reads the state that the module keeps in memory, and does what a crash may have left undone.</summary>
    Task StartAsync(IServiceProvider services, CancellationToken cancellationToken);

    /// <summary>Lists the module's routes.</summary>
    void MapRoutes(ModuleRoutes routes, IServiceProvider services);
}

/// <summary>The names of a module, and its place in the shop.</summary>
/// <param name="Name">Short name: its listener, its settings and its file bear it (<c>orders</c>).</param>
/// <param name="Service">Value of the label <c>service</c> on its metrics (<c>order-service</c>).</param>
/// <param name="Title">Title of its API document.</param>
/// <param name="Summary">One sentence on what it does.</param>
/// <param name="DefaultPort">Port that it listens on unless the settings name another.</param>
public sealed record ModuleIdentity(string Name, string Service, string Title, string Summary, int DefaultPort)
{
    /// <summary>Its name in the navigation of the pages.</summary>
    public string NavigationTitle { get; init; } = Title;

    /// <summary>Pages of its own that its navigation leads to, beside its home page.</summary>
    public IReadOnlyList<NavigationPage> NavigationPages { get; init; } = [];

    /// <summary>Whether pages of other modules have forms that are posted to this one.</summary>
    public bool AcceptsFormsOfOtherModules { get; init; }

    /// <summary>Faults that it adds to those of the platform.</summary>
    public IReadOnlyList<FaultDefinition> Faults { get; init; } = [];

    /// <summary>Labels whose values are items of the shop: the console leaves series with such a label out.</summary>
    public IReadOnlyList<string> ItemLabels { get; init; } = [];

    /// <summary>Its business in a few figures: they stand at the top of the console.</summary>
    public IReadOnlyList<BusinessMetric> BusinessMetrics { get; init; } = [];
}

/// <summary>A page that the navigation of a module leads to.</summary>
/// <param name="Title">Its name there.</param>
/// <param name="Path">Where it is.</param>
/// <param name="Count">How many things a client has in it: the navigation shows the number if there are any.</param>
public sealed record NavigationPage(string Title, string Path, Func<HttpContext, long> Count);
