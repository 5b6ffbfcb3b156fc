using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Npgsql;
using Shop.Platform.Faults;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// Group commit on PostgreSQL. Writes wait in one queue for each kind; a batch takes the waiting writes, makes them in
/// one transaction, and only then completes their callers. So an answer that says "done" means it is durable.
/// </summary>
/// <remarks>
/// A batch runs again with the same id if its connection dies, or if PostgreSQL rolls it back to end a deadlock, until
/// <see cref="ShopSettings.RequestTimeout"/>: see <see cref="PostgresTransaction"/>.
/// </remarks>
public sealed class PostgresCommitWriter
{
    private static readonly TimeSpan StorageFailureTime = TimeSpan.FromSeconds(10);

    private readonly List<Func<Task>> _stops = [];
    private readonly PostgresWriteQueue<SingleWrite, object?> _singles;
    private int _waiting, _unwritten;
    private long _commits, _storageFailedAt;
    private PostgresException? _storageFailure;

    internal PostgresCommitWriter(
        string module, NpgsqlDataSource source, ShopSettings settings, DatabaseMetrics metrics, CommitFaults faults,
        ILogger log)
    {
        (Module, Source, Settings, Metrics, Faults, Log) = (module, source, settings, metrics, faults, log);
        _singles = Open(new SingleWrites(), batchLimit: 1);
    }

    internal string Module { get; }

    internal NpgsqlDataSource Source { get; }

    internal ShopSettings Settings { get; }

    internal DatabaseMetrics Metrics { get; }

    internal CommitFaults Faults { get; }

    internal ILogger Log { get; }

    /// <summary>Writes that are waiting now.</summary>
    internal int Depth => Volatile.Read(ref _waiting);

    /// <summary>Writes that are neither durable nor refused, those of the batches under way included.</summary>
    internal int Unwritten => Volatile.Read(ref _unwritten);

    /// <summary>How many batches have been committed.</summary>
    internal long Commits => Volatile.Read(ref _commits);

    /// <summary>The server's last failure to store a write; null if there was none in the last ten seconds.</summary>
    internal PostgresException? StorageFailure =>
        Stopwatch.GetElapsedTime(Volatile.Read(ref _storageFailedAt)) < StorageFailureTime ? _storageFailure : null;

    /// <summary>Opens the queue of a kind of writes, once.</summary>
    public PostgresWriteQueue<TWrite, TAnswer> Open<TWrite, TAnswer>(PostgresWriteKind<TWrite, TAnswer> kind)
        where TWrite : PostgresWrite<TAnswer> => Open(kind, Settings.WriteBatchLimit);

    /// <summary>
    /// Runs a rare write in a transaction of its own. The work may run several times, so it must change nothing but the
    /// transaction.
    /// </summary>
    /// <param name="work">Reads what it needs, adds the statements, and returns the answer.</param>
    /// <param name="operation">Its name in a trace: the calling method.</param>
    /// <inheritdoc cref="PostgresWriteQueue{TWrite,TAnswer}.WriteAsync" path="/exception"/>
    public async Task<T> RunAsync<T>(
        Func<PostgresTransaction, CancellationToken, Task<T>> work, [CallerMemberName] string operation = "") =>
        (T)(await _singles.WriteAsync(
            new SingleWrite(async (transaction, end) => await work(transaction, end)), operation))!;

    /// <summary>Runs a write that reads nothing.</summary>
    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Action<PostgresTransaction> work, [CallerMemberName] string operation = "") =>
        RunAsync<object?>((transaction, _) =>
        {
            work(transaction);
            return Task.FromResult<object?>(null);
        }, operation);

    /// <summary>Counts a write that is queued, if there is room.</summary>
    internal bool TryEnter()
    {
        if (Interlocked.Increment(ref _waiting) <= Settings.WriteQueueLimit)
        {
            Interlocked.Increment(ref _unwritten);
            return true;
        }

        Interlocked.Decrement(ref _waiting);
        return false;
    }

    /// <summary>A write has left its queue.</summary>
    internal void Leave() => Interlocked.Decrement(ref _waiting);

    /// <summary>The server had no room for a batch, or its disk failed.</summary>
    internal void FailedToStore(PostgresException failure)
    {
        _storageFailure = failure;
        Volatile.Write(ref _storageFailedAt, Stopwatch.GetTimestamp());
    }

    /// <summary>Counts a batch that was committed.</summary>
    internal void Committed(int kept, int refused, TimeSpan duration)
    {
        Interlocked.Increment(ref _commits);
        Metrics.Committed(kept, refused, duration);
    }

    /// <summary>Completes the callers of writes.</summary>
    internal void Release(IReadOnlyList<PostgresWrite> writes)
    {
        Interlocked.Add(ref _unwritten, -writes.Count);
        foreach (PostgresWrite write in writes) write.Release();
    }

    /// <summary>Accepts no more writes, and finishes the waiting ones.</summary>
    internal Task StopAsync()
    {
        lock (_stops) return Task.WhenAll(_stops.Select(static stop => stop()));
    }

    private PostgresWriteQueue<TWrite, TAnswer> Open<TWrite, TAnswer>(
        PostgresWriteKind<TWrite, TAnswer> kind, int batchLimit)
        where TWrite : PostgresWrite<TAnswer>
    {
        var queue = new PostgresWriteQueue<TWrite, TAnswer>(this, kind, batchLimit);
        lock (_stops) _stops.Add(queue.StopAsync);
        return queue;
    }

    private sealed class SingleWrite(Func<PostgresTransaction, CancellationToken, Task<object?>> work)
        : PostgresWrite<object?>
    {
        public async Task DecideAsync(PostgresTransaction transaction, CancellationToken end) =>
            Commit(await work(transaction, end));
    }

    private sealed class SingleWrites : PostgresWriteKind<SingleWrite, object?>
    {
        public override int Concurrency => 2;

        public override Task DecideAsync(
            PostgresTransaction transaction, IReadOnlyList<SingleWrite> writes, CancellationToken end) =>
            writes[0].DecideAsync(transaction, end);
    }
}
