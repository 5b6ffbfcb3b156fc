namespace Shop.Monitoring.Tests;

/// <summary>Walks the labs, and the page of queries, as a reader does: what they say that one sees is there.</summary>
internal sealed class LabTests
{
    private static readonly LabStep UsualLoad =
        new("sh", "load", "dotnet run -c Release --project loadtest/Shop.Traffic -- --rate 50 --seconds 600", null);

    private static IEnumerable<string> Pages() => Directory.GetFiles(Repository.PathOf("docs", "labs"), "??-*.md")
        .Append(Repository.PathOf("docs", "promql.md")).Select(path => Path.GetRelativePath(Repository.Root, path))
        .Order(StringComparer.Ordinal);

    [Test]
    public void Given_the_pages_then_there_are_twelve_labs_and_twenty_queries_and_each_query_says_what_is_seen()
    {
        LabPage[] pages = [.. Pages().Select(page => LabPage.Read(Repository.PathOf(page)))];
        Assert.That(pages, Has.Length.EqualTo(13));
        Assert.That(pages[^1].Steps.Count(step => step.Language == "promql"), Is.EqualTo(20));
        IEnumerable<LabStep> blind = pages.SelectMany(page => page.Steps)
            .Where(step => step is { Language: "promql", Seen: null });
        Assert.That(blind.Select(step => step.Text), Is.Empty);
        Assert.That(pages.SelectMany(page => page.Pictures).Select(
            picture => Repository.PathOf("docs", "labs", picture.File)).Where(file => !File.Exists(file)), Is.Empty);
    }

    [TestCase("one value, from 1 to 2.", new[] { 1.5 }, true)]
    [TestCase("one value, from 1 to 2.", new[] { 2.1 }, false)]
    [TestCase("one value, from 1 to 2.", new double[0], false)]
    [TestCase("3 values, above 0.5.", new[] { 1.0, 2, 3 }, true)]
    [TestCase("3 values, above 0.5.", new[] { 1.0, 0.4, 3 }, false)]
    [TestCase("at least 2 values, above 0.", new[] { 1.0, 1, 1 }, true)]
    [TestCase("at least 2 values, above 0.", new[] { 1.0 }, false)]
    [TestCase("no values.", new[] { 1.0 }, false)]
    [TestCase("one value, from 1 to 2.", new[] { double.NaN }, false)]
    public void Given_what_a_page_says_and_values_then_the_walker_knows_whether_they_agree(
        string says, double[] values, bool agree) =>
        Assert.That(Seen.Parse(says).Holds(values), Is.EqualTo(agree));

    [Category("Slow")]
    [TestCaseSource(nameof(Pages))]
    public async Task Given_a_page_when_its_commands_and_queries_are_run_then_they_show_what_it_says(string path)
    {
        LabPage page = LabPage.Read(Repository.PathOf(path));
        await using LabWalk walk = await LabWalk.StartAsync();
        if (page.Steps.All(step => step.Language == "promql")) await walk.DoAsync(UsualLoad);
        foreach (LabStep step in page.Steps) await walk.DoAsync(step);
        foreach (LabPicture picture in page.Pictures) await walk.DrawAsync(picture, page.Title);
    }
}
