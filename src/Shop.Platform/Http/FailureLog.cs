using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Shop.Platform.Http;

/// <summary>
/// The log of one module's failed requests: a line for each, but no more than <see cref="LinesPerSecond"/>. Refusals come by the ten thousand
/// when there is too much to do; to log each would take the time of those that could be served.
/// </summary>
public sealed class FailureLog(ILogger log)
{
    /// <summary>Lines in a second at most; one more tells how many were left out.</summary>
    public const int LinesPerSecond = 50;

    private long _second;
    private int _lines;
    private int _leftOut;

    /// <summary>The log, where it may have another line now. A fault of the shop is always logged.</summary>
    public ILogger? Take(bool isFault)
    {
        long second = Stopwatch.GetTimestamp() / Stopwatch.Frequency;
        long before = Interlocked.Exchange(ref _second, second);
        if (before != second)
        {
            Volatile.Write(ref _lines, 0);
            int leftOut = Interlocked.Exchange(ref _leftOut, 0);
            if (leftOut > 0) log.LogWarning("{LeftOut} more requests failed, without a line here: there are {LinesPerSecond} a second at most", leftOut, LinesPerSecond);
        }

        if (isFault || Interlocked.Increment(ref _lines) <= LinesPerSecond) return log;
        Interlocked.Increment(ref _leftOut);
        return null;
    }
}
