using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Shop.Platform.Data.Sqlite;

/// <summary>A write in the queue: run in a batch, then told how the batch ended.</summary>
public abstract class WriteCommand : IThreadPoolWorkItem
{
    private WriteCommand? _next;

    private protected WriteCommand()
    {
    }

    /// <summary>When it came into the queue, by <see cref="Stopwatch"/>.</summary>
    internal long QueuedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>Its span; null if it is in no trace.</summary>
    internal Activity? Span { get; set; }

    /// <summary>What the write itself threw, while its neighbours go on; in the end, why it was not made.</summary>
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

    /// <summary>The batch is on disk: memory follows, in commit order.</summary>
    internal abstract void AfterCommit();

    /// <summary>It was not made.</summary>
    internal void Fail(Exception exception) => Error = exception;

    /// <summary>
    /// Lets the callers of these writes go on, in the thread pool: the brief ones together, in their order.
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

    /// <summary>Whether its caller, as the write ended, does next to nothing before its next wait.</summary>
    private protected abstract bool SharesWorkItem { get; }

    /// <summary>The caller hears of it, and goes on on this thread.</summary>
    private protected abstract void Complete();
}

/// <summary>
/// A write as an object of its own, its caller's wait included. One that is made of delegates costs four objects more,
/// which counts where thousands a second are made.
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
    protected WriteCommand()
    {
    }

    /// <summary>Completes once the write is on disk, or was not made. To be awaited once.</summary>
    internal ValueTask<T> Task => new(this, _caller.Version);

    /// <summary>
    /// Whether its caller does next to nothing before its next wait, if the write is made. Such callers of one batch go
    /// on one after the other: each by itself would cost the thread pool more than what it does.
    /// </summary>
    protected virtual bool HasShortContinuation => false;

    /// <summary>
    /// Makes the write, inside the transaction: on the writer's thread, twice if a neighbour must be undone. It changes
    /// nothing but the database and its participants. What it throws undoes this write alone, and reaches the caller.
    /// </summary>
    protected abstract WriteResult<T> Run();

    /// <summary>
    /// On the writer's thread after the commit, in commit order, before the caller goes on: the place to bring memory
    /// in line with the disk. Not called for a write that was undone. What it throws is logged, and the caller is told
    /// that the write is done: it is.
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
