using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>
/// The rules and the cases of monitoring/prometheus, by the name of an alert or of a record: so that promtool runs what
/// belongs together alone, which takes no time, and so that a rule can be tried with a fault in it.
/// </summary>
internal sealed partial class RuleCases
{
    /// <summary>The files of rules, in the folder rules.</summary>
    private static readonly string[] RuleFiles = ["alerts", "recording", "../scale/alerts"];

    private static readonly string[] Windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
    private static readonly YamlNode[] Files =
        [.. Directory.GetFiles(Repository.PathOf("monitoring", "prometheus", "tests"), "*.yml",
            SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Yaml.Read)];

    private readonly List<YamlNode> _tests = [];

    /// <summary>The rules whose cases go over days, and take promtool seconds.</summary>
    public static IEnumerable<string> Slow => ["AvailabilityBudgetBurn", "LatencyBudgetBurn"];

    public static IEnumerable<string> Quick => Names.Except(Slow);

    /// <summary>Names of all alerts and of all records.</summary>
    public static IEnumerable<string> Names =>
        RuleFiles.SelectMany(Rules).Select(NameOf).Distinct(StringComparer.Ordinal);

    private RuleCases(string name)
    {
        Name = name;
        string file = RuleFiles.First(file => Rules(file).Any(rule => NameOf(rule) == name));
        Text = Write(GroupsOf(file, rule => NameOf(rule) == name));
        foreach (YamlNode tests in Files)
        {
            if (Only(tests, name) is { } mine) _tests.Add(mine);
        }
    }

    public string Name { get; }

    /// <summary>The rules of this name, as YAML.</summary>
    public string Text { get; }

    public static RuleCases Of(string name) => new(name);

    /// <summary>What promtool has to say of the cases, when the rules are these.</summary>
    public (bool Pass, string Output) Run(string rules)
    {
        string folder = Directory.CreateTempSubdirectory("shop-rules-").FullName;
        try
        {
            var files = new List<string> { "rules.yml" };
            File.WriteAllText(Path.Combine(folder, "rules.yml"), rules);
            if (Record().IsMatch(rules))
            {
                // The records that the rules stand on; a record does not stand beside itself.
                var needed = Record().Matches(rules).Select(match => match.Value).ToHashSet(StringComparer.Ordinal);
                foreach (YamlNode rule in Rules("recording").Where(rule => needed.Contains(NameOf(rule))).ToArray())
                    needed.UnionWith(Record().Matches(rule.Text("expr")!).Select(match => match.Value));
                files.Insert(0, "recording.yml");
                File.WriteAllText(Path.Combine(folder, "recording.yml"),
                    Write(GroupsOf("recording", rule => NameOf(rule) != Name && needed.Contains(NameOf(rule)))));
            }

            var arguments = new List<string> { "test", "rules" };
            foreach (YamlNode tests in _tests)
            {
                ((YamlMappingNode)tests).Children[new YamlScalarNode("rule_files")] =
                    new YamlSequenceNode(files.Select(file => new YamlScalarNode(file)));
                string path = Path.Combine(folder, $"tests-{arguments.Count}.yml");
                File.WriteAllText(path, Write(tests));
                arguments.Add(path);
            }

            (int exitCode, string output) = Tools.Run("promtool", [.. arguments]);
            return (exitCode == 0, output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// The rules with one small fault each: a window, a time, a threshold or a choice of labels that is a little wrong.
    /// </summary>
    public IEnumerable<string> Faulty()
    {
        foreach (Match match in Duration().Matches(Text))
        {
            long seconds = long.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture)
                * match.Groups["unit"].Value switch { "m" => 60, "h" => 3600, _ => 86400 };
            yield return With(match.Groups["duration"], $"{seconds * 2}s");
            // cases go by the minute
            yield return With(match.Groups["duration"], $"{(seconds == 60 ? 0 : seconds / 2)}s");
        }

        foreach (Match match in Threshold().Matches(Text))
        {
            double bound = double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture);
            if (bound == 0) continue;
            double step = bound is >= 1 and <= 10 && double.IsInteger(bound) ? 1 : bound * 0.15;
            yield return With(match.Groups["number"], (bound + step).ToString(CultureInfo.InvariantCulture));
            yield return With(match.Groups["number"], (bound - step).ToString(CultureInfo.InvariantCulture));
        }

        foreach (Match match in Ratio().Matches(Text))
        {
            int window = Array.IndexOf(Windows, match.Groups["window"].Value);
            if (window > 0) yield return With(match.Groups["window"], Windows[window - 1]);
            if (window >= 0 && window < Windows.Length - 1)
                yield return With(match.Groups["window"], Windows[window + 1]);
        }

        foreach (Match match in Alternatives().Matches(Text))
        {
            string[] choices = match.Groups["choices"].Value.Split('|');
            foreach (string left in choices)
                yield return With(match.Groups["choices"], string.Join('|', choices.Where(choice => choice != left)));
        }

        foreach (Match match in Bound().Matches(Text))
            yield return With(match.Groups["bound"], match.Groups["bound"].Value == "0.1" ? "0.25" : "0.05");
        foreach (Match match in Quantile().Matches(Text)) yield return With(match.Groups["quantile"], "0.95");
        foreach (string rules in OtherExpressions()) yield return rules;
    }

    /// <summary>
    /// The rules with an expression that lacks a condition, also holds for nothing at all, or
    /// takes the most or the average for the least.
    /// </summary>
    private IEnumerable<string> OtherExpressions()
    {
        int count = Yaml.Parse(Text).At("groups").Items().Sum(group => group.At("rules").Items().Count());
        for (int number = 0; number < count; number++)
        {
            YamlNode root = Yaml.Parse(Text);
            var rule = (YamlMappingNode)root.At("groups").Items()
                .SelectMany(group => group.At("rules").Items()).ElementAt(number);
            string expression = rule.Text("expr")!;
            foreach (string other in Others(expression))
            {
                rule.Children[new YamlScalarNode("expr")] =
                    new YamlScalarNode(other) { Style = YamlDotNet.Core.ScalarStyle.DoubleQuoted };
                yield return Write(root);
            }
        }
    }

    private static IEnumerable<string> Others(string expression)
    {
        Match[] joints = [.. Joint().Matches(expression).AsEnumerable()];
        for (int i = 0; i < joints.Length; i++)
        {
            int end = i + 1 < joints.Length ? joints[i + 1].Index : expression.Length;
            yield return expression[..joints[i].Index] + expression[end..];
        }

        if (joints.Length > 0 && joints[0].Groups["word"].Value is "and" or "or")
            yield return expression[(joints[0].Index + joints[0].Length)..];
        foreach (Match match in Comparison().Matches(expression))
            yield return expression[..(match.Index + 1)] + "=" + expression[(match.Index + 1)..];
        foreach (Match match in Function().Matches(expression))
        {
            // An average is 0 if the most is.
            string[] others = match.Value == "min_over_time" ? ["max_over_time", "avg_over_time"] : ["min_over_time"];
            foreach (string function in others)
                yield return expression[..match.Index] + function + expression[(match.Index + match.Length)..];
        }
    }

    private string With(Group place, string text) => Text[..place.Index] + text + Text[(place.Index + place.Length)..];

    private static IEnumerable<YamlNode> Rules(string file) => Yaml.Load("monitoring", "prometheus", "rules",
        $"{file}.yml").At("groups").Items().SelectMany(group => group.At("rules").Items());

    private static string NameOf(YamlNode rule) => (rule.Text("alert") ?? rule.Text("record"))!;

    private static YamlMappingNode GroupsOf(string file, Func<YamlNode, bool> isChosen)
    {
        YamlNode root = Yaml.Load("monitoring", "prometheus", "rules", $"{file}.yml");
        foreach (YamlNode group in root.At("groups").Items())
        {
            var rules = (YamlSequenceNode)group.At("rules")!;
            foreach (YamlNode rule in rules.Children.Where(rule => !isChosen(rule)).ToArray())
                rules.Children.Remove(rule);
        }

        return (YamlMappingNode)root;
    }

    // A copy of a file of tests with the cases of one name; null if it has none.
    private static YamlNode? Only(YamlNode file, string name)
    {
        YamlNode copy = Yaml.Parse(Write(file));
        var tests = (YamlSequenceNode)copy.At("tests")!;
        foreach (YamlNode test in tests.Children.ToArray())
        {
            int left = Keep(test, "alert_rule_test", check => check.Text("alertname") == name) + Keep(test,
                "promql_expr_test", check => check.Text("expr")!.Contains($" {name})", StringComparison.Ordinal));
            if (left == 0) tests.Children.Remove(test);
        }

        return tests.Children.Count > 0 ? copy : null;
    }

    private static int Keep(YamlNode test, string kind, Func<YamlNode, bool> isChosen)
    {
        if (test.At(kind) is not YamlSequenceNode checks) return 0;
        foreach (YamlNode check in checks.Children.Where(check => !isChosen(check)).ToArray())
            checks.Children.Remove(check);
        return checks.Children.Count;
    }

    private static string Write(YamlNode node)
    {
        using var text = new StringWriter();
        new YamlStream(new YamlDocument(node)).Save(text, assignAnchors: false);
        return text.ToString();
    }

    [GeneratedRegex(@"\n *(?<word>and|unless|or)( on \(\w+\))?\n", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Joint();

    [GeneratedRegex(@"[<>](?= 0(\s|$))", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Comparison();

    [GeneratedRegex(@"\b(min|max)_over_time(?=\()", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Function();

    // "or … * 0" is there whatever its window.
    [GeneratedRegex(@"(\[|for: )(?<duration>(?<number>\d+)(?<unit>[mhd]))(?=[:\]\s])(?!\]\)+ \* 0)",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Duration();

    [GeneratedRegex(@"([<>]=? |, )(?<number>\d+(\.\d+)?)(?=\s|$| \*)|(?<number>0\.\d+) \*",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline, 60_000)]
    private static partial Regex Threshold();

    [GeneratedRegex(@":ratio_rate(?<window>\d+[mhd])", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Ratio();

    [GeneratedRegex(@"[=!]~""\(?(?<choices>[^""|)]+(\|[^""|)]+)+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Alternatives();

    [GeneratedRegex(@"le=""(?<bound>[\d.]+)""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Bound();

    [GeneratedRegex(@"histogram_quantile\((?<quantile>[\d.]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Quantile();

    [GeneratedRegex(@"service:\w+:\w+", RegexOptions.None, 60_000)]
    private static partial Regex Record();
}
