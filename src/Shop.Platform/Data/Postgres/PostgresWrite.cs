using System.Diagnostics;

namespace Shop.Platform.Data.Postgres;

/// <summary>A write in a queue, made in one transaction with others of its kind.</summary>
public abstract class PostgresWrite
{
    /// <summary>When it was queued, by <see cref="Stopwatch"/>.</summary>
    internal long QueuedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>Its span; null if it is in no trace.</summary>
    internal Activity? Span { get; set; }

    /// <summary>Why this write was not made.</summary>
    internal Exception? Error { get; private protected set; }

    /// <summary>Whether it changed something: a write that was refused did not.</summary>
    internal bool IsCommitted { get; private protected set; }

    /// <summary>Whether its outcome is known.</summary>
    internal bool IsDecided { get; private protected set; }

    /// <summary>
    /// Fails this write alone, with an exception for its caller. No statement may have been added for it.
    /// </summary>
    public void Fail(Exception exception) => (Error, IsCommitted, IsDecided) = (exception, false, true);

    /// <summary>Completes the caller, on the thread pool.</summary>
    internal abstract void Release();
}

/// <summary>A write that completes its caller.</summary>
/// <typeparam name="TAnswer">Type of the caller's result.</typeparam>
public abstract class PostgresWrite<TAnswer> : PostgresWrite
{
    private readonly TaskCompletionSource<TAnswer> _caller = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TAnswer? _answer;

    /// <summary>Completes once the write is durable, or has failed.</summary>
    internal Task<TAnswer> Task => _caller.Task;

    /// <summary>
    /// Accepts the write, whose statements are in the batch. The caller gets the answer once they are durable.
    /// </summary>
    public void Commit(TAnswer answer) =>
        (_answer, Error, IsCommitted, IsDecided) = (answer, null, true, true);

    /// <summary>
    /// Refuses the write: it changes nothing, and the answer says why. No statement may have been added for it.
    /// </summary>
    public void Refuse(TAnswer answer) =>
        (_answer, Error, IsCommitted, IsDecided) = (answer, null, false, true);

    internal sealed override void Release()
    {
        if (Error is null) _caller.SetResult(_answer!);
        else _caller.SetException(Error);
    }
}
