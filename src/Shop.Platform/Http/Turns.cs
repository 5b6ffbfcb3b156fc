using Shop.Platform.Data;

namespace Shop.Platform.Http;

/// <summary>
/// Requests that write take turns: <see cref="AtOnce"/> are worked on at a time, and the others wait, first come first served. Without turns all of them stand
/// in the one queue of the thread pool, and refusals, and the reads of the other modules, stand behind them.
/// </summary>
public sealed class Turns(TimeProvider clock)
{
    /// <summary>Turns that are taken at a time: as many as one commit carries.</summary>
    public const int AtOnce = WriteQueue.MaxBatch;

    /// <summary>While the next in line has waited for longer than this, nobody else may join it.</summary>
    public static readonly TimeSpan LongestLine = TimeSpan.FromMilliseconds(700);

    private readonly Lock _lock = new();
    private readonly Queue<(TaskCompletionSource Turn, long Since)> _line = new();
    private int _taken;

    /// <summary>Asks for a turn. Whoever has had one calls <see cref="Done"/>.</summary>
    /// <param name="turn">Completes once it has come: at once, where one is free.</param>
    /// <returns>False where the line is too slow to join.</returns>
    public bool TryAsk(out Task turn)
    {
        lock (_lock)
        {
            turn = Task.CompletedTask;
            if (_taken < AtOnce)
            {
                _taken++;
                return true;
            }

            if (_line.TryPeek(out (TaskCompletionSource, long Since) next) && clock.GetElapsedTime(next.Since) > LongestLine) return false;
            // Elsewhere: whoever is done goes on with its own work.
            var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _line.Enqueue((waiting, clock.GetTimestamp()));
            turn = waiting.Task;
            return true;
        }
    }

    /// <summary>Gives the turn to the next in line.</summary>
    public void Done()
    {
        TaskCompletionSource next;
        lock (_lock)
        {
            if (_line.Count == 0)
            {
                _taken--;
                return;
            }

            next = _line.Dequeue().Turn;
        }

        next.SetResult();
    }
}
