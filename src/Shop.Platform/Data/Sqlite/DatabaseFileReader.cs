using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>Reads a <see cref="DatabaseFile"/> row by row, so that a check of any size takes the memory of one
/// row.</summary>
public static class DatabaseFileReader
{
    /// <summary>The rows of a query, read as they are asked for.</summary>
    /// <param name="file">The file.</param>
    /// <param name="sql">A query without parameters.</param>
    /// <param name="read">Maps a row; columns are numbered from 0.</param>
    public static IEnumerable<T> Rows<T>(this DatabaseFile file, string sql, Func<SqliteDataReader, T> read)
    {
        using SqliteCommand command = file.Connection.CreateCommand();
#pragma warning disable CA2100 // a constant of the caller's
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        using SqliteDataReader row = command.ExecuteReader();
        while (row.Read()) yield return read(row);
    }

    /// <summary>The number that a query answers with.</summary>
    public static long Number(this DatabaseFile file, string sql) => file.Rows(sql, static row => row.GetInt64(0))
        .Single();

    /// <summary>Whether the file has a table with such a column. Files of older versions lack some.</summary>
    public static bool Has(this DatabaseFile file, string table, string column)
    {
        using SqliteCommand command = file.Connection.CreateCommand();
        command.CommandText = "SELECT 1 FROM pragma_table_info(@table) WHERE name = @column";
        command.Parameters.AddWithValue("@table", table);
        command.Parameters.AddWithValue("@column", column);
        return command.ExecuteScalar() is not null;
    }

    /// <summary>Errors that SQLite itself finds in files, and whether the files belong together.</summary>
    public static IEnumerable<string> IntegrityErrors(IReadOnlyList<DatabaseFile> files)
    {
        if (ConsistencyMark.Difference(
            [.. files.Select(file => file.Marked())]) is { } difference) yield return difference;
        foreach (DatabaseFile file in files)
        {
            foreach (string fault in file.Rows("PRAGMA integrity_check(20)", static row => row.GetString(0))
                .Where(fault => fault != "ok"))
                yield return $"{file.Name}: {fault}";
            foreach (string fault in file.Rows("PRAGMA foreign_key_check",
                static row => $"{row.GetString(0)} has a row whose {row.GetString(2)} is missing").Take(20))
                yield return $"{file.Name}: {fault}";
        }
    }
}
