using Prometheus;

namespace Shop.Platform;

/// <summary>
/// The metrics of the process that the modules share: CPU, memory, GC, thread pool, lock contention, and the build. A registry of
/// its own, scraped once, so that nothing is counted three times.
/// </summary>
public sealed class ProcessMetrics : IDisposable
{
    private readonly IDisposable _runtimeMeter;

    /// <summary>Starts to listen to the runtime.</summary>
    public ProcessMetrics(BuildInfo build)
    {
        MetricFactory metrics = Metrics.WithCustomRegistry(Registry);
        DotNetStats.Register(Registry);
        _runtimeMeter = MeterAdapter.StartListening(new MeterAdapterOptions
        {
            Registry = Registry,
            MetricFactory = metrics,
            InstrumentFilterPredicate = instrument => instrument.Meter.Name == "System.Runtime",
        });
        metrics.CreateGauge("shop_build_info", "Always 1; the labels say which build runs.", ["version", "revision", "runtime"])
            .WithLabels(build.Version, build.Revision, build.Runtime).Set(1);
    }

    /// <summary>What <c>/metrics/process</c> shows.</summary>
    public CollectorRegistry Registry { get; } = Metrics.NewCustomRegistry();

    /// <inheritdoc/>
    public void Dispose() => _runtimeMeter.Dispose();
}
