using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

internal sealed record Alert(string Group, string Name, YamlNode Yaml);

internal static class Alerts
{
    /// <summary>The one that always fires.</summary>
    public const string Watchdog = "Watchdog";

    public static IReadOnlyList<Alert> All { get; } =
    [
        .. from @group in Yaml.Load("monitoring", "prometheus", "rules", "alerts.yml").At("groups").Items()
           from rule in @group.At("rules").Items()
           select new Alert(@group.Text("name")!, rule.Text("alert")!, rule),
    ];
}
