using Prometheus;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Data;

/// <summary>The metrics of one database and its writer.</summary>
internal sealed class DatabaseMetrics
{
    private readonly Histogram _commitSeconds;
    private readonly Histogram _batchSize;
    private readonly Counter.Child _committed, _rolledBack, _failed;
    private readonly Gauge _depth;
    private readonly Gauge _freeBytes;
    private readonly Gauge.Child _mainBytes, _walBytes;

    public DatabaseMetrics(IMetricFactory metrics, int queueLimit)
    {
        _depth = metrics.CreateGauge("db_write_queue_depth", "Writes waiting for the database.");
        metrics.CreateGauge("db_write_queue_limit", "Writes that may wait for the database; others are refused.")
            .Set(queueLimit);
        _commitSeconds = metrics.CreateHistogram(
            "db_commit_seconds", "Time of one group commit, fsync included, in seconds.",
            new HistogramConfiguration
            {
                Buckets = [.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10],
                ExemplarBehavior = TraceExemplars.OfRecorded,
            });
        _batchSize = metrics.CreateHistogram("db_commit_batch_size", "Writes in one group commit.",
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(1, 2, 11) });
        Counter writes = metrics.CreateCounter("db_writes_total",
            "Writes by result: committed, rolled_back (undone alone), failed (with their whole batch).", ["result"]);
        _committed = writes.WithLabels("committed");
        _rolledBack = writes.WithLabels("rolled_back");
        _failed = writes.WithLabels("failed");
        _freeBytes = metrics.CreateGauge(
            "db_free_bytes", "Bytes of the database file that hold nothing and will be used again.");
        Gauge bytes = metrics.CreateGauge("db_file_bytes", "Size of the database's files in bytes.", ["file"]);
        _mainBytes = bytes.WithLabels("main");
        _walBytes = bytes.WithLabels("wal");
    }

    public void Committed(int kept, int undone, TimeSpan duration)
    {
        _commitSeconds.Observe(duration.TotalSeconds);
        _batchSize.Observe(kept + undone);
        _committed.Inc(kept);
        _rolledBack.Inc(undone);
    }

    public void Failed(int writes) => _failed.Inc(writes);

    /// <summary>What is read at a scrape rather than counted as it happens.</summary>
    public void Refresh(int depth, long mainBytes, long walBytes, long freeBytes)
    {
        _depth.Set(depth);
        _mainBytes.Set(mainBytes);
        _walBytes.Set(walBytes);
        _freeBytes.Set(freeBytes);
    }
}
