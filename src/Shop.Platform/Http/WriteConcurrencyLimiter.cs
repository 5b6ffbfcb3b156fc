using System.Threading.Tasks.Sources;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Http;

/// <summary>
/// Limits how many writing requests are worked on at a time: <see cref="PermitLimit"/> have a permit, and the others
/// wait in a queue, first come first served. Without it all of them would stand in the one queue of the thread pool,
/// and refusals and the reads of the other modules would stand behind them.
/// </summary>
/// <remarks>
/// A request that waits is an entry of the queue and no object: every garbage collection would move such objects.
/// </remarks>
public sealed class WriteConcurrencyLimiter(TimeProvider clock) : IValueTaskSource
{
    /// <summary>Permits: as many as one commit carries.</summary>
    public const int PermitLimit = GroupCommitWriter.MaxBatch;

    /// <summary>While the first in the queue has waited for longer than this, no request may join it.</summary>
    public static readonly TimeSpan MaxQueueDelay = TimeSpan.FromMilliseconds(700);

    private readonly Lock _lock = new();
    private readonly Queue<(Action<object?> Continuation, object? State, long Since)> _queue = new();
    private int _acquired;

    /// <summary>Asks for a permit; <see cref="Release"/> gives it back.</summary>
    /// <param name="permit">
    /// Completes when the permit is there: at once if one is free. Await it once, and directly: that joins the queue.
    /// </param>
    /// <returns>False if the queue is too slow to join.</returns>
    public bool TryAcquire(out ValueTask permit)
    {
        permit = default;
        lock (_lock)
        {
            if (TryTake()) return true;
            if (_queue.TryPeek(out (Action<object?>, object?, long Since) next)
                && clock.GetElapsedTime(next.Since) > MaxQueueDelay) return false;
        }

        permit = new ValueTask(this, 0);
        return true;
    }

    /// <summary>Gives the permit to the next in the queue.</summary>
    public void Release()
    {
        (Action<object?> Continuation, object? State, long) next;
        lock (_lock)
        {
            if (!_queue.TryDequeue(out next))
            {
                _acquired--;
                return;
            }
        }

        // On another thread: the caller goes on with its own work.
        ThreadPool.UnsafeQueueUserWorkItem(next.Continuation, next.State, preferLocal: false);
    }

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token,
        ValueTaskSourceOnCompletedFlags flags)
    {
        lock (_lock)
        {
            if (!TryTake())
            {
                _queue.Enqueue((continuation, state, clock.GetTimestamp()));
                return;
            }
        }

        // A permit has become free since the caller asked.
        ThreadPool.UnsafeQueueUserWorkItem(continuation, state, preferLocal: false);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => ValueTaskSourceStatus.Pending;

    void IValueTaskSource.GetResult(short token)
    {
        // A permit has no result.
    }

    private bool TryTake()
    {
        if (_acquired == PermitLimit) return false;
        _acquired++;
        return true;
    }
}
