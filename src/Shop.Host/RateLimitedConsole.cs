using System.Diagnostics;
using Microsoft.Extensions.Logging.Console;

namespace Shop.Host;

/// <summary>
/// The console log, with a limit on the lines of each category in a second. The server logs some actions of clients
/// line by line, some with a stack trace, which must not fill a disk.
/// </summary>
[ProviderAlias("Console")]
internal sealed class RateLimitedConsole(ConsoleLoggerProvider console) : ILoggerProvider, ISupportExternalScope
{
    /// <summary>
    /// The most lines of one category in a second: of the shop's own, which limit refusals themselves, and of any
    /// other.
    /// </summary>
    private const int OwnLines = 200, OtherLines = 20;

    public ILogger CreateLogger(string categoryName) =>
        new Source(console.CreateLogger(categoryName),
            categoryName == "Shop" || categoryName.StartsWith("Shop.", StringComparison.Ordinal)
                ? OwnLines : OtherLines);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => console.SetScopeProvider(scopeProvider);

    public void Dispose()
    {
        // The console is the container's, which lets it write what is waiting.
    }

    private sealed class Source(ILogger log, int linesPerSecond) : ILogger
    {
        private long _second;
        private int _lines;
        private int _leftOut;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => log.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => log.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            long second = Stopwatch.GetTimestamp() / Stopwatch.Frequency;
            if (Interlocked.Exchange(ref _second, second) != second)
            {
                Volatile.Write(ref _lines, 0);
                int leftOut = Interlocked.Exchange(ref _leftOut, 0);
                if (leftOut > 0)
                    log.LogWarning("{LeftOut} lines were left out: there are {LinesPerSecond} a second at most",
                        leftOut, linesPerSecond);
            }

            if (Interlocked.Increment(ref _lines) <= linesPerSecond)
                log.Log(logLevel, eventId, state, exception, formatter);
            else Interlocked.Increment(ref _leftOut);
        }
    }
}
