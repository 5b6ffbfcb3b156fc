namespace Shop.Platform;

/// <summary>Times are kept as milliseconds since 1970-01-01T00:00:00Z and shown as RFC 3339 in UTC.</summary>
public static class Timestamp
{
    /// <summary>Whether a number of milliseconds is a time from 1970 on that can be shown.</summary>
    public static bool IsTime(long milliseconds) =>
        milliseconds >= 0 && milliseconds <= DateTime.MaxValue.ToMilliseconds();

    /// <summary>The time in UTC.</summary>
    public static DateTime FromMilliseconds(long milliseconds) =>
        DateTime.UnixEpoch.AddTicks(milliseconds * TimeSpan.TicksPerMillisecond);

    /// <summary>The time in UTC for people, to the second, without "UTC".</summary>
    public static string Text(long milliseconds) => FromMilliseconds(milliseconds)
        .ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>
    /// Whole milliseconds since 1970, rounded down, but not before an earlier time: a wall clock may be set back.
    /// </summary>
    public static long ToMilliseconds(this DateTime time, long notBefore) => Math.Max(time.ToMilliseconds(), notBefore);

    /// <summary>Whole milliseconds since 1970, rounded down.</summary>
    public static long ToMilliseconds(this DateTime time) =>
        (time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMillisecond;
}
