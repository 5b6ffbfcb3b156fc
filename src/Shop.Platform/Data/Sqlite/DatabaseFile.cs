using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// A module's database file, opened by a command-line verb: of a running shop, of a stopped shop, or in a backup. The
/// file and its log are unchanged afterwards. It is read row by row, so a check of any size takes the memory of a row.
/// </summary>
public sealed class DatabaseFile : IDisposable
{
    private const int NoCheckpointOnClose = 1006; // SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE

    private readonly bool _hadLog;

    private DatabaseFile(string path, bool hadLog, SqliteConnection connection)
    {
        Path = path;
        _hadLog = hadLog;
        Connection = connection;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its name.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The connection.</summary>
    public SqliteConnection Connection { get; }

    /// <summary>Path of a module's file in a directory.</summary>
    public static string PathOf(string directory, string module) =>
        System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), $"{module}.db");

    /// <summary>Opens the file of a module.</summary>
    /// <exception cref="ShopStartException">There is none, or it is no database.</exception>
    public static DatabaseFile Open(string directory, string module)
    {
        string path = PathOf(directory, module);
        if (!File.Exists(path)) throw new ShopStartException($"{path} is missing");
        // To read a file with a write-ahead log, SQLite writes the log's index. A backup has neither, and may be
        // read-only.
        return Open(path, HasLog(path) ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadOnly);
    }

    internal static DatabaseFile Open(string path, SqliteOpenMode mode)
    {
        bool hadLog = MarkedFile.HasLog(path);
        var address = new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false };
        var connection = new SqliteConnection(address.ToString());
        try
        {
            connection.Open();
            if (mode != SqliteOpenMode.ReadOnly)
                _ = raw.sqlite3_db_config(connection.Handle, NoCheckpointOnClose, 1, out _);
            Run(connection, "PRAGMA cache_size=-32000");
            Run(connection, "SELECT count(*) FROM sqlite_master");
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw new ShopStartException($"{path} can't be read: {exception.Message}", exception);
        }

        return new DatabaseFile(path, hadLog, connection);
    }

    /// <summary>The rows of a query, read as they are asked for.</summary>
    /// <param name="sql">A query without parameters.</param>
    /// <param name="read">Maps a row; columns are numbered from 0.</param>
    public IEnumerable<T> Rows<T>(string sql, Func<SqliteDataReader, T> read)
    {
        using SqliteCommand command = Connection.CreateCommand();
#pragma warning disable CA2100 // a constant of the caller's
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        using SqliteDataReader row = command.ExecuteReader();
        while (row.Read()) yield return read(row);
    }

    /// <summary>The number that a query answers with.</summary>
    public long Number(string sql) => Rows(sql, static row => row.GetInt64(0)).Single();

    /// <summary>Whether the file has a table with such a column. Files of older versions lack some.</summary>
    public bool Has(string table, string column)
    {
        using SqliteCommand command = Connection.CreateCommand();
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
            foreach (string error in file.Rows("PRAGMA integrity_check(20)", static row => row.GetString(0))
                .Where(error => error != "ok"))
                yield return $"{file.Name}: {error}";
            foreach (string error in file.Rows("PRAGMA foreign_key_check",
                static row => $"{row.GetString(0)} has a row whose {row.GetString(2)} is missing").Take(20))
                yield return $"{file.Name}: {error}";
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Connection.Dispose();

    internal MarkedFile Marked() => new(Name, Existed: true, _hadLog, ConsistencyMark.Of(Connection));

    internal void Run(string sql) => Run(Connection, sql);

    internal static void Run(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant of the caller's
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    // Bytes 18 and 19 of a database say how it is written and read: 2 is with a write-ahead log.
    private static bool HasLog(string path)
    {
        Span<byte> header = stackalloc byte[20];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || header[18] == 2;
    }
}
