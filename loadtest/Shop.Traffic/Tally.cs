using HdrHistogram;

namespace Shop.Traffic;

/// <summary>What the traffic counted.</summary>
internal sealed class Tally
{
    private readonly Lock _gate = new();
    private readonly LongHistogram _all = NewHistogram();
    private LongHistogram _lately = NewHistogram();
    private long _orders, _retries, _failed, _unanswered, _refused, _unsent, _unknownOrders, _unknownChanges;

    public long Orders => Interlocked.Read(ref _orders);

    public long Retries => Interlocked.Read(ref _retries);

    /// <summary>Requests that were answered with an error, or not at all.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Those of them that had no answer.</summary>
    public long Unanswered => Interlocked.Read(ref _unanswered);

    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Visits that were due but not made, since too many were still under way.</summary>
    public long Unsent => Interlocked.Read(ref _unsent);

    /// <summary>Orders whose fate is unknown after all tries.</summary>
    public long OrdersWithoutAnswer => Interlocked.Read(ref _unknownOrders);

    /// <summary>Other changes of the stock whose fate is unknown.</summary>
    public long ChangesWithoutAnswer => Interlocked.Read(ref _unknownChanges);

    public void OrderPlaced() => Interlocked.Increment(ref _orders);

    public void Retried(int times) => Interlocked.Add(ref _retries, times);

    public void OrderWithoutAnswer() => Interlocked.Increment(ref _unknownOrders);

    public void ChangeWithoutAnswer() => Interlocked.Increment(ref _unknownChanges);

    public void NotSent() => Interlocked.Increment(ref _unsent);

    /// <param name="ending">How it ended.</param>
    /// <param name="latency">From when the request was due, not from when it was sent: a slow shop makes
    /// those behind it wait too.</param>
    public void Ended(Ending ending, TimeSpan latency)
    {
        if (ending is Ending.Failed or Ending.NoAnswer) Interlocked.Increment(ref _failed);
        if (ending == Ending.Refused) Interlocked.Increment(ref _refused);
        if (ending == Ending.NoAnswer)
        {
            // How long it took to find nobody says nothing about how fast answers come.
            Interlocked.Increment(ref _unanswered);
            return;
        }

        long micros = Math.Clamp((long)latency.TotalMicroseconds, 1, _all.HighestTrackableValue);
        lock (_gate)
        {
            _all.RecordValue(micros);
            _lately.RecordValue(micros);
        }
    }

    public Latencies All()
    {
        lock (_gate) return Latencies.Of(_all);
    }

    /// <summary>Since this was asked last.</summary>
    public Latencies Lately()
    {
        lock (_gate)
        {
            var latencies = Latencies.Of(_lately);
            _lately = NewHistogram();
            return latencies;
        }
    }

    private static LongHistogram NewHistogram() =>
        new(TimeSpan.FromMinutes(10).Ticks / TimeSpan.TicksPerMicrosecond, 3);
}

/// <summary>How many, and how long in milliseconds.</summary>
internal sealed record Latencies(long Count, double P50, double P95, double P99)
{
    public static Latencies Of(HistogramBase histogram) => histogram.TotalCount == 0
        ? new Latencies(0, 0, 0, 0)
        : new Latencies(histogram.TotalCount, Millis(histogram, 50), Millis(histogram, 95), Millis(histogram, 99));

    private static double Millis(HistogramBase histogram, double percent) =>
        histogram.GetValueAtPercentile(percent) / 1000.0;
}
