using Microsoft.Extensions.Logging;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// What all hosts change in a module's tables. Each transaction notes the ids of what it has changed in the table
/// <c>changes</c>; each host looks there when it is notified, and once a second in any case.
/// </summary>
/// <remarks>
/// Transactions are committed in any order, whatever their numbers. So a look begins with the oldest transaction that
/// was under way at the look before, and leaves out those that it has seen: none is missed, however late its commit.
/// </remarks>
public sealed class PostgresChanges : IAsyncDisposable
{
    private const string Look = """
        SELECT pg_snapshot_xmin(s.now)::text::bigint, now(), c.transaction, c.host, c.ids
        FROM (SELECT pg_current_snapshot() AS now) s
        LEFT JOIN changes c ON c.transaction >= $1 AND c.transaction <> ALL ($2)
        ORDER BY c.transaction
        """;

    private const int RowsPerDeletion = 10_000;

    private static readonly string DeleteOld = $"""
        DELETE FROM changes WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM changes WHERE at < now() - interval '10 minutes' LIMIT {RowsPerDeletion}
            FOR UPDATE SKIP LOCKED))
        """;

    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan DeletePeriod = TimeSpan.FromMinutes(1);

    /// <summary>Changes are kept for longer than this, so a host that looks as often as this misses none.</summary>
    private static readonly TimeSpan MaxLag = TimeSpan.FromMinutes(5);

    /// <summary>Tells the notes of this host from those of others.</summary>
    private static readonly long Host = Random.Shared.NextInt64();

    private readonly PostgresDatabase _database;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();

    // The transactions from the oldest on that was under way at the last look, whose changes were told of.
    private long[] _told = [];
    private long _oldestUnderWay;
    private DateTime _lookedAt;
    private Task _loop = Task.CompletedTask;

    /// <param name="database">The module's database.</param>
    /// <param name="log">The module's log.</param>
    public PostgresChanges(PostgresDatabase database, ILogger log) => (_database, _log) = (database, log);

    private string Channel => $"{_database.Schema}_changes";

    /// <summary>Notes in a transaction what it changes.</summary>
    public static void AddChange(PostgresTransaction transaction, string[] ids) =>
        transaction.Add("INSERT INTO changes (host, ids) VALUES ($1, $2)",
            PostgresTransaction.Parameter(Host), PostgresTransaction.Parameter(ids));

    /// <summary>
    /// Lets all hosts look as soon as the transaction is committed. It is for what changes seldom: transactions that
    /// notify are committed one after the other.
    /// </summary>
    public void AddNotification(PostgresTransaction transaction) =>
        transaction.Add("SELECT pg_notify($1, '')", PostgresTransaction.Parameter(Channel));

    /// <summary>Begins: what is committed from now on is told of by <see cref="Follow"/>.</summary>
    public async Task BeginAsync() => await _database.ReadAsync(async (connection, end) =>
    {
        _oldestUnderWay = long.MaxValue; // of the changes so far none
        await LookAsync(connection, end);
        return true;
    });

    /// <summary>Tells of changes until it is disposed.</summary>
    /// <param name="changed">Hears of ids.</param>
    /// <param name="missed">Hears that changes were missed: the database was out of reach for minutes.</param>
    /// <param name="ofOthers">Whether it is told of what other hosts change alone.</param>
    public void Follow(Func<string[], Task> changed, Func<Task> missed, bool ofOthers = false) =>
        _loop = Task.Run(() => FollowAsync(changed, missed, ofOthers));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return; // its owner did, before the container
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task FollowAsync(Func<string[], Task> changed, Func<Task> missed, bool ofOthers)
    {
        bool isTold = false;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.Source.OpenConnectionAsync(_stop.Token);
                await RunAsync(connection, $"LISTEN {Channel}");
                long deletedAt = Environment.TickCount64;
                while (true)
                {
                    await TellAsync(connection, changed, missed, ofOthers);
                    isTold = false;
                    if (Environment.TickCount64 - deletedAt > DeletePeriod.TotalMilliseconds)
                    {
                        deletedAt = Environment.TickCount64;
                        while (await RunAsync(connection, DeleteOld) == RowsPerDeletion) continue;
                    }

                    await connection.WaitAsync(LookPeriod, _stop.Token);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (!isTold)
                {
                    _log.LogWarning("Changes by other hosts can't be followed at the moment: {Error}",
                        exception.Message.ReplaceLineEndings(" "));
                }

                isTold = true;
                await Task.Delay(RetryDelay, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task TellAsync(
        NpgsqlConnection connection, Func<string[], Task> changed, Func<Task> missed, bool ofOthers)
    {
        (long oldest, DateTime lookedAt, long[] told) = (_oldestUnderWay, _lookedAt, _told);
        List<(long Transaction, long Host, string[] Ids)> changes = await LookAsync(connection, _stop.Token);
        try
        {
            if (_lookedAt - lookedAt > MaxLag) await missed();
            string[] ids =
            [
                .. changes.Where(change => !ofOthers || change.Host != Host)
                    .SelectMany(static change => change.Ids).Distinct(StringComparer.Ordinal),
            ];
            if (ids.Length > 0) await changed(ids);
        }
        catch
        {
            (_oldestUnderWay, _lookedAt, _told) = (oldest, lookedAt, told); // they are told of again
            throw;
        }
    }

    private async Task<List<(long Transaction, long Host, string[] Ids)>> LookAsync(
        NpgsqlConnection connection, CancellationToken end)
    {
        await using var command = new NpgsqlCommand(Look, connection);
        command.Parameters.Add(PostgresTransaction.Parameter(_oldestUnderWay));
        command.Parameters.Add(PostgresTransaction.Parameter(_told));
        var changes = new List<(long Transaction, long Host, string[] Ids)>();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(end);
        while (await reader.ReadAsync(end))
        {
            (_oldestUnderWay, _lookedAt) = (reader.GetInt64(0), reader.GetDateTime(1));
            if (!reader.IsDBNull(2))
                changes.Add((reader.GetInt64(2), reader.GetInt64(3), reader.GetFieldValue<string[]>(4)));
        }

        _told =
        [
            .. _told.Concat(changes.Select(static change => change.Transaction)).Distinct()
                .Where(number => number >= _oldestUnderWay),
        ];
        return changes;
    }

    /// <returns>The rows that were changed.</returns>
    private async Task<int> RunAsync(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // of constants, and the name of a module
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return await command.ExecuteNonQueryAsync(_stop.Token);
    }
}
