using Npgsql;
using Shop.Platform.Faults;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// The transaction of one batch. Statements are collected and sent together, so a batch takes as few round trips as its
/// decisions need. Its first statement inserts the batch's id under a unique key: whatever happens to the connection,
/// a batch is committed once at most.
/// </summary>
public sealed class PostgresTransaction
{
    /// <summary>
    /// Start of the statement of <see cref="AddCheck"/>: followed by a condition, and with <see cref="BatchId"/> as
    /// <c>$1</c>, it records that the batch changed nothing.
    /// </summary>
    public const string MarkUnapplied = "UPDATE batches SET is_made = false WHERE id = $1 AND";

    private readonly NpgsqlConnection _connection;
    private readonly int _secondsToWait;
    private readonly CommitFaults _faults;
    private NpgsqlBatch _batch;
    private NpgsqlBatchCommand? _check;

    /// <param name="connection">The connection.</param>
    /// <param name="batchId">The batch's id.</param>
    /// <param name="secondsToWait">How long each round trip may take.</param>
    /// <param name="faults">Faults of round trips.</param>
    internal PostgresTransaction(NpgsqlConnection connection, Guid batchId, int secondsToWait, CommitFaults faults)
    {
        (_connection, BatchId, _secondsToWait, _faults) = (connection, batchId, secondsToWait, faults);
        _batch = NextBatch();
        // Statements that are sent together are one transaction without it as well, but Citus looks for it.
        Add("BEGIN");
        Add("INSERT INTO batches (id) VALUES ($1)", Parameter(batchId));
    }

    /// <summary>Id of the batch.</summary>
    public Guid BatchId { get; }

    /// <summary>A parameter: <c>$1</c>, <c>$2</c>, … in their order.</summary>
    public static NpgsqlParameter Parameter<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    /// <summary>A part of each row, as an array for <c>unnest</c>.</summary>
    public static NpgsqlParameter Column<TRow, T>(IEnumerable<TRow> rows, Func<TRow, T> part) =>
        Parameter(rows.Select(part).ToArray());

    /// <summary>Adds a statement to those that are sent next.</summary>
    public void Add(string sql, params ReadOnlySpan<NpgsqlParameter> parameters) => AddCommand(sql, parameters);

    /// <summary>
    /// Adds a statement that ends with <see cref="MarkUnapplied"/>: it changes that row if the writes can't be made.
    /// </summary>
    public void AddCheck(string sql, params ReadOnlySpan<NpgsqlParameter> parameters) =>
        _check = AddCommand(sql, parameters);

    /// <summary>Sends what was added. The reader has a result for each statement that returns rows, in their
    /// order.</summary>
    public async Task<NpgsqlDataReader> ReadAsync(CancellationToken end)
    {
        NpgsqlBatch batch = _batch;
        _batch = NextBatch();
        await _faults.BeforeRoundTripAsync(end);
        return await batch.ExecuteReaderAsync(end);
    }

    /// <summary>Sends what was added, and commits.</summary>
    /// <returns>Whether all checks passed.</returns>
    internal async Task<bool> CommitAsync(CancellationToken end)
    {
        Add("COMMIT");
        await _faults.BeforeRoundTripAsync(end);
        await _batch.ExecuteNonQueryAsync(end);
        return _check is not { RecordsAffected: > 0 };
    }

    /// <summary>Ends it after a statement that failed, so that the connection can be used again.</summary>
    internal async Task RollBackAsync(CancellationToken end)
    {
        await using var command = new NpgsqlCommand("ROLLBACK", _connection) { CommandTimeout = _secondsToWait };
        await command.ExecuteNonQueryAsync(end);
    }

    private NpgsqlBatchCommand AddCommand(string sql, ReadOnlySpan<NpgsqlParameter> parameters)
    {
#pragma warning disable CA2100 // a constant of the caller's
        var command = new NpgsqlBatchCommand(sql);
#pragma warning restore CA2100
        foreach (NpgsqlParameter parameter in parameters) command.Parameters.Add(parameter);
        _batch.BatchCommands.Add(command);
        return command;
    }

    private NpgsqlBatch NextBatch() => new(_connection) { Timeout = _secondsToWait };
}
