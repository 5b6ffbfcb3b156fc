using System.Reflection;
using Npgsql;
using NpgsqlTypes;

namespace Shop.Platform.Data.Postgres;

/// <summary>The rows of a module in its schema, read or written in one transaction.</summary>
internal sealed class PostgresRows : IModuleRows
{
    private const string HasHosts = """
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = $1
        """;

    private const int RowsAtOnce = 500;

    private readonly PostgresDatabase _database;
    private readonly NpgsqlConnection _connection;

    private PostgresRows(PostgresDatabase database, NpgsqlConnection connection) =>
        (_database, _connection) = (database, connection);

    /// <summary>Connects, and looks that no host uses the schema.</summary>
    /// <exception cref="ShopStartException">It can't be used, or a host uses it.</exception>
    public static async Task<PostgresRows> OpenAsync(PostgresDatabase database)
    {
        var rows = new PostgresRows(database, await database.ConnectAsync(CancellationToken.None));
        string name = new NpgsqlConnectionStringBuilder(database.Address).ApplicationName!;
        // A copy has no time limits, and reads tables as a whole.
        await rows.RunAsync("""
            SET application_name = 'shop-copy'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
            SET enable_seqscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on
            """);
        if (await rows.ScalarAsync(HasHosts, PostgresTransaction.Parameter(name)) is null) return rows;
        await rows.DisposeAsync();
        throw new ShopStartException($"a shop uses the {((IModuleDatabase)database).Name}: stop all hosts first");
    }

    /// <summary>Begins to read.</summary>
    public Task BeginReadAsync() => RunAsync("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");

    /// <summary>Brings the schema up to date, and begins to write to it.</summary>
    /// <exception cref="ShopStartException">It has rows.</exception>
    public async Task BeginWriteAsync(ModuleTables tables, Assembly migrations)
    {
        await _database.MigrateAsync(_connection, migrations, CancellationToken.None);
        await RunAsync("SET statement_timeout = 0; BEGIN");
        foreach (CopiedTable table in tables.All.Where(static table => table.Postgres.Insert is null))
        {
            await RunAsync($"LOCK TABLE {table.Name} IN EXCLUSIVE MODE");
            if (await ScalarAsync($"SELECT 1 FROM {table.Name} LIMIT 1") is null) continue;
            throw new ShopStartException(
                $"the {((IModuleDatabase)_database).Name} is not empty: it has rows in {table.Name}");
        }
    }

    public async IAsyncEnumerable<object?[]> ReadAsync(CopiedTable table)
    {
        await using NpgsqlCommand command = Command(
            table.Postgres.Select ?? $"SELECT {table.ColumnNames} FROM {table.Name}");
        await using NpgsqlDataReader reader = await TryAsync(() => command.ExecuteReaderAsync());
        while (await TryAsync(() => reader.ReadAsync())) yield return table.Values(reader);
    }

    public Task WriteAsync(CopiedTable table, IAsyncEnumerable<object?[]> rows) => TryAsync(async () =>
    {
        if (table.Postgres.Insert is { } statements) await RunForEachAsync(statements, table, rows);
        else await CopyAsync(table, rows);
        return true;
    });

    public async Task EndAsync(ModuleTables tables)
    {
        foreach (string sql in tables.PostgresEnd) await RunAsync(sql);
    }

    public Task CommitAsync() => RunAsync("COMMIT");

    /// <summary>Ends the transaction, if it is not committed, by the end of its session.</summary>
    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static NpgsqlParameter Parameter(object? value, ColumnType type) => value switch
    {
        null => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = TypeOf(type) },
        string text => PostgresTransaction.Parameter(text),
        bool flag => PostgresTransaction.Parameter(flag),
        byte[] bytes => PostgresTransaction.Parameter(bytes),
        _ => PostgresTransaction.Parameter((long)value),
    };

    private static NpgsqlDbType TypeOf(ColumnType type) => type switch
    {
        ColumnType.Text => NpgsqlDbType.Text,
        ColumnType.Boolean => NpgsqlDbType.Boolean,
        ColumnType.Bytea => NpgsqlDbType.Bytea,
        ColumnType.Int => NpgsqlDbType.Integer,
        _ => NpgsqlDbType.Bigint,
    };

    private async Task CopyAsync(CopiedTable table, IAsyncEnumerable<object?[]> rows)
    {
        await using NpgsqlBinaryImporter copy = await _connection.BeginBinaryImportAsync(
            $"COPY {table.Name} ({table.ColumnNames}) FROM STDIN (FORMAT BINARY)");
        copy.Timeout = TimeSpan.Zero; // none
        await foreach (object?[] row in rows)
        {
            await copy.StartRowAsync();
            for (int i = 0; i < row.Length; i++)
            {
                NpgsqlDbType type = TypeOf(table.Types[i]);
                await (row[i] switch
                {
                    null => copy.WriteNullAsync(),
                    string text => copy.WriteAsync(text, type),
                    bool flag => copy.WriteAsync(flag, type),
                    byte[] bytes => copy.WriteAsync(bytes, type),
                    long number when type == NpgsqlDbType.Integer => copy.WriteAsync(checked((int)number), type),
                    var number => copy.WriteAsync((long)number, type),
                });
            }
        }

        await copy.CompleteAsync();
    }

    private async Task RunForEachAsync(
        IReadOnlyList<string> statements, CopiedTable table, IAsyncEnumerable<object?[]> rows)
    {
        await using var batch = new NpgsqlBatch(_connection) { Timeout = 0 };
        await foreach (object?[] row in rows)
        {
            foreach (string sql in statements)
            {
#pragma warning disable CA2100 // a constant of a module's
                var command = new NpgsqlBatchCommand(sql);
#pragma warning restore CA2100
                for (int i = 0; i < row.Length; i++) command.Parameters.Add(Parameter(row[i], table.Types[i]));
                batch.BatchCommands.Add(command);
            }

            if (batch.BatchCommands.Count < RowsAtOnce) continue;
            await batch.ExecuteNonQueryAsync();
            batch.BatchCommands.Clear();
        }

        if (batch.BatchCommands.Count > 0) await batch.ExecuteNonQueryAsync();
    }

    private NpgsqlCommand Command(string sql)
    {
#pragma warning disable CA2100 // of constants, and the names of tables
        return new NpgsqlCommand(sql, _connection) { CommandTimeout = 0 };
#pragma warning restore CA2100
    }

    private Task<object?> ScalarAsync(string sql, params NpgsqlParameter[] parameters) => TryAsync(async () =>
    {
        await using NpgsqlCommand command = Command(sql);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteScalarAsync();
    });

    private async Task RunAsync(string sql) => await ScalarAsync(sql);

    private async Task<T> TryAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (NpgsqlException exception)
        {
            throw _database.Unusable(exception);
        }
    }
}
