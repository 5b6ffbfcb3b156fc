using System.Globalization;
using BenchmarkDotNet.Running;
using Shop.Benchmarks.Comparison;

// compare: ratios against baselines measured in the same run, into benchmarks/RESULTS.md; scale: those on PostgreSQL.
// Anything else goes to BenchmarkDotNet.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
if (args is not ["compare" or "scale", ..])
{
    BenchmarkSwitcher.FromAssembly(typeof(ComparisonRun).Assembly).Run(args);
    return 0;
}

Report report;
if (args[0] == "compare")
{
    using var run = new ComparisonRun(rounds: 5);
    report = await run.MeasureAsync();
}
else
{
    using var run = new ScaleRun(rounds: 5);
    report = await run.MeasureAsync(args[1..]);
}

string results = Path.Combine(Repository.Root, "benchmarks", "RESULTS.md");
await File.WriteAllTextAsync(results, report.MergedInto(await File.ReadAllTextAsync(results)));
Console.WriteLine(report.ToMarkdown());
return 0;
