namespace Shop.Platform.Live;

/// <summary>Quantiles of a histogram, as Prometheus computes them: linear within a bucket.</summary>
internal static class HistogramQuantile
{
    /// <summary>A quantile of seconds, in milliseconds; null if nothing was observed.</summary>
    /// <param name="buckets">Upper bounds in seconds, ascending, with the observations up to each.</param>
    /// <param name="quantile">From 0 to 1.</param>
    public static double? Milliseconds((double Bound, double Count)[] buckets, double quantile)
    {
        if (buckets.Length == 0 || buckets[^1].Count == 0) return null;
        double rank = quantile * buckets[^1].Count, below = 0, from = 0;
        foreach ((double bound, double count) in buckets)
        {
            if (count >= rank && double.IsInfinity(bound)) break;
            if (count >= rank) return 1000 * (from + ((bound - from) * (rank - below) / (count - below)));
            (from, below) = (bound, count);
        }

        return 1000 * from;
    }
}
