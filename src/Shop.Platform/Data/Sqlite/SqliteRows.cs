using System.Reflection;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>The rows of a module in its file.</summary>
internal sealed class SqliteRows : IModuleRows
{
    private readonly DatabaseFile _file;

    private SqliteRows(DatabaseFile file) => _file = file;

    /// <summary>Opens the file of a stopped shop.</summary>
    public static SqliteRows Open(string directory, string module) => new(DatabaseFile.Open(directory, module));

    /// <summary>Makes a file, without a log by which SQLite could repair it: if it is not committed, it must be
    /// deleted.</summary>
    public static SqliteRows Create(string directory, string module, Assembly migrations)
    {
        Database.Create(directory, module, migrations);
        var file = DatabaseFile.Open(DatabaseFile.PathOf(directory, module), SqliteOpenMode.ReadWrite);
        file.Run("PRAGMA journal_mode=OFF"); // the file is deleted if anything fails
        file.Run("PRAGMA synchronous=OFF");
        file.Run("PRAGMA temp_store=MEMORY");
        file.Run("BEGIN");
        return new SqliteRows(file);
    }

    public async IAsyncEnumerable<object?[]> ReadAsync(CopiedTable table)
    {
        using IEnumerator<object?[]> rows = _file.Rows(
            table.Sqlite.Select ?? $"SELECT {table.ColumnNames} FROM {table.Name}", table.Values)
            .GetEnumerator();
        while (Try(rows.MoveNext)) yield return rows.Current;
        await Task.CompletedTask;
    }

    public async Task WriteAsync(CopiedTable table, IAsyncEnumerable<object?[]> rows)
    {
        string parameters = string.Join(", ", table.Types.Select(static (_, i) => $"?{i + 1}"));
        IReadOnlyList<string> sql = table.Sqlite.Insert
            ?? [$"INSERT INTO {table.Name} ({table.ColumnNames}) VALUES ({parameters})"];
        Statement[] statements = Try(() => sql.Select(each => new Statement(_file.Connection.Handle!, each)).ToArray());
        try
        {
            await foreach (object?[] row in rows)
            {
                Try(() =>
                {
                    foreach (Statement statement in statements) Run(statement, row);
                    return true;
                });
            }
        }
        finally
        {
            foreach (Statement statement in statements) statement.Dispose();
        }
    }

    public Task EndAsync(ModuleTables tables)
    {
        foreach (string sql in tables.SqliteEnd) Run(sql);
        return Task.CompletedTask;
    }

    public Task CommitAsync()
    {
        Run("COMMIT");
        // One file and no log, as a backup has it; the shop that opens it next brings the log back.
        Run("PRAGMA journal_mode=DELETE");
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _file.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Run(Statement statement, object?[] row)
    {
        for (int i = 0; i < statement.Parameters; i++)
        {
            _ = row[i] switch
            {
                long number => statement.Set(i + 1, number),
                bool flag => statement.Set(i + 1, flag ? 1 : 0),
                byte[] bytes => statement.Set(i + 1, bytes),
                var text => statement.Set(i + 1, (string?)text),
            };
        }

        statement.Run();
    }

    private void Run(string sql) => Try(() =>
    {
        _file.Run(sql);
        return true;
    });

    private T Try<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SqliteException exception)
        {
            throw new ShopStartException($"{_file.Path} can't be copied: {exception.Message} "
                + "A file of an older version is brought up to date by a start of this version.", exception);
        }
    }
}
