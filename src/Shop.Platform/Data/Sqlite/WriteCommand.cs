using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Shop.Platform.Data.Sqlite;

/// <summary>A queued write: it runs in a batch, and completes its caller when the batch has ended.</summary>
public abstract class WriteCommand : IThreadPoolWorkItem
{
    private WriteCommand? _next;

    private protected WriteCommand()
    {
    }

    /// <summary>When it was queued, by <see cref="Stopwatch"/>.</summary>
    internal long QueuedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>Its span; null if it is in no trace.</summary>
    internal Activity? Span { get; set; }

    /// <summary>The exception of this write alone; at the end, why it was not made.</summary>
    internal Exception? Error { get; private protected set; }

    /// <summary>Runs inside the transaction, and again if its batch was rolled back. Never throws.</summary>
    /// <returns>Whether its changes are kept.</returns>
    internal abstract bool TryRun();

#if DEBUG
    private (bool IsCommitted, int Changes)? _firstRun;

    /// <summary>Whether this run did what the first one did. A write that did not fails.</summary>
    internal bool Repeats(bool isCommitted, int changes)
    {
        _firstRun ??= (isCommitted, changes);
        if (_firstRun == (isCommitted, changes)) return true;
        Fail(new InvalidOperationException($"A write ({GetType().Name}) changed {_firstRun.Value.Changes} rows, "
            + $"and {changes} when its batch ran again: "
            + "it must change nothing but the database and its participants."));
        return false;
    }
#endif

    /// <summary>Updates memory after the commit, in commit order.</summary>
    internal abstract void AfterCommit();

    /// <summary>Notes why it was not made.</summary>
    internal void Fail(Exception exception) => Error = exception;

    /// <summary>
    /// Completes the callers of these writes on the thread pool: those with short continuations together, in their
    /// order.
    /// </summary>
    internal static void Release(IReadOnlyList<WriteCommand> writes)
    {
        WriteCommand? first = null, last = null;
        for (int i = 0; i < writes.Count; i++)
        {
            WriteCommand write = writes[i];
            if (write.Error is not null || !write.SharesWorkItem)
            {
                ThreadPool.UnsafeQueueUserWorkItem(write, preferLocal: false);
                continue;
            }

            if (last is null) first = write;
            else last._next = write;
            last = write;
        }

        if (first is not null) ThreadPool.UnsafeQueueUserWorkItem(first, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        for (WriteCommand? write = this; write is not null;)
        {
            WriteCommand? next = write._next;
            write._next = null;
            write.Complete();
            write = next;
        }
    }

    /// <summary>Whether its caller is completed together with others, in one work item.</summary>
    private protected abstract bool SharesWorkItem { get; }

    /// <summary>Completes the caller, which continues on this thread.</summary>
    private protected abstract void Complete();
}

/// <summary>
/// A write that is also the value task source of its caller. A write made of delegates allocates four more objects,
/// which matters at thousands a second.
/// </summary>
/// <typeparam name="T">Type of the caller's result.</typeparam>
public abstract class WriteCommand<T> : WriteCommand, IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _caller;
    private WriteResult<T> _result;

    /// <summary>A write that may be queued once. Its caller never continues on the writer's thread.</summary>
    protected WriteCommand()
    {
    }

    /// <summary>Completes once the write is on disk, or has failed. Await it only once.</summary>
    internal ValueTask<T> Task => new(this, _caller.Version);

    /// <summary>
    /// Whether the caller's continuation is very short if the write is made. Such continuations of one batch run one
    /// after the other: a work item for each would cost more than the continuation itself.
    /// </summary>
    protected virtual bool HasShortContinuation => false;

    /// <summary>
    /// Makes the write inside the transaction, on the writer's thread; again if another write of the batch must be
    /// undone. It must change nothing but the database and its participants. An exception undoes this write alone, and
    /// reaches its caller.
    /// </summary>
    protected abstract WriteResult<T> Run();

    /// <summary>
    /// Called on the writer's thread after the commit, in commit order, before the caller continues, to update memory.
    /// Not called if the write was undone. An exception is logged, and the caller still gets its result, because the
    /// write is on disk.
    /// </summary>
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

    private protected sealed override bool SharesWorkItem => HasShortContinuation && _result.IsCommitted;

    private protected sealed override void Complete()
    {
        if (Error is null) _caller.SetResult(_result.Answer);
        else _caller.SetException(Error);
    }

    T IValueTaskSource<T>.GetResult(short token) => _caller.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _caller.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _caller.OnCompleted(continuation, state, token, flags);
}

/// <summary>A write that is made of delegates.</summary>
internal sealed class DelegateWriteCommand<T>(Func<WriteResult<T>> work, Action<T>? committed) : WriteCommand<T>
{
    protected override WriteResult<T> Run() => work();

    protected override void Committed(T answer) => committed?.Invoke(answer);
}
