namespace Shop.Architecture.Tests;

internal sealed class LineLengthTests
{
    private const int Columns = 120;

    [TestCase(Columns, false)]
    [TestCase(Columns + 1, true)]
    public void Given_a_line_then_it_is_too_long_from_121_columns_on(int length, bool isTooLong) =>
        Assert.That(TooLong([new string('x', length)]).Any(), Is.EqualTo(isTooLong));

    [Test]
    public void Given_the_source_of_the_shop_then_no_line_has_more_than_120_columns()
    {
        string source = Path.Combine(Root(AppContext.BaseDirectory), "src");
        string[] files = [.. Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))];
        Assert.That(files, Has.Length.GreaterThan(100));
        Assert.That(files.SelectMany(file => TooLong(File.ReadLines(file)).Select(line => $"{file}:{line}")), Is.Empty);
    }

    private static IEnumerable<int> TooLong(IEnumerable<string> lines) =>
        lines.Index().Where(line => line.Item.Length > Columns).Select(line => line.Index + 1);

    private static string Root(string folder) =>
        File.Exists(Path.Combine(folder, "Shop.sln")) ? folder : Root(Path.GetDirectoryName(folder)!);
}
