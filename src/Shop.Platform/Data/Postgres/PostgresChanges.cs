using System.Globalization;
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
    /// <summary>The table; migrations of modules that use it create it so.</summary>
    public const string Schema = """
        CREATE TABLE changes (
            transaction bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
            host        bigint      NOT NULL,
            ids         text[]      NOT NULL,
            at          timestamptz NOT NULL DEFAULT now()
        );
        """;

    private const string DeleteOld = """
        DELETE FROM changes WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM changes WHERE at < now() - interval '10 minutes' LIMIT 10000 FOR UPDATE SKIP LOCKED))
        """;

    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan DeletePeriod = TimeSpan.FromMinutes(1);

    /// <summary>Changes are kept for longer than this, so a host that looks as often as this misses none.</summary>
    private static readonly TimeSpan LongestBlindness = TimeSpan.FromMinutes(5);

    private static readonly long Host = Random.Shared.NextInt64();

    private readonly PostgresDatabase _database;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<long> _seen = [];
    private long _oldestUnderWay;
    private DateTime _lookedAt;
    private Task _loop = Task.CompletedTask;

    /// <param name="database">The module's database.</param>
    /// <param name="log">The module's log.</param>
    public PostgresChanges(PostgresDatabase database, ILogger log) => (_database, _log) = (database, log);

    private string Channel => $"{_database.Schema}_changes";

    /// <summary>Notes in a transaction what it changes.</summary>
    public static void AddNote(PostgresTransaction transaction, string[] ids) =>
        transaction.Add("INSERT INTO changes (host, ids) VALUES ($1, $2)",
            PostgresTransaction.Parameter(Host), PostgresTransaction.Parameter(ids));

    /// <summary>
    /// Lets all hosts look as soon as the transaction is committed. While it commits, no other transaction that
    /// notifies does: it is for what changes seldom.
    /// </summary>
    public void AddNotification(PostgresTransaction transaction) =>
        transaction.Add("SELECT pg_notify($1, '')", PostgresTransaction.Parameter(Channel));

    /// <summary>Begins: what is committed from now on is told of.</summary>
    /// <param name="changed">Hears of ids, those that this host has changed included.</param>
    /// <param name="missed">Changes were missed, because the database was out of reach for minutes.</param>
    /// <param name="ofOthersAlone">Whether it hears of what other hosts change alone.</param>
    public async Task StartAsync(
        Func<string[], Task> changed, Func<Task> missed, bool ofOthersAlone = false)
    {
        await _database.ReadAsync(async (connection, end) => await LookAsync(connection, end));
        _loop = Task.Run(() => RunAsync(changed, missed, ofOthersAlone));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(Func<string[], Task> changed, Func<Task> missed, bool ofOthersAlone)
    {
        bool isWell = true;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.Source.OpenConnectionAsync(_stop.Token);
                await ExecuteAsync(connection, $"LISTEN {Channel}");
                await FollowAsync(connection, changed, missed, ofOthersAlone, () => isWell = true);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (isWell)
                {
                    _log.LogWarning("Changes of {Module} by other hosts can't be followed at the moment: {Error}",
                        _database.Schema, exception.Message.ReplaceLineEndings(" "));
                }

                isWell = false;
                await Task.Delay(RetryDelay, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task FollowAsync(
        NpgsqlConnection connection, Func<string[], Task> changed, Func<Task> missed, bool ofOthersAlone, Action looked)
    {
        long deletedAt = Environment.TickCount64;
        while (true)
        {
            DateTime before = _lookedAt;
            Look look = await LookAsync(connection, _stop.Token);
            if (_lookedAt - before > LongestBlindness) await missed();
            string[] ids = [.. look.Changes.Where(change => !ofOthersAlone || change.Host != Host)
                .SelectMany(change => change.Ids).Distinct(StringComparer.Ordinal)];
            if (ids.Length > 0) await changed(ids);
            Accept(look);
            looked();
            if (Environment.TickCount64 - deletedAt > DeletePeriod.TotalMilliseconds)
            {
                deletedAt = Environment.TickCount64;
                await ExecuteAsync(connection, DeleteOld);
            }

            await connection.WaitAsync(LookPeriod, _stop.Token);
        }
    }
}
