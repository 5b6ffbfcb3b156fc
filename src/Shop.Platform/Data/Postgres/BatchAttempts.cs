using System.Diagnostics;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>The attempts to commit one batch, until its time is up.</summary>
internal sealed class BatchAttempts : IDisposable
{
    /// <summary>How often a batch is repeated because of a unique key, before it fails.</summary>
    private const int MaxConflicts = 5;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(200);

    private readonly PostgresCommitWriter _writer;
    private readonly CancellationTokenSource _end = new();
    private Guid _id = Guid.CreateVersion7();
    private TimeSpan _delay = FirstDelay;
    private int _begun, _conflicts;

    public BatchAttempts(PostgresCommitWriter writer) => _writer = writer;

    /// <summary>Cancelled when the time is up.</summary>
    public CancellationToken End => _end.Token;

    /// <summary>Whether anything was sent to the database.</summary>
    public bool HasBegun => _begun > 0;

    /// <summary>Whether an earlier attempt may have been committed, or may still be committed.</summary>
    public bool IsInDoubt { get; private set; }

    // A third, so that an attempt on a dead connection leaves time for another.
    private int SecondsToWait => Math.Max(1, (int)(_writer.Settings.RequestTimeout.TotalSeconds / 3));

    /// <summary>Limits their time.</summary>
    /// <param name="queuedAt">When the oldest write was queued, by <see cref="Stopwatch"/>.</param>
    /// <param name="held">For how long a fault held the batch up, which does not count.</param>
    public void Limit(long queuedAt, TimeSpan held)
    {
        TimeSpan left = _writer.Settings.RequestTimeout + held - Stopwatch.GetElapsedTime(queuedAt);
        _end.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
    }

    /// <summary>Opens a connection.</summary>
    public ValueTask<NpgsqlConnection> OpenAsync() => _writer.Source.OpenConnectionAsync(End);

    /// <summary>Begins an attempt.</summary>
    public PostgresTransaction Begin(NpgsqlConnection connection)
    {
        _begun++;
        return new PostgresTransaction(connection, _id, SecondsToWait, _writer.Faults);
    }

    /// <summary>Gives the batch a new id: the next attempt is another transaction.</summary>
    public void RenewId() => _id = Guid.CreateVersion7();

    /// <summary>
    /// Whether an earlier attempt was committed. If not, it never will be: if its statements still arrive, they find
    /// its id in use.
    /// </summary>
    public async Task<bool> WasCommittedAsync(NpgsqlConnection connection)
    {
        await using var batch = new NpgsqlBatch(connection) { Timeout = SecondsToWait };
        foreach (string sql in new[]
        {
            "INSERT INTO batches (id, is_made) VALUES ($1, false) ON CONFLICT DO NOTHING",
            "SELECT is_made FROM batches WHERE id = $1",
        })
        {
#pragma warning disable CA2100 // one of the two above
            var command = new NpgsqlBatchCommand(sql);
#pragma warning restore CA2100
            command.Parameters.Add(PostgresTransaction.Parameter(_id));
            batch.BatchCommands.Add(command);
        }

        bool wasMade = (bool)(await batch.ExecuteScalarAsync(End))!;
        IsInDoubt = false;
        return wasMade;
    }

    /// <summary>Whether the batch may run again after this failure.</summary>
    public bool MayRepeat(Exception failure)
    {
        if (failure is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
            return ++_conflicts <= MaxConflicts && !End.IsCancellationRequested;
        if (failure is PostgresException { SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.IoError } disk)
            _writer.FailedToStore(disk);
        // An error from the server means that the attempt was not committed, unless the server ended the connection.
        if (failure is not PostgresException { InvariantSeverity: "ERROR" }) IsInDoubt |= HasBegun;
        return PostgresError.IsTransient(failure) && !End.IsCancellationRequested;
    }

    /// <summary>Waits before the next attempt.</summary>
    public async Task DelayAsync()
    {
        TimeSpan delay = _delay * (0.5 + Random.Shared.NextDouble()); // jitter, so that two hosts do not collide again
        await Task.Delay(delay, End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_delay < MaxDelay) _delay *= 2;
    }

    public void Dispose() => _end.Dispose();
}
