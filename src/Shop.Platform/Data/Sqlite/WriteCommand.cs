using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Shop.Platform.Data.Sqlite;

/// <summary>A write in the queue: run in a batch, then told how the batch ended.</summary>
public abstract class WriteCommand
{
    private protected WriteCommand()
    {
    }

    /// <summary>When it came into the queue, by <see cref="Stopwatch"/>.</summary>
    internal long QueuedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>What the write itself threw; its neighbours go on.</summary>
    internal Exception? Error { get; private protected set; }

    /// <summary>Runs inside the transaction; again where its batch was rolled back. Never throws.</summary>
    /// <returns>Whether its changes are kept.</returns>
    internal abstract bool TryRun();

    /// <summary>The batch is on disk: memory follows, in commit order.</summary>
    internal abstract void AfterCommit();

    /// <summary>The caller hears of it.</summary>
    internal abstract void Complete();

    /// <summary>It was not made.</summary>
    internal abstract void Fail(Exception exception);
}

/// <summary>
/// A write as an object of its own, its caller's wait included. One that is made of delegates costs four objects more, which counts where
/// thousands a second are made.
/// </summary>
/// <typeparam name="T">What its caller is told.</typeparam>
public abstract class WriteCommand<T> : WriteCommand, IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _caller;
    private WriteResult<T> _result;

    /// <summary>
    /// A write that has yet to be queued, once. Its caller never goes on on the writer's thread, however the write
    /// ends.
    /// </summary>
    protected WriteCommand() => _caller.RunContinuationsAsynchronously = true;

    /// <summary>Completes once the write is on disk, or was not made. To be awaited once.</summary>
    internal ValueTask<T> Task => new(this, _caller.Version);

    /// <summary>Makes the write, inside the transaction: on the writer's thread, twice where a neighbour must be undone. It changes nothing but the
    /// database and what follows it. What it throws undoes this write alone, and reaches the caller.</summary>
    protected abstract WriteResult<T> Run();

    /// <summary>On the writer's thread after the commit, in commit order, before the caller goes on: the place to bring memory in line with
    /// the disk. Not called for a write that was undone. What it throws is logged, and the caller is told that the
    /// write is done: it is.</summary>
    protected virtual void Committed(T answer)
    {
        // Most need nothing.
    }

    internal sealed override bool TryRun()
    {
        Error = null;
        try
        {
            _result = Run();
            return _result.IsCommitted;
        }
        catch (Exception exception)
        {
            Error = exception;
            return false;
        }
    }

    internal sealed override void AfterCommit()
    {
        if (_result.IsCommitted) Committed(_result.Answer);
    }

    internal sealed override void Complete() => _caller.SetResult(_result.Answer);

    internal sealed override void Fail(Exception exception) => _caller.SetException(exception);

    T IValueTaskSource<T>.GetResult(short token) => _caller.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _caller.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _caller.OnCompleted(continuation, state, token, flags);
}

/// <summary>A write that is made of delegates.</summary>
internal sealed class DelegateWriteCommand<T>(Func<WriteResult<T>> work, Action<T>? committed) : WriteCommand<T>
{
    protected override WriteResult<T> Run() => work();

    protected override void Committed(T answer) => committed?.Invoke(answer);
}
