using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Live;

namespace Shop.Platform.Http;

/// <summary>
/// The log of one module's failed requests: a line for each, but no more than <see cref="LinesPerSecond"/>. Under
/// overload there are tens of thousands of refusals, and logging each would take time from requests that could be
/// served. Errors of the shop have a limit of their own, so that refusals do not hide them and they do not fill the
/// disk.
/// </summary>
public sealed class FailureLog(ILogger log)
{
    /// <summary>
    /// The most lines a second for refusals, and as many for errors; one more line says how many were left out.
    /// </summary>
    public const int LinesPerSecond = 50;

    /// <summary>The most stack traces a second: the same error again tells nothing new.</summary>
    public const int TracesPerSecond = 5;

    private const int MaxText = 500;

    private long _second;
    private int _refusals;
    private int _errors;
    private int _traces;
    private int _leftOut;

    /// <summary>The log, if it may have another line now.</summary>
    public ILogger? Take(bool isError)
    {
        long second = Stopwatch.GetTimestamp() / Stopwatch.Frequency;
        long before = Interlocked.Exchange(ref _second, second);
        if (before != second)
        {
            Volatile.Write(ref _refusals, 0);
            Volatile.Write(ref _errors, 0);
            Volatile.Write(ref _traces, 0);
            int leftOut = Interlocked.Exchange(ref _leftOut, 0);
            if (leftOut > 0)
            {
                log.LogWarning(
                    "{LeftOut} more requests failed, without a line here: there are {LinesPerSecond} a second at most",
                    leftOut, LinesPerSecond);
            }
        }

        if (Interlocked.Increment(ref isError ? ref _errors : ref _refusals) <= LinesPerSecond) return log;
        Interlocked.Increment(ref _leftOut);
        return null;
    }

    /// <summary>Whether an error's line may have its stack trace now.</summary>
    internal bool TakeTrace() => Interlocked.Increment(ref _traces) <= TracesPerSecond;

    /// <summary>Logs an answer, if it may have another line now.</summary>
    internal void Log(HttpRequest request, Problem problem, string traceId)
    {
        // Only an error of the shop itself has a stack trace: a full disk under load would write thousands.
        bool isError = problem.Status == StatusCodes.Status500InternalServerError;
        // Demo traffic asks for what is not there, on purpose.
        if (problem.Status < StatusCodes.Status500InternalServerError && DemoTraffic.IsDemoRequest(request)) return;
        if (Take(isError) is not { } lines) return;
        bool hasTrace = isError && TakeTrace();
        LogLevel level = isError ? LogLevel.Error : problem.Status > 500 ? LogLevel.Warning : LogLevel.Information;
        string text = problem.Cause is null || hasTrace ? problem.Error : $"{problem.Error} {problem.Cause.Message}";
        lines.Log(level, hasTrace ? problem.Cause : null,
            "{Method} {Path} answered {Status}: {Error} (trace_id {TraceId})",
            Printable(request.Method), Printable(request.Path.ToUriComponent()), problem.Status, Printable(text),
            traceId);
    }

    // A client's text must not be able to make a log line of its own, nor one without end.
    private static string Printable(string text)
    {
        if (text.Length > MaxText) text = $"{text.AsSpan(0, MaxText)}…";
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f'))
            return text;
        var printable = new StringBuilder(text.Length);
        foreach (char character in text) printable.Append(char.IsControl(character) ? '\uFFFD' : character);
        return printable.ToString();
    }
}
