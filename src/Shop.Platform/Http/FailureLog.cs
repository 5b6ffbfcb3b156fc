using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Shop.Platform.Http;

/// <summary>
/// The log of one module's failed requests: a line for each, but no more than <see cref="LinesPerSecond"/>. Refusals come by the ten thousand
/// when there is too much to do; to log each would take the time of those that could be served. Faults of the shop have
/// a bound of their own, so that no flood of refusals hides them, and a flood of them fills no disk.
/// </summary>
public sealed class FailureLog(ILogger log)
{
    /// <summary>
    /// Lines for refusals in a second at most, and lines for errors; one more tells how many were left out.
    /// </summary>
    public const int LinesPerSecond = 50;

    /// <summary>Faults in a second that have their stack trace: the same fault again tells nothing new.</summary>
    public const int TracesPerSecond = 5;

    private long _second;
    private int _refusals;
    private int _errors;
    private int _traces;
    private int _leftOut;

    /// <summary>The log, if it may have another line now.</summary>
    public ILogger? Take(bool isFault)
    {
        long second = Stopwatch.GetTimestamp() / Stopwatch.Frequency;
        long before = Interlocked.Exchange(ref _second, second);
        if (before != second)
        {
            Volatile.Write(ref _refusals, 0);
            Volatile.Write(ref _errors, 0);
            Volatile.Write(ref _traces, 0);
            int leftOut = Interlocked.Exchange(ref _leftOut, 0);
            if (leftOut > 0) log.LogWarning("{LeftOut} more requests failed, without a line here: there are {LinesPerSecond} a second at most", leftOut, LinesPerSecond);
        }

        if (Interlocked.Increment(ref isFault ? ref _errors : ref _refusals) <= LinesPerSecond) return log;
        Interlocked.Increment(ref _leftOut);
        return null;
    }

    /// <summary>Whether a fault's line may have its stack trace now.</summary>
    public bool TakeTrace() => Interlocked.Increment(ref _traces) <= TracesPerSecond;
}
