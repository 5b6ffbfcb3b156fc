using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Testing;

/// <summary>
/// One scrape: every series by its name and labels, without <c>service</c>, in the order of their names.
/// </summary>
internal sealed partial class Exposition
{
    private readonly Dictionary<string, double> _series = new(StringComparer.Ordinal);

    private Exposition()
    {
    }

    public IReadOnlyCollection<string> Series => _series.Keys;

    public double this[string series] => _series.GetValueOrDefault(series);

    public static async Task<Exposition> OfAsync(HttpClient client, string path = "/metrics")
    {
        var exposition = new Exposition();
        foreach (string line in (await client.GetStringAsync(path)).Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#') continue;
            Match match = Line().Match(line);
            Assert.That(match.Success, Is.True, line);
            string[] labels = [.. Label().Matches(match.Groups["labels"].Value)
                .Where(label => label.Groups["name"].Value != "service").Select(label => label.Value)
                .Order(StringComparer.Ordinal)];
            string series = match.Groups["name"].Value + (labels.Length == 0 ? "" : $"{{{string.Join(",", labels)}}}");
            exposition._series.Add(series, double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));
        }

        return exposition;
    }

    public bool Has(string series) => _series.ContainsKey(series);

    /// <summary>What moved since an earlier scrape, and by how much.</summary>
    public IReadOnlyDictionary<string, double> Since(Exposition earlier) => _series
        .Select(series => (series.Key, Moved: Math.Round(series.Value - earlier[series.Key], 9)))
        .Where(series => series.Moved != 0)
        .ToDictionary(series => series.Key, series => series.Moved, StringComparer.Ordinal);

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>.*)\})? (?<value>\S+)$""",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Line();

    [GeneratedRegex("(?<name>[a-z_]+)=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Label();
}
