using System.Text.RegularExpressions;
using Shop.Testing;

namespace Shop.Architecture.Tests;

internal sealed partial class LineLengthTests
{
    private const int Columns = 120;

    [TestCase(Columns, false)]
    [TestCase(Columns + 1, true)]
    public void Given_a_line_then_it_is_too_long_from_121_columns_on(int length, bool isTooLong) =>
        Assert.That(TooLong([new string('x', length)]).Any(), Is.EqualTo(isTooLong));

    // The name of a test is a sentence, which can't be broken; what follows it can.
    [TestCase("    public async Task Given_{0}()", false)]
    [TestCase("    public void Given_{0}(", false)]
    [TestCase("    public Task Given_{0}() =>", false)]
    [TestCase("    public void Given_{0}(int orders)", true)]
    [TestCase("    public void Given_{0}() => Assert.That(Orders, Is.Zero);", true)]
    [TestCase("    public void Other_{0}()", true)]
    public void Given_the_long_name_of_a_test_then_nothing_else_may_stand_on_its_line(string line, bool isTooLong) =>
        Assert.That(
            TooLong([line.Replace("{0}", new string('x', Columns), StringComparison.Ordinal)]).Any(),
            Is.EqualTo(isTooLong));

    [TestCase("src", 100)]
    [TestCase("tests", 100)]
    [TestCase("benchmarks", 10)]
    [TestCase("loadtest", 8)]
    public void Given_the_source_then_no_line_has_more_than_120_columns(string folder, int leastFiles)
    {
        string source = Repository.PathOf(folder);
        string[] files = [.. Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))];
        Assert.That(files, Has.Length.GreaterThan(leastFiles));
        Assert.That(files.SelectMany(file => TooLong(File.ReadLines(file)).Select(line => $"{file}:{line}")), Is.Empty);
    }

    private static IEnumerable<int> TooLong(IEnumerable<string> lines) =>
        lines.Index().Where(line => line.Item.Length > Columns && !TestName().IsMatch(line.Item))
            .Select(line => line.Index + 1);

    [GeneratedRegex(@"^ +public (async Task|Task|void) Given_\w+\((\)( =>)?)?$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex TestName();
}
