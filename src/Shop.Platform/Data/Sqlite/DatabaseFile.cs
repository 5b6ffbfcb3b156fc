using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// A module's database file, opened by a command-line verb: of a running shop, of a stopped shop, or in a backup. The
/// file and its log are unchanged afterwards.
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
