using System.Threading.Tasks.Sources;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Http;

/// <summary>
/// Requests that write take turns: <see cref="PermitLimit"/> are worked on at a time, and the others wait, first come first served. Without turns all of them stand
/// in the one queue of the thread pool, and refusals, and the reads of the other modules, stand behind them.
/// </summary>
/// <remarks>Who waits is nothing but a place in the line: an object for each would be moved by every collection of garbage.</remarks>
public sealed class WriteConcurrencyLimiter(TimeProvider clock) : IValueTaskSource
{
    /// <summary>Turns that are taken at a time: as many as one commit carries.</summary>
    public const int PermitLimit = GroupCommitWriter.MaxBatch;

    /// <summary>While the next in line has waited for longer than this, nobody else may join it.</summary>
    public static readonly TimeSpan MaxQueueDelay = TimeSpan.FromMilliseconds(700);

    private readonly Lock _lock = new();
    private readonly Queue<(Action<object?> GoOn, object? Who, long Since)> _line = new();
    private int _taken;

    /// <summary>Asks for a turn. Whoever has had one calls <see cref="Release"/>.</summary>
    /// <param name="turn">Completes once it has come: at once, where one is free. It must be awaited, once and directly: that joins the line.</param>
    /// <returns>False where the line is too slow to join.</returns>
    public bool TryAcquire(out ValueTask turn)
    {
        turn = default;
        lock (_lock)
        {
            if (TryTake()) return true;
            if (_line.TryPeek(out (Action<object?>, object?, long Since) next) && clock.GetElapsedTime(next.Since) > MaxQueueDelay) return false;
        }

        turn = new ValueTask(this, 0);
        return true;
    }

    /// <summary>Gives the turn to the next in line.</summary>
    public void Release()
    {
        (Action<object?> GoOn, object? Who, long) next;
        lock (_lock)
        {
            if (!_line.TryDequeue(out next))
            {
                _taken--;
                return;
            }
        }

        // Elsewhere: whoever is done goes on with its own work.
        ThreadPool.UnsafeQueueUserWorkItem(next.GoOn, next.Who, preferLocal: false);
    }

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        lock (_lock)
        {
            if (!TryTake())
            {
                _line.Enqueue((continuation, state, clock.GetTimestamp()));
                return;
            }
        }

        // One has become free since it was asked for.
        ThreadPool.UnsafeQueueUserWorkItem(continuation, state, preferLocal: false);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => ValueTaskSourceStatus.Pending;

    void IValueTaskSource.GetResult(short token)
    {
        // A turn has nothing to tell but that it has come.
    }

    private bool TryTake()
    {
        if (_taken == PermitLimit) return false;
        _taken++;
        return true;
    }
}
