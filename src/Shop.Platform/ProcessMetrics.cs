using Prometheus;

namespace Shop.Platform;

/// <summary>
/// The metrics of the process that the modules share: CPU, memory, GC, thread pool, lock contention, and the build. A
/// registry of its own, scraped once, so that nothing is counted three times.
/// </summary>
public sealed class ProcessMetrics
{
    private static readonly string[] Generations = ["gen0", "gen1", "gen2", "loh", "poh"];

    /// <summary>Makes the registry; what it shows is read at each scrape.</summary>
    /// <remarks>
    /// Without prometheus-net's adapter for .NET meters, which shows counters as gauges, under names that end with
    /// <c>_count</c>.
    /// </remarks>
    public ProcessMetrics(BuildInfo build)
    {
        MetricFactory metrics = Metrics.WithCustomRegistry(Registry);
        DotNetStats.Register(Registry);
        metrics.CreateGauge("shop_build_info", "Always 1; the labels say which build runs.",
            ["version", "revision", "runtime"])
            .WithLabels(build.Version, build.Revision, build.Runtime).Set(1);
        metrics.CreateGauge("dotnet_processors", "Processors that the process may use.")
            .Set(Environment.ProcessorCount);
        ShowGarbageCollector(metrics);
        ShowThreads(metrics);
    }

    /// <summary>What <c>/metrics/process</c> shows.</summary>
    public CollectorRegistry Registry { get; } = Metrics.NewCustomRegistry();

    private void ShowGarbageCollector(MetricFactory metrics)
    {
        Counter collections = metrics.CreateCounter("dotnet_gc_collections_total",
            "Garbage collections, each under the oldest generation that it collected.", ["generation"]);
        Counter pause = metrics.CreateCounter("dotnet_gc_pause_seconds_total",
            "Time in which the process stood still for a garbage collection, in seconds.");
        Counter allocated = metrics.CreateCounter("dotnet_gc_allocated_bytes_total",
            "Bytes allocated on the managed heap.");
        Gauge heap = metrics.CreateGauge("dotnet_gc_heap_bytes",
            "Size of a generation after the last garbage collection, in bytes.", ["generation"]);
        Gauge committed = metrics.CreateGauge("dotnet_gc_committed_bytes",
            "Memory that the garbage collector had from the system after its last collection, in bytes.");
        Registry.AddBeforeCollectCallback(() =>
        {
            // The runtime counts a collection of an older generation under the younger ones, too.
            for (int generation = 0; generation <= GC.MaxGeneration; generation++)
            {
                int older = generation == GC.MaxGeneration ? 0 : GC.CollectionCount(generation + 1);
                collections.WithLabels(Generations[generation]).IncTo(GC.CollectionCount(generation) - older);
            }

            pause.IncTo(GC.GetTotalPauseDuration().TotalSeconds);
            allocated.IncTo(GC.GetTotalAllocatedBytes());
            GCMemoryInfo last = GC.GetGCMemoryInfo();
            committed.Set(last.TotalCommittedBytes);
            for (int i = 0; i < Generations.Length; i++)
                heap.WithLabels(Generations[i]).Set(last.GenerationInfo[i].SizeAfterBytes);
        });
    }

    private void ShowThreads(MetricFactory metrics)
    {
        Gauge threads = metrics.CreateGauge("dotnet_thread_pool_threads", "Threads of the thread pool.");
        Gauge waiting = metrics.CreateGauge("dotnet_thread_pool_queue_length",
            "Work that waits for a thread of the thread pool.");
        Counter done = metrics.CreateCounter("dotnet_thread_pool_completed_items_total",
            "Work that the thread pool has done.");
        Counter contentions = metrics.CreateCounter("dotnet_lock_contentions_total",
            "How often a thread had to wait for a lock.");
        Registry.AddBeforeCollectCallback(() =>
        {
            threads.Set(ThreadPool.ThreadCount);
            waiting.Set(ThreadPool.PendingWorkItemCount);
            done.IncTo(ThreadPool.CompletedWorkItemCount);
            contentions.IncTo(Monitor.LockContentionCount);
        });
    }
}
