using Microsoft.Extensions.Logging;

namespace Shop.Platform.Data;

/// <summary>
/// Refreshes gauges of state that hosts share before a scrape: if this host has committed something since, else at most
/// once a second. If the database can't be read within a second, the gauges keep their values, and the scrape goes on.
/// </summary>
/// <param name="read">Reads, and sets the gauges. Never called twice at once.</param>
/// <param name="commits">Counts the commits of this host.</param>
/// <param name="clock">The clock.</param>
/// <param name="log">Gets one line if the state can't be read.</param>
internal sealed class SharedGaugeRefresh(
    Func<CancellationToken, Task> read, Func<long> commits, TimeProvider clock, ILogger log)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private Task _reading = Task.CompletedTask;
    private Task? _nextReading;
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
            reading = _reading.IsCompleted || KnowsLastCommit() ? _reading : _nextReading ??= ReadNextAsync(_reading);
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
            // The read goes on, and the next scrape shows its result.
        }
    }

    private bool IsFresh() =>
        _readAt is { } readAt && clock.GetElapsedTime(readAt) < MaxAge && KnowsLastCommit();

    private bool KnowsLastCommit() => _commitsAtReading == commits();

    private async Task ReadNextAsync(Task reading)
    {
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the next one may succeed
        lock (_lock)
        {
            _nextReading = null;
            if (!IsFresh()) _reading = ReadAsync();
            reading = _reading;
        }

        await reading;
    }

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
