using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Monitoring.Tests;

/// <summary>A page with commands and queries, and with what the page says that they show.</summary>
internal sealed partial record LabPage(string Title, IReadOnlyList<LabStep> Steps, IReadOnlyList<LabPicture> Pictures)
{
    public static LabPage Read(string path)
    {
        string text = File.ReadAllText(path);
        LabStep[] steps = [.. Step().Matches(text).Select(match => new LabStep(
            match.Groups["language"].Value,
            match.Groups["mark"].Value.Trim(),
            match.Groups["text"].Value.Trim(),
            match.Groups["seen"].Success ? Seen.Parse(match.Groups["seen"].Value) : null))];
        LabPicture[] pictures = [.. Picture().Matches(text).Select(match => new LabPicture(match.Groups["file"].Value,
            [.. match.Groups["lines"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(LabLine.Parse)]))];
        return new LabPage(text[2..text.IndexOf('\n')], steps, pictures);
    }

    // A block, and the first line behind it if it says what is seen.
    [GeneratedRegex(
        @"^```(?<language>sh|promql|text)(?<mark>[^\n]*)\n(?<text>.*?)^```\n(\n(You see: (?<seen>[^\n]+)\n)?)?",
        RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Step();

    [GeneratedRegex(@"<!-- picture\n(?<lines>.*?)-->\n!\[[^\]]*\]\((?<file>[^)]+)\)",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Picture();
}

/// <summary>A block of a page.</summary>
/// <param name="Language"><c>sh</c>, <c>promql</c>, or <c>text</c> that is seen.</param>
/// <param name="Mark">What the block is for, if it is not simply run: <c>load</c>, <c>shop</c>, …</param>
/// <param name="Text">The commands, or the query.</param>
/// <param name="Seen">What the page says that it shows.</param>
internal sealed record LabStep(string Language, string Mark, string Text, Seen? Seen);

/// <summary>A picture of a page, and the queries that it is drawn from.</summary>
internal sealed record LabPicture(string File, IReadOnlyList<LabLine> Lines);

/// <summary>A query of a picture. Lines without a panel belong to the panel before.</summary>
internal sealed record LabLine(string Panel, string Unit, string Legend, string Query)
{
    public static LabLine Parse(string line)
    {
        string[] parts = line.Split(" | ", 4, StringSplitOptions.TrimEntries);
        return new LabLine(parts[0].TrimStart('|', ' '), parts[1], parts[2], parts[3]);
    }
}

/// <summary>How many values a query answers with, and between which bounds they lie.</summary>
internal sealed partial record Seen(int Least, int Most, double From, double To)
{
    public static Seen Parse(string text)
    {
        Match match = Sentence().Match(text);
        if (!match.Success) throw new FormatException($"\"You see: {text}\" is not understood.");
        (int least, int most) = match.Groups["count"].Value switch
        {
            "no values" => (0, 0),
            "any number of values" => (0, int.MaxValue),
            "one value" => (1, 1),
            string count when count.StartsWith("at least ", StringComparison.Ordinal) => (Number(count), int.MaxValue),
            string count => (Number(count), Number(count)),
        };
        return new Seen(least, most, Bound("from", double.NegativeInfinity), Bound("to", double.PositiveInfinity));

        double Bound(string group, double without) => match.Groups[group].Success
            ? double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture)
            : without;
    }

    public bool Holds(IReadOnlyCollection<double> values) =>
        values.Count >= Least && values.Count <= Most && values.All(value => value >= From && value <= To);

    private static int Number(string count) => int.Parse(Digits().Match(count).Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^(?<count>no values|any number of values|one value|(at least )?\d+( values)?)"
        + @"(, (from (?<from>-?[\d.]+) to (?<to>-?[\d.]+)|above (?<from>[\d.]+)))?\.$",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Sentence();

    [GeneratedRegex(@"\d+", RegexOptions.None, 60_000)]
    private static partial Regex Digits();
}
