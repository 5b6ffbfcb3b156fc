using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Shop.Benchmarks.Comparison;

/// <summary>Figures of several rounds: the middle one, and between which they lay.</summary>
internal sealed record Figures(double Median, double Least, double Most)
{
    public static Figures Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Figures(sorted[sorted.Length / 2], sorted[0], sorted[^1]);
    }

    public string In(string format) =>
        string.Create(CultureInfo.InvariantCulture, $"{Median.ToString(format, CultureInfo.InvariantCulture)} "
            + $"({Least.ToString(format, CultureInfo.InvariantCulture)} "
            + $"to {Most.ToString(format, CultureInfo.InvariantCulture)})");
}

/// <summary>What a figure should be.</summary>
internal sealed record Goal(double Value, bool IsLeast)
{
    public static Goal AtLeast(double value) => new(value, IsLeast: true);

    public static Goal AtMost(double value) => new(value, IsLeast: false);

    public string Verdict(double median) =>
        $"{(IsLeast ? "≥" : "≤")} {Value.ToString("0.##", CultureInfo.InvariantCulture)}: "
        + $"{((IsLeast ? median >= Value : median <= Value) ? "met" : "**missed**")}";
}

/// <summary>The tables of a run, as they are printed and as they are kept.</summary>
internal sealed partial class Report
{
    private readonly StringBuilder _text = new();

    public void Line(string line = "") => _text.Append(line).Append('\n');

    public void Section(string title, string explanation, params string[] columns)
    {
        Line();
        Line($"## {title}");
        Line();
        Line(explanation);
        Line();
        Line($"| {string.Join(" | ", columns)} |");
        Line($"|{string.Concat(columns.Select((_, i) => i == 0 ? "---|" : "---:|"))}");
        Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {title}");
    }

    public void Row(params string[] cells) => Line($"| {string.Join(" | ", cells)} |");

    public string ToMarkdown() => _text.ToString();

    /// <summary>These sections in the place of those with their titles, among the others that were kept.</summary>
    public string MergedInto(string kept)
    {
        List<string> parts = Parts(kept);
        foreach (string part in Parts(ToMarkdown()))
        {
            int place = parts.FindIndex(other => Title(other) == Title(part));
            if (place >= 0) parts[place] = part;
            else parts.Add(part);
        }

        return string.Join("\n\n", parts) + "\n";
    }

    private static List<string> Parts(string text) =>
        [.. Heading().Split(text).Select(static part => part.Trim()).Where(static part => part.Length > 0)];

    private static string Title(string part) => part.Split('\n')[0];

    [GeneratedRegex("^(?=## )", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 10_000)]
    private static partial Regex Heading();
}
