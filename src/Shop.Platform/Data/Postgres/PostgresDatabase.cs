using System.Reflection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Prometheus;
using Shop.Platform.Faults;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// One module's schema in PostgreSQL, shared by any number of hosts. Its name is the module's, and it is the search
/// path of every connection, so statements name tables without it.
/// </summary>
public sealed class PostgresDatabase : IModuleDatabase, IAsyncDisposable
{
    /// <summary>The most connections of one module on one host, unless the connection string says otherwise.</summary>
    private const int DefaultMaxConnections = 10;

    /// <summary>Connections that reads leave to writes, to the feed of changes and to the health check.</summary>
    private const int ReservedConnections = 6;

    private const int OldestVersion = 13;

    /// <summary>How often a read is tried if its connection is dead.</summary>
    private const int MaxReads = 3;

    private static readonly TimeSpan MaxStartWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartRetryDelay = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Rows that one transaction deletes, so that it holds no lock for long.</summary>
    internal const int RowsPerDeletion = 10_000;

    /// <summary>Bytes of the schema's tables and their indexes.</summary>
    private const string Size = """
        SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
        WHERE relnamespace = current_schema::regnamespace AND relkind = 'r'
        """;

    private readonly ShopSettings _settings;
    private readonly ILogger _log;
    private readonly TimeProvider _clock;
    private readonly string _key;
    private readonly SemaphoreSlim _reads;
    private NpgsqlDataSource? _source;
    private PostgresCommitWriter? _writes;
    private CommitFaults? _faults;
    private PostgresIdempotencyKeys? _keys;

    internal PostgresDatabase(string module, ShopSettings settings, ILogger log, TimeProvider clock)
    {
        (Schema, _settings, _log, _clock) = (module, settings, log, clock);
        (_key, string text) = settings.Connections![module];
        Address = ConnectionStrings.Complete(text, module, settings.RequestTimeout, DefaultMaxConnections);
        int connections = new NpgsqlConnectionStringBuilder(Address).MaxPoolSize;
        _reads = new SemaphoreSlim(Math.Max(1, connections - ReservedConnections));
    }

    /// <summary>Name of the schema: the module's.</summary>
    public string Schema { get; }

    /// <summary>The pool of connections.</summary>
    public NpgsqlDataSource Source => _source ?? throw NotOpen();

    /// <summary>The group commit of this schema.</summary>
    public PostgresCommitWriter Writes => _writes ?? throw NotOpen();

    /// <summary>The idempotency keys, with the answers that are stored for them.</summary>
    public PostgresIdempotencyKeys Keys => _keys ?? throw NotOpen();

    /// <summary>The connection string that is used: that of the settings, and what the shop adds to it.</summary>
    internal string Address { get; }

    string IModuleDatabase.Name => $"schema {Schema} of {_key}";

    int IModuleDatabase.UnwrittenWrites => _writes?.Unwritten ?? 0;

    /// <summary>
    /// Reads by a connection from the pool. The read may run again if the connection turns out to be dead.
    /// </summary>
    /// <exception cref="StoreUnreadableException">The database can't be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<T> ReadAsync<T>(
        Func<NpgsqlConnection, CancellationToken, Task<T>> read, CancellationToken end = default)
    {
        if (!await _reads.WaitAsync(_settings.RequestTimeout, end))
        {
            throw new StoreUnreadableException(
                Schema, new TimeoutException("Too many reads are waiting for a connection."));
        }

        try
        {
            return await TryReadAsync(read, end);
        }
        finally
        {
            _reads.Release();
        }
    }

    /// <summary>Whether the database may have this text: PostgreSQL has no text with a NUL.</summary>
    public static bool MayHave(string text) => !text.Contains('\0', StringComparison.Ordinal);

    /// <summary>Reads the rows of a query; see <see cref="ReadAsync"/>.</summary>
    /// <param name="sql">The query.</param>
    /// <param name="read">Maps a row; columns are numbered from 0.</param>
    /// <param name="end">Ends the query.</param>
    /// <param name="parameters">Its parameters: <c>$1</c>, <c>$2</c>, … in their order.</param>
    public Task<IReadOnlyList<T>> RowsAsync<T>(
        string sql, Func<NpgsqlDataReader, T> read, CancellationToken end, params NpgsqlParameter[] parameters) =>
        QueryAsync<IReadOnlyList<T>>(sql, async (reader, token) =>
        {
            var rows = new List<T>();
            while (await reader.ReadAsync(token)) rows.Add(read(reader));
            return rows;
        }, end, parameters);

    /// <summary>Reads the result of a query as a whole; see <see cref="ReadAsync"/>.</summary>
    /// <inheritdoc cref="RowsAsync" path="/param"/>
    public Task<T> QueryAsync<T>(
        string sql, Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken end,
        params NpgsqlParameter[] parameters) =>
        ReadAsync(async (connection, token) =>
        {
#pragma warning disable CA2100 // a constant of the caller's
            await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
            command.Parameters.AddRange(parameters);
            try
            {
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(token);
                return await read(reader, token);
            }
            finally
            {
                command.Parameters.Clear(); // the next attempt has them in a command of its own
            }
        }, end);

    /// <summary>Waits for the server, brings the schema up to date and opens the queues.</summary>
    /// <param name="migrations">The assembly whose embedded <c>Postgres/Migrations/*.sql</c> make the schema.</param>
    /// <param name="metrics">Makes the database's metrics.</param>
    /// <param name="registry">The registry that they are collected with.</param>
    /// <param name="faults">Faults of commits and round trips.</param>
    /// <param name="end">Ends the wait.</param>
    /// <exception cref="ShopStartException">The database can't be used.</exception>
    internal async Task OpenAsync(
        Assembly migrations, IMetricFactory metrics, CollectorRegistry registry, CommitFaults faults,
        CancellationToken end)
    {
        _faults = faults;
        await using (NpgsqlConnection connection = await ConnectAsync(end))
            await MigrateAsync(connection, migrations, end);
        var databaseMetrics = new DatabaseMetrics(metrics, _settings.WriteQueueLimit);
        _writes = new PostgresCommitWriter(Schema, Source, _settings, databaseMetrics, faults, _log);
        _keys = new PostgresIdempotencyKeys(this);
        long bytes = 0;
        var size = new SharedGaugeRefresh(
            async token => bytes = (await RowsAsync(Size, static row => row.GetInt64(0), token))[0],
            commits: static () => 0, _clock, _log);
        registry.AddBeforeCollectCallback(async token =>
        {
            await size.RefreshAsync(token);
            databaseMetrics.Refresh(_writes.Depth, bytes, walBytes: 0, freeBytes: 0); // those are the server's
        });
    }

    /// <summary>Waits for the server, and looks whether it can be used.</summary>
    /// <exception cref="ShopStartException">It can't.</exception>
    internal async Task<NpgsqlConnection> ConnectAsync(CancellationToken end)
    {
        var builder = new NpgsqlSlimDataSourceBuilder(Address);
        builder.EnableArrays();
        builder.EnableTransportSecurity();
        try
        {
            _source = builder.ConnectionStringBuilder.Host!.Contains(',', StringComparison.Ordinal)
                ? builder.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary)
                : builder.Build();
            NpgsqlConnection connection = await WaitForServerAsync(end);
            if (connection.PostgreSqlVersion.Major >= OldestVersion) return connection;
            throw new ShopStartException($"{_key} names PostgreSQL {connection.PostgreSqlVersion}, "
                + $"which is too old: Shop needs {OldestVersion} or later");
        }
        catch (Exception exception) when (exception is NpgsqlException
            or ArgumentException or NotSupportedException // options that exclude each other
            or IOException or UnauthorizedAccessException) // a Passfile
        {
            throw Unusable(exception);
        }
    }

    /// <summary>Brings the schema up to date.</summary>
    /// <exception cref="ShopStartException">It can't be done.</exception>
    internal async Task MigrateAsync(NpgsqlConnection connection, Assembly migrations, CancellationToken end)
    {
        try
        {
            await PostgresMigrations.ApplyAsync(Schema, Source, connection, migrations, _log, end);
        }
        catch (NpgsqlException exception)
        {
            throw Unusable(exception);
        }
    }

    /// <summary>The error in one line, if the database can't be used.</summary>
    internal ShopStartException Unusable(Exception exception) =>
        new($"{_key} can't be used: {OneLine(exception)}", exception);

    /// <summary>Really writes, waits for the commit, and reads what was written.</summary>
    /// <returns>Whether what was written could be read.</returns>
    internal async Task<bool> ProbeAsync(CancellationToken end)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(end);
        bound.CancelAfter(ProbeTimeout);
        await using NpgsqlConnection connection = await Source.OpenConnectionAsync(bound.Token);
        await using var write = new NpgsqlCommand("""
            INSERT INTO health_probe (id, probe) VALUES (1, 1)
            ON CONFLICT (id) DO UPDATE SET probe = health_probe.probe + 1 RETURNING probe
            """, connection);
        long written = (long)(await write.ExecuteScalarAsync(bound.Token))!;
        await using var read = new NpgsqlCommand("SELECT probe FROM health_probe WHERE id = 1", connection);
        // A later probe may have increased it since.
        return (long)(await read.ExecuteScalarAsync(bound.Token))! >= written;
    }

    Task IModuleDatabase.MaintainAsync(DateTime now) => MaintainAsync(now);

    /// <summary>Finishes the writes that wait, and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_writes is not null) await _writes.StopAsync();
        if (_source is not null) await _source.DisposeAsync();
        _reads.Dispose();
    }

    /// <summary>Deletes rows that are no longer needed, some in each transaction, until all are gone.</summary>
    internal async Task DeleteOldAsync(
        string table, string id, string condition, params NpgsqlParameter[] parameters)
    {
        // Without row locks, which Citus does not allow on a distributed table. If two hosts do this at once, the
        // second finds fewer rows.
        string sql = $"""
            WITH gone AS (
                DELETE FROM {table} WHERE {id} IN (SELECT {id} FROM {table} WHERE {condition} LIMIT {RowsPerDeletion})
                RETURNING 1)
            SELECT count(*) FROM gone
            """;
        while (await Writes.RunAsync(DeleteAsync) == RowsPerDeletion) continue;

        async Task<long> DeleteAsync(PostgresTransaction transaction, CancellationToken end)
        {
            transaction.Add(sql, [.. parameters.Select(static parameter => parameter.Clone())]);
            await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
            await reader.ReadAsync(end);
            return reader.GetInt64(0);
        }
    }

    private async Task<T> TryReadAsync<T>(
        Func<NpgsqlConnection, CancellationToken, Task<T>> read, CancellationToken end)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await using NpgsqlConnection connection = await Source.OpenConnectionAsync(end);
                await _faults!.BeforeRoundTripAsync(end);
                return await read(connection, end);
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
            {
                end.ThrowIfCancellationRequested();
                // If one connection is dead, the idle ones most likely are, too.
                if (PostgresError.IsConnectionLost(exception)) Source.Clear();
                if (attempt < MaxReads && PostgresError.IsTransient(exception)
                    && exception.InnerException is not TimeoutException) continue;
                throw new StoreUnreadableException(Schema, exception);
            }
        }
    }

    private async Task MaintainAsync(DateTime now)
    {
        await Keys.PurgeAsync(now);
        // Far longer than any attempt at a batch may take.
        await DeleteOldAsync("batches", "id", "at < now() - interval '1 hour'");
    }

    private async Task<NpgsqlConnection> WaitForServerAsync(CancellationToken end)
    {
        bool isLogged = false;
        for (long start = _clock.GetTimestamp(); ;)
        {
            try
            {
                return await Source.OpenConnectionAsync(end);
            }
            catch (Exception exception) when (PostgresError.IsAway(exception))
            {
                if (_clock.GetElapsedTime(start) > MaxStartWait)
                {
                    throw new ShopStartException($"{_key} names a server that did not answer within "
                        + $"{MaxStartWait.TotalSeconds} s: {OneLine(exception)}", exception);
                }

                if (!isLogged)
                {
                    isLogged = true;
                    _log.LogWarning("Waiting up to {Seconds} s for the database server of {Module}: {Error}",
                        MaxStartWait.TotalSeconds, Schema, OneLine(exception));
                }

                await Task.Delay(StartRetryDelay, _clock, end);
            }
        }
    }

    private static string OneLine(Exception exception) => (exception.InnerException is { } inner
        ? $"{exception.Message} ({inner.Message})" : exception.Message).ReplaceLineEndings(" ");

    private InvalidOperationException NotOpen() => new(
        $"The database of {Schema} is not open: what needs it must not be resolved before the module starts.");
}
