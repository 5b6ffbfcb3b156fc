using System.Text.RegularExpressions;
using Shop.Testing;

namespace Shop.Architecture.Tests;

/// <summary>
/// The bugs that <c>tests/mutants/run</c> plants belong to the files and the tests of today. It takes hours and CI does
/// not run it, so an entry that a changed line has outdated would not be noticed.
/// </summary>
internal sealed partial class MutantTests
{
    private const string Example = """
        an example
          in CONTRIBUTING.md
          - ## Planted bugs
          + ## Bugs
          test tests/Shop.Architecture.Tests MutantTests.Given_an_entry|MutantTests+applies
        """;

    /// <summary>Alerts and records: each is a case of a test.</summary>
    private static readonly string[] Rules =
    [
        .. Directory.GetFiles(Repository.PathOf("monitoring/prometheus/rules"))
            .SelectMany(file => RuleNames().Matches(File.ReadAllText(file))).Select(rule => rule.Groups["name"].Value),
    ];

    private readonly Dictionary<string, string[]> _tests = new(StringComparer.Ordinal);

    [TestCase("an example", "another", "")]
    [TestCase("CONTRIBUTING.md", "CONTRIBUTION.md", "there is no CONTRIBUTION.md")]
    [TestCase("- ## Planted bugs", "- ## Planted insects", "0 times in CONTRIBUTING.md: ## Planted insects")]
    [TestCase("- ## Planted bugs", "- ## ", "times in CONTRIBUTING.md: ##")]
    [TestCase("tests/Shop.Architecture.Tests", "tests/Shop.Tests", "Given_an_entry in tests/Shop.Tests")]
    [TestCase("Given_an_entry", "Given_a_bug", "no test MutantTests.Given_a_bug in")]
    [TestCase("+applies", "+withers", "no test MutantTests+withers in")]
    [TestCase("  test", "  run node --test", "there is no MutantTests")]
    public void Given_an_entry_that_is_spoilt_then_the_fault_is_named_and_one_that_applies_has_none(
        string part, string spoilt, string fault)
    {
        string[] faults = [.. Parse(Example.Replace(part, spoilt, StringComparison.Ordinal)).SelectMany(Faults)];
        if (fault.Length == 0) Assert.That(faults, Is.Empty);
        else Assert.That(faults, Has.Some.StartsWith("an example: ").And.Some.Contains(fault));
    }

    [Test]
    public void Given_the_planted_bugs_then_each_applies_to_the_files_as_they_are_and_its_tests_exist()
    {
        Entry[] entries = [.. Directory.GetFiles(Repository.PathOf("tests/mutants"), "*.txt")
            .SelectMany(file => Parse(File.ReadAllText(file)))];
        Assert.That(entries, Has.Length.GreaterThan(200));
        Assert.That(entries.SelectMany(Faults), Is.Empty);
    }

    // As tests/mutants/run reads and applies it.
    private static List<Entry> Parse(string text)
    {
        var entries = new List<Entry>();
        Entry? entry = null;
        string file = "";
        foreach (string line in text.Split('\n').Where(line => !line.StartsWith('#')))
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                entry = null;
                continue;
            }

            if (entry is null)
            {
                entries.Add(entry = new Entry(line));
                continue;
            }

            Match match = Parts().Match(line);
            string rest = match.Groups["rest"].Value;
            switch (match.Groups["word"].Value)
            {
                case "in":
                    file = rest;
                    break;
                case "-" when entry.Changes is [.., { Added: [] } last] && last.File == file:
                    last.Removed.Add(rest);
                    break;
                case "-":
                    entry.Changes.Add(new Change(file, [rest], []));
                    break;
                case "+":
                    entry.Changes[^1].Added.Add(rest);
                    break;
                case "test":
                    entry.Test = rest;
                    break;
                case "run":
                    entry.Command = rest;
                    break;
                default:
                    Assert.That(match.Groups["word"].Value, Is.EqualTo("with"), line);
                    break;
            }
        }

        return entries;
    }

    private IEnumerable<string> Faults(Entry entry) =>
        Planting(entry).Concat(entry.Command is { } command ? Missing(command) : Untested(entry.Test ?? ""))
            .Select(fault => $"{entry.Name}: {fault}");

    private static IEnumerable<string> Planting(Entry entry)
    {
        if (entry.Changes.Count == 0) yield return "changes nothing";
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Change change in entry.Changes)
        {
            if (!File.Exists(Repository.PathOf(change.File)))
            {
                yield return $"there is no {change.File}";
                continue;
            }

            string text = texts.GetValueOrDefault(change.File) ?? File.ReadAllText(Repository.PathOf(change.File));
            string pattern = string.Join(
                @"[ \t]*\r?\n[ \t]*", change.Removed.Select(line => Regex.Escape(line.Trim())));
            MatchCollection found = Regex.Matches(text, pattern, RegexOptions.None, TimeSpan.FromSeconds(10));
            if (found is not [Match place])
            {
                yield return $"{found.Count} times in {change.File}: {string.Join(" / ", change.Removed)}";
                continue;
            }

            texts[change.File] = text.Remove(place.Index, place.Length)
                .Insert(place.Index, string.Join('\n', change.Added.Select(line => line.Trim())));
        }
    }

    private static IEnumerable<string> Missing(string command)
    {
        string file = command.Split(' ')[^1];
        if (!File.Exists(Repository.PathOf(file))) yield return $"there is no {file}";
    }

    private IEnumerable<string> Untested(string test)
    {
        string[] words = test.Split(' ', 2);
        if (words is not [string project, string names])
        {
            yield return "has no test";
            yield break;
        }

        string[] tests = _tests.TryGetValue(project, out string[]? known) ? known : _tests[project] = TestsOf(project);
        foreach (string name in names.Split('|'))
        {
            bool Is(string fullName, string part) => fullName.Contains(part, StringComparison.Ordinal)
                || Rules.Any(rule => rule.Contains(part, StringComparison.Ordinal));
            if (!tests.Any(fullName => name.Split('+').All(part => Is(fullName, part))))
                yield return $"no test {name} in {project}";
        }
    }

    private static string[] TestsOf(string project)
    {
        string folder = Repository.PathOf(project);
        if (!Directory.Exists(folder)) return [];
        var tests = new List<string>();
        foreach (string file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj")))
        {
            string space = "", type = "", arguments = "";
            foreach (Match match in (IEnumerable<Match>)Declarations().Matches(File.ReadAllText(file)))
            {
                GroupCollection found = match.Groups;
                if (found["space"].Success) space = found["space"].Value;
                else if (found["arguments"].Success) arguments = found["arguments"].Value;
                else if (found["type"].Success) (type, arguments) = (found["type"].Value + arguments, "");
                else tests.Add($"{space}.{type}.{found["test"].Value}");
            }
        }

        return [.. tests];
    }

    [GeneratedRegex(@"^ *(?<word>in|test|run|with|-|\+)( (?<rest>.*))?$", RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex Parts();

    [GeneratedRegex(@"\b(alert|record): (?<name>\S+)", RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex RuleNames();

    [GeneratedRegex("""
        ^namespace\ (?<space>[\w.]+);
        |^\[TestFixture(?<arguments>\(.*\))\]
        |^(\w+\ )*class\ (?<type>\w+)
        |^\ +public\ (async\ )?\w+\ (?<test>Given_\w+)\(
        """, RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.IgnorePatternWhitespace, Patience)]
    private static partial Regex Declarations();

    private const int Patience = 10_000;

    private sealed record Entry(string Name)
    {
        public List<Change> Changes { get; } = [];

        public string? Test { get; set; }

        public string? Command { get; set; }
    }

    private sealed record Change(string File, List<string> Removed, List<string> Added);
}
