using Microsoft.Extensions.Logging;

namespace Shop.Platform;

/// <summary>
/// Work that runs at once and then periodically, until it is disposed. A failure is logged, and the next round tries
/// again.
/// </summary>
public sealed class PeriodicTask : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <summary>Starts.</summary>
    /// <param name="what">Name of the work in the log.</param>
    /// <param name="period">Time between two rounds.</param>
    /// <param name="work">One round.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="log">The log.</param>
    public PeriodicTask(string what, TimeSpan period, Func<Task> work, TimeProvider clock, ILogger log) =>
        _loop = Task.Run(() => RunAsync(what, period, work, clock, log));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return; // its owner has disposed it before the container
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(string what, TimeSpan period, Func<Task> work, TimeProvider clock, ILogger log)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await work();
                await Task.Delay(period, clock, _stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                log.LogWarning(exception, "{What} failed and will be tried again in {Period}", what, period);
                await Task.Delay(period, clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
