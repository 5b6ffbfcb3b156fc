using Shop.Platform.OpenApi;

namespace Shop.Platform.Live;

/// <summary>How the rate of demo traffic changes with time. The rate that is asked for is the highest of it.</summary>
internal sealed class TrafficShape : IChoices
{
    /// <summary>The same all the time.</summary>
    public static readonly TrafficShape Constant = new("constant", "constant: the same all the time",
        static _ => 1);

    /// <summary>A day.</summary>
    public static readonly TrafficShape Day = new("day", "day: from night to evening and back in five minutes",
        static seconds => 0.6 - (0.4 * Math.Cos(2 * Math.PI * seconds / 300)));

    /// <summary>Sudden crowds.</summary>
    public static readonly TrafficShape Spikes = new("spikes", "spikes: a quarter, and all for ten seconds a minute",
        static seconds => seconds % 60 is >= 20 and < 30 ? 1 : 0.25);

    /// <summary>
    /// The traffic if something in front of the shop fails for a while: nothing, and then everybody at once.
    /// </summary>
    public static readonly TrafficShape Outage = new("outage", "outage: half, then nothing for a while, then all",
        static seconds => (seconds % 120) switch { < 60 => 0.5, < 90 => 0, < 105 => 1, _ => 0.5 });

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<TrafficShape> All = [Constant, Day, Spikes, Outage];

    private readonly Func<double, double> _share;

    private TrafficShape(string name, string title, Func<double, double> share) =>
        (Name, Title, _share) = (name, title, share);

    /// <inheritdoc/>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(shape => shape.Name)];

    /// <summary>Its name for clients.</summary>
    public string Name { get; }

    /// <summary>Its name for people.</summary>
    public string Title { get; }

    /// <summary>The shape of that name; null if there is none.</summary>
    public static TrafficShape? Find(string? name) => All.FirstOrDefault(shape => shape.Name == name);

    /// <summary>The share of the rate at a time after the start, from 0 to 1.</summary>
    public double Share(TimeSpan sinceStart) => _share(sinceStart.TotalSeconds);
}
