using Microsoft.Extensions.Logging;

namespace Shop.Platform.Data;

/// <summary>
/// Reads state that hosts share, for gauges that are scraped: anew if this host has changed something, else at most
/// once a second. If the database can't be read, or not within a second, the gauges stay as they were, and the scrape
/// has everything else.
/// </summary>
/// <param name="read">Reads, and sets the gauges. Never called twice at once.</param>
/// <param name="commits">Counts the commits of this host.</param>
/// <param name="clock">The clock.</param>
/// <param name="log">Says that the state can't be read, once.</param>
internal sealed class SharedGaugeRefresh(
    Func<CancellationToken, Task> read, Func<long> commits, TimeProvider clock, ILogger log)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private Task _reading = Task.CompletedTask;
    private long? _readAt;
    private long _commitsAtReading;
    private bool _isStale;

    /// <summary>Waits until the gauges are as fresh as they can be.</summary>
    public Task RefreshAsync(CancellationToken end)
    {
        Task reading;
        lock (_lock)
        {
            if (_reading.IsCompleted && !IsFresh()) _reading = ReadAsync();
            reading = _reading;
        }

        return WaitAsync(reading, end);
    }

    private static async Task WaitAsync(Task reading, CancellationToken end)
    {
        try
        {
            await reading.WaitAsync(MaxWait, end);
        }
        catch (TimeoutException)
        {
            // It goes on, and the next scrape has what it finds.
        }
    }

    private bool IsFresh() => _readAt is { } readAt && clock.GetElapsedTime(readAt) < MaxAge
        && _commitsAtReading == commits();

    private async Task ReadAsync()
    {
        try
        {
            (_readAt, _commitsAtReading) = (clock.GetTimestamp(), commits());
            await read(CancellationToken.None);
            _isStale = false;
        }
        catch (StoreException exception)
        {
            if (!_isStale) log.LogWarning("The gauges of shared state are stale: {Error}", exception.Message);
            _isStale = true;
        }
    }
}
