using System.Diagnostics;
using System.Reflection;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Engine.Transactions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>
/// Brings a module's schema up to date from the SQL files embedded in it. Hosts that start together wait for each
/// other, so only one of them migrates. Migrations only add, so hosts of the previous version still work.
/// </summary>
internal static class PostgresMigrations
{
    /// <summary>Another host may be migrating.</summary>
    private const int SecondsToWait = 60;

    private static readonly TimeSpan Unremarkable = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(50);

    /// <summary>The platform's own tables in each schema.</summary>
    private const string Common = """
        CREATE TABLE IF NOT EXISTS batches (
            id      uuid        NOT NULL PRIMARY KEY,
            is_made boolean     NOT NULL DEFAULT true,
            at      timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX IF NOT EXISTS batches_by_age ON batches (at);
        CREATE TABLE IF NOT EXISTS health_probe (id integer NOT NULL PRIMARY KEY, probe bigint NOT NULL);
        CREATE TABLE IF NOT EXISTS idempotency_keys (
            key         text   COLLATE "C" NOT NULL PRIMARY KEY,
            fingerprint bytea  NOT NULL,
            answer      text   NOT NULL,
            at          bigint NOT NULL
        );
        CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (at);
        """;

    public static async Task ApplyAsync(
        string schema, NpgsqlDataSource source, NpgsqlConnection connection, Assembly assembly, ILogger log,
        CancellationToken end)
    {
        await using NpgsqlTransaction turn = await TakeTurnAsync(schema, connection, log, end);
        await using (NpgsqlConnection maker = await source.OpenConnectionAsync(end))
        {
            // A role that may not create schemas can be given an existing one.
            if (!await RunAsync(maker, $"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'", end))
                await RunAsync(maker, $"CREATE SCHEMA {schema}", end);
            await RunAsync(maker, Common, end);
        }

        Apply(schema, source, assembly);
        await turn.CommitAsync(end);
    }

    /// <summary>
    /// Waits until no other host migrates. The lock belongs to a transaction, and a host that waits has none: a pooler
    /// has few sessions, and may use another for each transaction.
    /// </summary>
    private static async Task<NpgsqlTransaction> TakeTurnAsync(
        string schema, NpgsqlConnection connection, ILogger log, CancellationToken end)
    {
        long start = Stopwatch.GetTimestamp();
        bool isLogged = false;
        while (true)
        {
            NpgsqlTransaction turn = await connection.BeginTransactionAsync(end);
            await RunAsync(connection, "SET LOCAL idle_in_transaction_session_timeout = 0", end);
            if (await RunAsync(
                connection, $"SELECT 1 WHERE pg_try_advisory_xact_lock(hashtext('shop {schema}'))", end))
            {
                return turn;
            }

            await turn.DisposeAsync();
            TimeSpan waited = Stopwatch.GetElapsedTime(start);
            if (!isLogged && waited > Unremarkable)
            {
                isLogged = true;
                log.LogInformation("Waiting up to {Seconds} s for another host, which migrates the schema {Schema}",
                    SecondsToWait, schema);
            }

            if (waited.TotalSeconds > SecondsToWait)
            {
                throw new ShopStartException(
                    $"The schema {schema} can't be migrated: another host has been doing it for {SecondsToWait} s");
            }

            await Task.Delay(RetryDelay, end);
        }
    }

    private static void Apply(string schema, NpgsqlDataSource source, Assembly assembly)
    {
        DatabaseUpgradeResult result = PostgresqlExtensions.PostgresqlDatabase(new Connections(source))
            .JournalToPostgresqlTable(schema, "schema_versions")
            .WithScriptsEmbeddedInAssembly(assembly, IsOurs)
            .WithVariablesDisabled()
            .WithTransactionPerScript()
            .LogTo(new NoOpUpgradeLog())
            .Build().PerformUpgrade();
        if (!result.Successful)
            throw new ShopStartException($"The schema {schema} can't be migrated: {result.Error.Message}",
                result.Error);
    }

    /// <summary>Whether an embedded file is a migration for PostgreSQL.</summary>
    public static bool IsOurs(string resource) => resource.Contains(".Postgres.Migrations.", StringComparison.Ordinal);

    /// <returns>Whether there is a row.</returns>
    private static async Task<bool> RunAsync(NpgsqlConnection connection, string sql, CancellationToken end)
    {
#pragma warning disable CA2100 // of constants, and the name of a module
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = SecondsToWait };
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync(end) is not null;
    }

    private sealed class Connections(NpgsqlDataSource source)
        : DatabaseConnectionManager(new DelegateConnectionFactory(_ => source.CreateConnection()))
    {
        // Npgsql accepts scripts of several statements.
        public override IEnumerable<string> SplitScriptIntoCommands(string scriptContents) => [scriptContents];
    }
}
