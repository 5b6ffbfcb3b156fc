using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data;

/// <summary>A write in the queue: run in a batch, then told how the batch ended.</summary>
internal abstract class PendingWrite
{
    /// <summary>When it came into the queue, by <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long QueuedAt { get; } = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>What the write itself threw; its neighbours go on.</summary>
    public Exception? Fault { get; protected set; }

    /// <summary>Runs inside the transaction; again where its batch was rolled back. Never throws.</summary>
    /// <returns>Whether its changes are kept.</returns>
    public abstract bool Run();

    /// <summary>The batch is on disk: follow-up work first, in commit order, then the caller.</summary>
    public abstract void Complete();

    /// <summary>The batch was not committed.</summary>
    public abstract void Fail(Exception exception);
}

/// <inheritdoc/>
internal sealed class PendingWrite<T>(string module, Func<Outcome<T>> work, Action<T>? committed, bool inline) : PendingWrite
{
    // The caller goes on elsewhere: its continuation must not run on the writer's thread.
    private readonly TaskCompletionSource<T> _caller = new(inline ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
    private Outcome<T> _outcome;

    public Task<T> Task => _caller.Task;

    public override bool Run()
    {
        Fault = null;
        try
        {
            _outcome = work();
            return _outcome.IsKept;
        }
        catch (Exception exception)
        {
            Fault = exception;
            return false;
        }
    }

    public override void Complete()
    {
        if (Fault is not null)
        {
            _caller.SetException(Fault is SqliteException ? new StoreUnavailableException(module, Fault) : Fault);
            return;
        }

        try
        {
            if (_outcome.IsKept) committed?.Invoke(_outcome.Answer);
            _caller.SetResult(_outcome.Answer);
        }
        catch (Exception exception)
        {
            _caller.SetException(exception);
        }
    }

    public override void Fail(Exception exception) => _caller.SetException(exception);
}
