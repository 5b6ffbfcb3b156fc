using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Npgsql;
using Shop.Platform.Faults;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Data.Postgres;

/// <summary>The queue of the writes of one kind; see <see cref="PostgresCommitWriter"/>.</summary>
/// <typeparam name="TWrite">The writes.</typeparam>
/// <typeparam name="TAnswer">Type of their callers' results.</typeparam>
public sealed class PostgresWriteQueue<TWrite, TAnswer>
    where TWrite : PostgresWrite<TAnswer>
{
    /// <summary>The engine, as spans name it.</summary>
    private const string Engine = "postgresql";

    private readonly PostgresCommitWriter _writer;
    private readonly PostgresWriteKind<TWrite, TAnswer> _kind;
    private readonly int _batchLimit;
    private readonly TimeSpan _timeout;
    private readonly Channel<TWrite> _waiting = Channel.CreateUnbounded<TWrite>();
    private readonly Task _work;

    internal PostgresWriteQueue(
        PostgresCommitWriter writer, PostgresWriteKind<TWrite, TAnswer> kind, int batchLimit)
    {
        (_writer, _kind, _batchLimit, _timeout) = (writer, kind, batchLimit, writer.Settings.RequestTimeout);
        _work = Task.WhenAll(Enumerable.Range(0, kind.Concurrency).Select(_ => Task.Run(WriteUntilStoppedAsync)));
    }

    /// <summary>Queues a write. The task completes once the commit that carries it is durable.</summary>
    /// <exception cref="WriteQueueFullException">At once, if the queue is full.</exception>
    /// <exception cref="WriteTimeoutException">It waited too long in the queue.</exception>
    /// <exception cref="StoreUnavailableException">The batch could not be committed, or it is not known whether it
    /// was.</exception>
    /// <param name="write">The write.</param>
    /// <param name="operation">Its name in a trace: the calling method.</param>
    public Task<TAnswer> WriteAsync(TWrite write, [CallerMemberName] string operation = "") =>
        Spans.IsTraced ? TraceAsync(write, operation) : QueueAsync(write);

    /// <summary>Accepts no more writes, and finishes the waiting ones.</summary>
    internal Task StopAsync()
    {
        _waiting.Writer.TryComplete();
        return _work;
    }

    private Task<TAnswer> QueueAsync(TWrite write)
    {
        if (!_writer.TryEnter()) throw new WriteQueueFullException(_writer.Module);
        if (_waiting.Writer.TryWrite(write)) return write.Task;
        _writer.Leave();
        throw new ObjectDisposedException(_writer.Module, "The database is closed.");
    }

    private Task<TAnswer> TraceAsync(TWrite write, string operation) =>
        WriteSpans.TraceAsync(_writer.Module, Engine, operation, span =>
        {
            write.Span = span;
            return new ValueTask<TAnswer>(QueueAsync(write));
        }).AsTask();

    private async Task WriteUntilStoppedAsync()
    {
        while (await _waiting.Reader.WaitToReadAsync())
        {
            var batch = new List<TWrite>();
            while (batch.Count < _batchLimit && _waiting.Reader.TryRead(out TWrite? write))
            {
                _writer.Leave();
                if (Stopwatch.GetElapsedTime(write.QueuedAt) <= _timeout)
                {
                    batch.Add(write);
                    continue;
                }

                // Its caller has most likely given up; and leaving it out lets the others catch up.
                write.Fail(new WriteTimeoutException(_writer.Module));
                _writer.Release([write]);
            }

            if (batch.Count > 0) await CommitAsync(batch);
        }
    }

    private async Task CommitAsync(List<TWrite> batch)
    {
        using Activity? span = WriteSpans.StartCommit(_writer.Module, Engine, batch, static write => write.Span);
        long start = Stopwatch.GetTimestamp();
        using var attempts = new BatchAttempts(_writer);
        try
        {
            await _writer.Faults.BeforeCommitAsync();
            attempts.Limit(batch[0].QueuedAt, held: Stopwatch.GetElapsedTime(start));
            await MakeAsync(attempts, batch);
        }
        catch (Exception exception) when (batch.Count > 1 && !attempts.IsInDoubt
            && !PostgresError.IsTransient(exception) && exception is not (OperationCanceledException or FaultException))
        {
            Spans.Fail(span, exception);
            span?.Stop();
            // Finds the write that fails, so that the others succeed.
            foreach (TWrite write in batch) await CommitAsync([write]);
            return;
        }
        catch (Exception exception)
        {
            Spans.Fail(span, exception);
            _writer.Metrics.Failed(batch.Count);
            // An exception object for each caller, because each throw adds to its stack trace.
            foreach (TWrite write in batch) write.Fail(Failure(attempts, exception));
            _writer.Release(batch);
            return;
        }

        int committed = batch.Count(static write => write.IsCommitted);
        // Counted first, so that a client that has its answer finds it in the metrics.
        _writer.Committed(committed, batch.Count - committed, Stopwatch.GetElapsedTime(start));
        _writer.Release(batch);
    }

    private async Task MakeAsync(BatchAttempts attempts, IReadOnlyList<TWrite> batch)
    {
        bool isUsual = true;
        while (true)
        {
            try
            {
                if (isUsual && await TryUsualAsync(attempts, batch)) return;
                if (isUsual) attempts.RenewId(); // that id stands for a batch that changed nothing
                isUsual = false;
                await DecideAsync(attempts, batch);
                return;
            }
            catch (Exception exception) when (attempts.MayRepeat(exception))
            {
                await attempts.DelayAsync();
            }
        }
    }

    private async Task<bool> TryUsualAsync(BatchAttempts attempts, IReadOnlyList<TWrite> batch)
    {
        await using NpgsqlConnection connection = await attempts.OpenAsync();
        PostgresTransaction transaction = attempts.Begin(connection);
        if (!_kind.TryAddAll(transaction, batch)) return false;
        try
        {
            FaultPoint.Reach($"before-commit-{_writer.Module}");
            bool isMade = await transaction.CommitAsync(attempts.End);
            FaultPoint.Reach($"after-commit-{_writer.Module}");
            return isMade;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // The batch's own id is in use, or another key is: then this attempt was rolled back, but an earlier one
            // may be committed.
            await transaction.RollBackAsync(attempts.End);
            return (PostgresError.IsSameBatch(exception) || attempts.IsInDoubt)
                && await attempts.WasCommittedAsync(connection);
        }
    }

    private async Task DecideAsync(BatchAttempts attempts, IReadOnlyList<TWrite> batch)
    {
        await using NpgsqlConnection connection = await attempts.OpenAsync();
        PostgresTransaction transaction = attempts.Begin(connection);
        try
        {
            await _kind.DecideAsync(transaction, batch, attempts.End);
            if (batch.FirstOrDefault(static write => !write.IsDecided) is { } undecided)
                throw new InvalidOperationException($"A write ({undecided.GetType().Name}) was not decided.");
            FaultPoint.Reach($"before-commit-{_writer.Module}");
            await transaction.CommitAsync(attempts.End);
            FaultPoint.Reach($"after-commit-{_writer.Module}");
        }
        catch (PostgresException exception) when (PostgresError.IsSameBatch(exception))
        {
            // An earlier attempt was committed after all. The writes still have its outcomes, because an attempt
            // decides only after its first round trip, which inserts the batch's id.
        }
    }

    private Exception Failure(BatchAttempts attempts, Exception exception)
    {
        if (exception is FaultException) return new StoreUnavailableException(_writer.Module, exception);
        if (exception is not (NpgsqlException or TimeoutException or OperationCanceledException)) return exception;
        return attempts.HasBegun
            ? new StoreUnavailableException(_writer.Module, exception)
            : new StoreUnreachableException(_writer.Module, exception);
    }
}
