using System.Globalization;
using BenchmarkDotNet.Running;
using Shop.Benchmarks.Comparison;

// compare: ratios against baselines measured in the same run, into benchmarks/RESULTS.md. Anything else goes to BenchmarkDotNet.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
if (args is not ["compare", ..])
{
    BenchmarkSwitcher.FromAssembly(typeof(ComparisonRun).Assembly).Run(args);
    return 0;
}

using var run = new ComparisonRun(rounds: 5);
Report report = await run.MeasureAsync();
await File.WriteAllTextAsync(Path.Combine(Repository.Root, "benchmarks", "RESULTS.md"), report.ToMarkdown());
Console.WriteLine(report.ToMarkdown());
return 0;
