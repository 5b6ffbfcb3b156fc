using Microsoft.Extensions.Logging;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// The change feed of a module: the ids that all hosts change. Each transaction inserts the ids that it has changed
/// into the table <c>changes</c>; each host polls that table when it is notified, and once a second in any case.
/// </summary>
/// <remarks>
/// Transactions do not commit in the order of their ids. So a poll begins with the oldest transaction that was still
/// open at the poll before, and leaves out the transactions that it has seen: none is missed, however late it commits.
/// </remarks>
public sealed class PostgresChanges : IAsyncDisposable
{
    private const string Poll = """
        SELECT pg_snapshot_xmin(s.now)::text::bigint, now(), c.transaction, c.host, c.ids
        FROM (SELECT pg_current_snapshot() AS now) s
        LEFT JOIN changes c ON c.transaction >= $1 AND c.transaction <> ALL ($2)
        ORDER BY c.transaction
        """;

    private static readonly string DeleteOld = $"""
        DELETE FROM changes WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM changes WHERE at < now() - interval '10 minutes' LIMIT {PostgresDatabase.RowsPerDeletion}
            FOR UPDATE SKIP LOCKED))
        """;

    private static readonly TimeSpan PollPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan DeletePeriod = TimeSpan.FromMinutes(1);

    /// <summary>Tells the changes of this host from those of others.</summary>
    private static readonly long Host = Random.Shared.NextInt64();

    private readonly PostgresDatabase _database;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();

    // Transactions that were delivered already, from the oldest that was open at the last poll.
    private long[] _delivered = [];
    private long _oldestUnderWay;
    private DateTime _polledAt;
    private Task _loop = Task.CompletedTask;

    /// <param name="database">The module's database.</param>
    /// <param name="log">The module's log.</param>
    public PostgresChanges(PostgresDatabase database, ILogger log) => (_database, _log) = (database, log);

    /// <summary>Changes are kept for longer than this, so a host that polls more often misses none.</summary>
    internal TimeSpan MaxLag { get; init; } = TimeSpan.FromMinutes(5);

    private string Channel => $"{_database.Schema}_changes";

    /// <summary>Adds the ids that a transaction changes to the feed.</summary>
    public static void AddChange(PostgresTransaction transaction, string[] ids) =>
        transaction.Add("INSERT INTO changes (host, ids) VALUES ($1, $2)",
            PostgresTransaction.Parameter(Host), PostgresTransaction.Parameter(ids));

    /// <summary>
    /// Notifies all hosts as soon as the transaction is committed. Only for rare changes: transactions that notify
    /// commit one after the other.
    /// </summary>
    public void AddNotification(PostgresTransaction transaction) =>
        transaction.Add("SELECT pg_notify($1, '')", PostgresTransaction.Parameter(Channel));

    /// <summary>Sets the start of the feed: <see cref="Follow"/> delivers what is committed from now on.</summary>
    public async Task BeginAsync() => await _database.ReadAsync(async (connection, end) =>
    {
        MoveOn(await PollAsync(connection, after: long.MaxValue, end)); // leaves out all changes so far
        return true;
    });

    /// <summary>Delivers changes until it is disposed.</summary>
    /// <param name="changed">Called with the changed ids.</param>
    /// <param name="missed">Called if changes were missed, because the database was out of reach for minutes.</param>
    /// <param name="ofOthers">Whether only the changes of other hosts are delivered.</param>
    public void Follow(Func<string[], Task> changed, Func<Task> missed, bool ofOthers = false) =>
        _loop = Task.Run(() => FollowAsync(changed, missed, ofOthers));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return; // its owner has disposed it before the container
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task FollowAsync(Func<string[], Task> changed, Func<Task> missed, bool ofOthers)
    {
        bool isLogged = false;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.Source.OpenConnectionAsync(_stop.Token);
                await RunAsync(connection, $"LISTEN {Channel}");
                long? deletedAt = null;
                while (true)
                {
                    await DeliverAsync(connection, changed, missed, ofOthers);
                    isLogged = false;
                    if (deletedAt is null || Environment.TickCount64 - deletedAt > DeletePeriod.TotalMilliseconds)
                    {
                        // More are deleted after the next poll, so that changes are delivered without delay.
                        if (await RunAsync(connection, DeleteOld) < PostgresDatabase.RowsPerDeletion)
                            deletedAt = Environment.TickCount64;
                    }

                    await connection.WaitAsync(PollPeriod, _stop.Token);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (!isLogged)
                {
                    _log.LogWarning("Changes by other hosts can't be followed at the moment: {Error}",
                        exception.Message.ReplaceLineEndings(" "));
                }

                isLogged = true;
                await Task.Delay(RetryDelay, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task DeliverAsync(
        NpgsqlConnection connection, Func<string[], Task> changed, Func<Task> missed, bool ofOthers)
    {
        Polled polled = await PollAsync(connection, _oldestUnderWay, _stop.Token);
        if (polled.At - _polledAt > MaxLag) await missed();
        string[] ids =
        [
            .. polled.Changes.Where(change => !ofOthers || change.Host != Host)
                .SelectMany(static change => change.Ids).Distinct(StringComparer.Ordinal),
        ];
        if (ids.Length > 0) await changed(ids);
        MoveOn(polled); // only now, so that what could not be read or delivered comes again
    }

    private async Task<Polled> PollAsync(NpgsqlConnection connection, long after, CancellationToken end)
    {
        await using var command = new NpgsqlCommand(Poll, connection) { CommandTimeout = 2 };
        command.Parameters.Add(PostgresTransaction.Parameter(after));
        command.Parameters.Add(PostgresTransaction.Parameter(_delivered));
        var changes = new List<(long Transaction, long Host, string[] Ids)>();
        (long oldest, DateTime at) = (after, _polledAt);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(end);
        while (await reader.ReadAsync(end))
        {
            (oldest, at) = (reader.GetInt64(0), reader.GetDateTime(1));
            if (!reader.IsDBNull(2))
                changes.Add((reader.GetInt64(2), reader.GetInt64(3), reader.GetFieldValue<string[]>(4)));
        }

        return new Polled(oldest, at, changes);
    }

    private void MoveOn(Polled polled)
    {
        (_oldestUnderWay, _polledAt) = (polled.OldestUnderWay, polled.At);
        _delivered =
        [
            .. _delivered.Concat(polled.Changes.Select(static change => change.Transaction)).Distinct()
                .Where(number => number >= _oldestUnderWay),
        ];
    }

    /// <returns>The rows that were changed.</returns>
    private async Task<int> RunAsync(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // of constants, and the name of a module
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return await command.ExecuteNonQueryAsync(_stop.Token);
    }

    /// <summary>What a poll has read.</summary>
    /// <param name="OldestUnderWay">The oldest transaction that was open.</param>
    /// <param name="At">When it was, by the database's clock.</param>
    /// <param name="Changes">The changes that were not delivered yet.</param>
    private sealed record Polled(
        long OldestUnderWay, DateTime At, List<(long Transaction, long Host, string[] Ids)> Changes);
}
