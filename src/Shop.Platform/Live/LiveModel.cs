using System.Globalization;
using RazorSlices;
using Shop.Platform.Modules;
using Shop.Platform.Pages;

namespace Shop.Platform.Live;

/// <summary>The console of a service: what it shows at first, and all it shows without a script.</summary>
internal sealed record LiveModel(LivePanel Panel, LiveSnapshot Reading, LiveTraffic Traffic, LiveTools Tools)
{
    /// <summary>The panel of faults; null if the settings allow none.</summary>
    public RazorSlice? Trouble { get; init; }

    /// <summary>A number as a table shows it.</summary>
    public static string Text(double? value) => value is { } number
        ? number.ToString("0.##", CultureInfo.InvariantCulture) : "–";
}

/// <summary>The console of all services.</summary>
/// <param name="Panels">A panel for each service.</param>
/// <param name="Traffic">Demo traffic.</param>
/// <param name="Tools">What stands above.</param>
/// <param name="HasTrouble">Whether the settings allow faults.</param>
internal sealed record LiveShopModel(
    IReadOnlyList<LivePanel> Panels, LiveTraffic Traffic, LiveTools Tools, bool HasTrouble);

/// <summary>The figures and charts of a service.</summary>
/// <param name="Module">The service.</param>
/// <param name="Address">Its address, if the page is not its own; else nothing.</param>
/// <param name="Currency">Unit of its money.</param>
/// <param name="Last">Its last second; null in the first one.</param>
/// <param name="Charts">What it shows.</param>
internal sealed record LivePanel(ModuleIdentity Module, string Address, string Currency, LiveSample? Last,
    IReadOnlyList<ConsoleChart> Charts)
{
    /// <summary>Its last value in a column.</summary>
    public string Value(int column) => LiveModel.Text(Last?[column]);
}

/// <summary>A "?" and what it says.</summary>
/// <param name="Id">Its id in the page.</param>
/// <param name="Title">What it explains.</param>
/// <param name="Service">The service that the queries are for.</param>
/// <param name="Explanations">What it says.</param>
internal sealed record MetricHelpModel(string Id, string Title, string Service,
    IReadOnlyList<Explanation> Explanations);

/// <summary>What stands above the charts: the other consoles, and what the charts show.</summary>
/// <param name="Site">Where the services are.</param>
/// <param name="Module">The service whose console this is; null for that of all.</param>
/// <param name="Assets">The script and the style.</param>
internal sealed record LiveTools(Site Site, ModuleIdentity? Module, Assets Assets);

/// <summary>The part of a console that starts demo traffic.</summary>
/// <param name="State">What runs; null if it is off.</param>
/// <param name="RefusalReason">Why this client may not start it; null if it may.</param>
/// <param name="Page">The page that the form leads back to.</param>
internal sealed record LiveTraffic(TrafficState? State, string? RefusalReason, string Page)
{
    /// <summary>What runs, in words.</summary>
    public string Text => State is null ? "Off."
        : $"Running: {State.Shape.Name}, {State.Rate} requests a second at most, on all three services together.";
}
