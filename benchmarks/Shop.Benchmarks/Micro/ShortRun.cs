using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Shop.Benchmarks.Micro;

/// <summary>
/// Short enough to run each time: the ratios of the comparison are what counts, these say where the time goes.
/// </summary>
internal sealed class ShortRun : ManualConfig
{
    public ShortRun()
    {
        AddJob(Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(8));
        AddDiagnoser(MemoryDiagnoser.Default);
    }
}
