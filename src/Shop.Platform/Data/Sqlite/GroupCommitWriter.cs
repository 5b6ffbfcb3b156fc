using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Shop.Platform.Faults;
using Shop.Platform.Telemetry;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// Group commit: the one writer of a database. Its thread takes the writes that are waiting, runs each in one
/// transaction, commits once, and only then completes the callers. So an answer that says "done" means it is on disk,
/// and one fsync serves the whole batch.
/// </summary>
/// <remarks>
/// A savepoint for each write costs a copy of each page that it touches, and hardly any write needs one. So a batch
/// runs without savepoints. Only if a write must be undone that has changed something, the batch is rolled back and run
/// again with savepoints.
/// </remarks>
public sealed class GroupCommitWriter
{
    /// <summary>Most writes in one commit, unless <see cref="ShopSettings.WriteBatchLimit"/> says fewer.</summary>
    public const int MaxBatch = 1024;

    /// <summary>The engine, as spans name it.</summary>
    private const string Engine = "sqlite";

    [ThreadStatic]
    private static bool _isWriter;

    private readonly string _module;
    private readonly ILogger _log;
    private readonly SqliteConnection _connection;
    private readonly DatabaseMetrics _metrics;
    private readonly CommitFaults? _faults;
    private readonly Action<SqliteException> _failed;
    private readonly int _batchLimit;
    private readonly TimeSpan _maxQueueTime;
    private readonly Channel<WriteCommand> _waiting;
    private readonly Thread _writer;
    private readonly List<Statement> _prepared = [];
    private readonly Lock _sqlite = new();
    private readonly Statement _begin, _commit, _rollback, _savepoint, _release, _rollbackTo, _barrier;
    private ITransactionParticipant? _participant;
    private long _commits;
    private volatile int _inBatch;

    internal GroupCommitWriter(
        string module, SqliteConnection connection, ShopSettings settings, DatabaseMetrics metrics,
        CommitFaults? faults, ILogger log, Action<SqliteException> failed)
    {
        _faults = faults;
        _failed = failed;
        _log = log;
        _module = module;
        _connection = connection;
        _metrics = metrics;
        _batchLimit = settings.WriteBatchLimit;
        _maxQueueTime = settings.RequestTimeout;
        _waiting = Channel.CreateBounded<WriteCommand>(
            new BoundedChannelOptions(settings.WriteQueueLimit) { SingleReader = true });
        _begin = Prepare("BEGIN IMMEDIATE");
        _commit = Prepare("COMMIT");
        _rollback = Prepare("ROLLBACK");
        _savepoint = Prepare("SAVEPOINT one_write");
        _release = Prepare("RELEASE one_write");
        _rollbackTo = Prepare("ROLLBACK TO one_write");
        _barrier = Prepare("""
            INSERT INTO health_probe (id, probe) VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET probe = probe + 1
            """);
        _writer = new Thread(WriteUntilStopped) { Name = $"{module} writer", IsBackground = true };
        _writer.Start();
    }

    // Any write must be able to run twice, which happens only if another write of its batch is undone. In Debug each
    // eighth batch runs twice, to find writes that can't.
#if DEBUG
    private bool RunsTwice => _commits % 8 == 7;
#else
    private static bool RunsTwice => false;
#endif

    /// <summary>Writes that are waiting now.</summary>
    internal int Depth => _waiting.Reader.Count;

    /// <summary>How many batches have been committed.</summary>
    internal long Commits => Volatile.Read(ref _commits);

    /// <summary>Writes that are neither on disk nor refused, those of the batch under way included.</summary>
    internal int Unwritten => Depth + _inBatch;

    /// <summary>
    /// In Debug, fails if a request runs on a writer's thread: it would delay all writes, and deadlock if it writes.
    /// </summary>
    [Conditional("DEBUG")]
    internal static void AssertIsElsewhere() => Debug.Assert(!_isWriter, "A writer's thread is for writes alone.");

    /// <summary>
    /// Prepares a statement for use inside writes: at once if called inside a write, on any other thread between two
    /// batches, because SQLite's own locks are off.
    /// </summary>
    /// <exception cref="StoreUnreadableException">The file can't be read.</exception>
    public Statement Prepare(string sql)
    {
        lock (_sqlite)
        {
            try
            {
                var statement = new Statement(_connection.Handle!, sql, _sqlite);
                _prepared.Add(statement);
                return statement;
            }
            catch (SqliteException exception)
            {
                _failed(exception);
                throw new StoreUnreadableException(_module, exception);
            }
        }
    }

    /// <summary>Registers the state in memory that is changed by the writes. Called before the first of them.</summary>
    public void Enlist(ITransactionParticipant participant) => _participant = participant;

    /// <summary>
    /// Queues a write. The task completes once the commit that carries it has reached the disk. Await it only once.
    /// </summary>
    /// <exception cref="WriteQueueFullException">At once, if the queue is full.</exception>
    /// <exception cref="WriteTimeoutException">It waited too long in the queue.</exception>
    /// <exception cref="StoreUnavailableException">The batch could not be committed.</exception>
    /// <param name="write">The write.</param>
    /// <param name="operation">Its name in a trace: the calling method.</param>
    public ValueTask<T> WriteAsync<T>(WriteCommand<T> write, [CallerMemberName] string operation = "") =>
        Spans.IsTraced ? TraceAsync(write, operation) : QueueAsync(write);

    /// <summary>
    /// Queues a write that is made of delegates; see <see cref="WriteAsync{T}(WriteCommand{T}, string)"/>.
    /// </summary>
    /// <param name="work">What <see cref="WriteCommand{T}.Run"/> does.</param>
    /// <param name="committed">What <see cref="WriteCommand{T}.Committed"/> does.</param>
    /// <param name="operation">Its name in a trace: the calling method.</param>
    public Task<T> WriteAsync<T>(
        Func<WriteResult<T>> work, Action<T>? committed = null, [CallerMemberName] string operation = "") =>
        WriteAsync(new DelegateWriteCommand<T>(work, committed), operation).AsTask();

    /// <summary>
    /// Commits a write without meaning. A failed commit may be in the WAL all the same, and a crash would bring it
    /// back; the next successful commit overwrites it. So code that undoes the work of a failed commit elsewhere awaits
    /// this first.
    /// </summary>
    public Task CommitBarrierAsync() => WriteAsync(() => WriteResult.Commit(_barrier.Run()));

    /// <summary>Accepts no more writes, finishes the waiting ones, and ends the writer's thread.</summary>
    internal void Stop()
    {
        _waiting.Writer.TryComplete();
        _writer.Join();
        // A connection stays open while it has a statement.
        lock (_sqlite) _prepared.ForEach(statement => statement.Dispose());
    }

    private ValueTask<T> QueueAsync<T>(WriteCommand<T> write)
    {
        AssertIsElsewhere();
        if (_waiting.Writer.TryWrite(write)) return write.Task;
        if (_waiting.Reader.Completion.IsCompleted)
            throw new ObjectDisposedException(_module, "The database is closed.");
        throw new WriteQueueFullException(_module);
    }

    private ValueTask<T> TraceAsync<T>(WriteCommand<T> write, string operation) =>
        WriteSpans.TraceAsync(_module, Engine, operation, span =>
        {
            write.Span = span;
            return QueueAsync(write);
        });

    private void WriteUntilStopped()
    {
        _isWriter = true;
        var batch = new List<WriteCommand>(_batchLimit);
        while (WaitForWork())
        {
            while (batch.Count < _batchLimit && _waiting.Reader.TryRead(out WriteCommand? write))
            {
                // Its caller has most likely given up; and leaving it out lets the others catch up.
                if (Stopwatch.GetElapsedTime(write.QueuedAt) <= _maxQueueTime)
                {
                    batch.Add(write);
                    continue;
                }

                write.Fail(new WriteTimeoutException(_module));
                WriteCommand.Release([write]);
            }

            _inBatch = batch.Count;
            if (batch.Count > 0)
            {
                lock (_sqlite) Commit(batch);
                WriteCommand.Release(batch);
            }

            batch.Clear();
            _inBatch = 0;
        }
    }

    // This thread belongs to the writer, so blocking it harms nobody.
    private bool WaitForWork() => _waiting.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();

    private void Commit(List<WriteCommand> batch)
    {
        using Activity? span = WriteSpans.StartCommit(_module, Engine, batch, static write => write.Span);
        long start = Stopwatch.GetTimestamp();
        int committed;
        try
        {
            _begin.Run();
            if (!TryRunTogether(batch, out committed) || RunsTwice)
            {
                _rollback.Run();
                _participant?.RollBack();
                _begin.Run();
                committed = batch.Count(RunInSavepoint);
            }

            FaultPoint.Reach($"before-commit-{_module}");
            _faults?.BeforeCommit();
            _commit.Run();
            FaultPoint.Reach($"after-commit-{_module}");
        }
        catch (Exception exception) when (exception is SqliteException or FaultException)
        {
            RollBack();
            _participant?.RollBack();
            _metrics.Failed(batch.Count);
            Spans.Fail(span, exception);
            // An exception object for each caller, because each throw adds to its stack trace.
            foreach (WriteCommand write in batch) write.Fail(Unavailable(exception));
            return;
        }

        _participant?.Commit();
        Volatile.Write(ref _commits, _commits + 1);
        // Counted first, so that a client that has its answer finds it in the metrics.
        _metrics.Committed(committed, batch.Count - committed, Stopwatch.GetElapsedTime(start));
        foreach (WriteCommand write in batch)
        {
            if (write.Error is null) RunAfterCommit(write);
            else write.Fail(write.Error is SqliteException sqlite ? Unavailable(sqlite) : write.Error);
        }
    }

    private void RunAfterCommit(WriteCommand write)
    {
        try
        {
            write.AfterCommit();
        }
        catch (Exception exception)
        {
            // The write is on disk: a caller that got an error would undo or repeat it.
            _log.LogError(exception, "A write of {Module} is on disk, but memory could not follow: restart the shop",
                _module);
        }
    }

    private StoreUnavailableException Unavailable(Exception exception)
    {
        if (exception is SqliteException sqlite) _failed(sqlite);
        return new StoreUnavailableException(_module, exception);
    }

    /// <returns>False if a write that must be undone has changed something: then the batch must be rolled
    /// back.</returns>
    private bool TryRunTogether(List<WriteCommand> batch, out int committed)
    {
        committed = 0;
        int changes = raw.sqlite3_total_changes(_connection.Handle);
        foreach (WriteCommand write in batch)
        {
            bool isCommitted = Run(write);
            int changesBefore = changes;
            changes = raw.sqlite3_total_changes(_connection.Handle);
            if (isCommitted)
            {
                committed++;
                _participant?.ReleaseSavepoint();
            }
            else if (changes == changesBefore)
            {
                _participant?.RollBackToSavepoint();
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    private bool RunInSavepoint(WriteCommand write)
    {
        _savepoint.Run();
        bool isCommitted = Run(write);
        if (isCommitted)
        {
            _participant?.ReleaseSavepoint();
        }
        else
        {
            _rollbackTo.Run();
            _participant?.RollBackToSavepoint();
        }

        _release.Run();
        return isCommitted;
    }

    private bool Run(WriteCommand write)
    {
#if DEBUG
        int changesBefore = raw.sqlite3_total_changes(_connection.Handle);
        bool isCommitted = write.TryRun();
        isCommitted &= write.Repeats(isCommitted, raw.sqlite3_total_changes(_connection.Handle) - changesBefore);
#else
        bool isCommitted = write.TryRun();
#endif
        // SQLite ends the whole transaction by itself on some errors (disk full, I/O): then no write is committed.
        if (raw.sqlite3_get_autocommit(_connection.Handle) != 0)
            throw write.Error as SqliteException ?? new SqliteException("The transaction was ended.", raw.SQLITE_ABORT);
        return isCommitted;
    }

    private void RollBack()
    {
        try
        {
            if (raw.sqlite3_get_autocommit(_connection.Handle) == 0) _rollback.Run();
        }
        catch (SqliteException)
        {
            // The batch has failed already. If the database still fails, the next batch reports it.
        }
    }
}
