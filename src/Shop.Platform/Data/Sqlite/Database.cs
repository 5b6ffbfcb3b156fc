using System.Reflection;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Prometheus;
using Shop.Platform.Faults;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// One module's database file: SQLite in WAL mode with <c>synchronous=FULL</c>, one writer, and pooled read-only
/// connections beside it.
/// </summary>
public sealed class Database : IModuleDatabase, IDisposable
{
    /// <summary>
    /// Steps of SQLite's virtual machine after which a read checks whether it was cancelled: a fraction of a
    /// millisecond.
    /// </summary>
    private const int StepsBetweenChecks = 2000;

    private const int VacuumPagesPerWrite = 128;

    private const long Incremental = 2; // SQLite's number of auto_vacuum=INCREMENTAL

    private static readonly TimeSpan VacuumPause = TimeSpan.FromMilliseconds(20);

    private readonly string _module;
    private readonly ShopSettings _settings;
    private readonly ILogger _log;
    private readonly string _readConnection;
    private SqliteConnection? _writeConnection;
    private GroupCommitWriter? _writes;
    private IdempotencyKeys? _keys;
    private Statement? _mark, _vacuum;

    static Database()
    {
        // Before SQLite's first use: each connection stays with one thread at a time, and nobody asks for its memory
        // statistics, so neither needs a lock.
        Batteries_V2.Init();
        // This fails if something else in the process used SQLite first: then SQLite keeps its locks, which only cost
        // time.
        _ = raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        _ = raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
    }

    internal Database(string module, ShopSettings settings, ILogger log)
    {
        _module = module;
        _log = log;
        _settings = settings;
        Path = System.IO.Path.Combine(settings.DataDirectory, $"{module}.db");
        _readConnection = ConnectionString(SqliteOpenMode.ReadOnly, pooling: true);
    }

    /// <summary>Whether the file was found to be corrupt.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The file as <see cref="Open"/> found it.</summary>
    internal MarkedFile Found { get; private set; } = null!;

    /// <summary>The group commit of this database.</summary>
    public GroupCommitWriter Writes => _writes ?? throw NotOpen();

    /// <summary>The idempotency keys, with the answers that are stored for them.</summary>
    public IdempotencyKeys Keys => _keys ?? throw NotOpen();

    /// <summary>Writes that are neither on disk nor refused.</summary>
    int IModuleDatabase.UnwrittenWrites => _writes?.Unwritten ?? 0;

    string IModuleDatabase.Name => $"database file {Path}";

    Task IModuleDatabase.MaintainAsync(DateTime now) => Keys.PurgeAsync(now);

    /// <summary>Opens a read-only connection from the pool: dispose it soon.</summary>
    public SqliteConnection OpenRead()
    {
        var connection = new SqliteConnection(_readConnection);
        connection.Open();
        return connection;
    }

    /// <summary>Reads by a connection from the pool. Its statements end soon after a token is cancelled.</summary>
    /// <exception cref="StoreUnreadableException">The file can't be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public T Read<T>(Func<SqliteConnection, T> read, CancellationToken end = default)
    {
        try
        {
            using SqliteConnection connection = OpenRead();
            return end.CanBeCanceled ? ReadUntil(connection, read, end) : read(connection);
        }
        catch (SqliteException exception)
        {
            if (exception.SqliteErrorCode == raw.SQLITE_INTERRUPT) end.ThrowIfCancellationRequested();
            throw Unreadable(exception);
        }
    }

    /// <summary>
    /// Reads rows without Dapper, for starts and health checks: Dapper and its libraries take a twentieth of an idle
    /// shop's memory.
    /// </summary>
    /// <param name="sql">A query without parameters.</param>
    /// <param name="read">Maps a row; columns are numbered from 0.</param>
    /// <exception cref="StoreUnreadableException">The file can't be read.</exception>
    public IEnumerable<T> Rows<T>(string sql, Func<SqliteDataReader, T> read)
    {
        using SqliteConnection connection = Try(OpenRead);
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant of the caller's
        command.CommandText = sql;
#pragma warning restore CA2100
        using SqliteDataReader row = Try(command.ExecuteReader);
        while (Try(row.Read)) yield return read(row);
    }

    /// <summary>Creates the file if there is none, brings its schema up to date and starts the writer.</summary>
    /// <param name="migrations">The assembly whose embedded <c>Migrations/*.sql</c> make the schema.</param>
    /// <param name="metrics">Makes the database's metrics.</param>
    /// <param name="registry">The registry that they are collected with.</param>
    /// <param name="faults">Faults of commits; null if there are none.</param>
    /// <exception cref="ShopStartException">The file can't be used, or was written by a newer version.</exception>
    public void Open(
        Assembly migrations, IMetricFactory metrics, CollectorRegistry registry, CommitFaults? faults = null)
    {
        try
        {
            (bool existed, bool hadLog) = (File.Exists(Path), MarkedFile.HasLog(Path));
            _writeConnection = new SqliteConnection(ConnectionString(SqliteOpenMode.ReadWriteCreate, pooling: false));
            OpenSchema(_writeConnection, _module, migrations);
            Found = new MarkedFile(System.IO.Path.GetFileName(Path), existed, hadLog,
                ConsistencyMark.Of(_writeConnection));
            // What was just written must not be taken for the missing log.
            if (Found.LacksLog) DatabaseFile.Run(_writeConnection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        catch (SqliteException exception)
        {
            throw new ShopStartException($"The database file {Path} can't be used: {exception.Message}", exception);
        }

        var databaseMetrics = new DatabaseMetrics(metrics, _settings.WriteQueueLimit);
        _writes = new GroupCommitWriter(
            _module, _writeConnection, _settings, databaseMetrics, faults, _log, NoteDamage);
        _keys = new IdempotencyKeys(this);
        registry.AddBeforeCollectCallback(() =>
            databaseMetrics.Refresh(_writes.Depth, FileSize(Path), FileSize(Path + "-wal"), FreeBytes()));
    }

    /// <summary>Makes a module's file in a directory, without rows.</summary>
    internal static void Create(string directory, string module, Assembly migrations)
    {
        var address = new SqliteConnectionStringBuilder
        {
            DataSource = DatabaseFile.PathOf(directory, module),
            Pooling = false,
        };
        using var connection = new SqliteConnection(address.ToString());
        OpenSchema(connection, module, migrations);
    }

    /// <summary>Gives the file a new mark.</summary>
    internal Task MarkAsync(ConsistencyMark mark) => Writes.WriteAsync(() =>
    {
        mark.WriteBy(_mark ??= Writes.Prepare(ConsistencyMark.Insert));
        return WriteResult.Commit(0);
    });

    /// <summary>Checkpoints the write-ahead log into the file, as far as no reader prevents it.</summary>
    /// <exception cref="StoreUnavailableException">It can't be done.</exception>
    internal void Checkpoint()
    {
        try
        {
            using var connection = new SqliteConnection(ConnectionString(SqliteOpenMode.ReadWrite, pooling: false));
            connection.Open();
            DatabaseFile.Run(connection, "PRAGMA wal_checkpoint(PASSIVE)");
        }
        catch (SqliteException exception)
        {
            NoteDamage(exception);
            throw new StoreUnavailableException(_module, exception);
        }
    }

    /// <summary>
    /// Returns free pages to the file system, a few in each write, while more than one in ten is free. Files of old
    /// versions can't do so: they reuse their free pages, until <see cref="Compact"/>.
    /// </summary>
    public async Task ReclaimSpaceAsync(CancellationToken end)
    {
        const string Sizes = """
            SELECT auto_vacuum, freelist_count, page_count
            FROM pragma_auto_vacuum, pragma_freelist_count, pragma_page_count
            """;
        while (!end.IsCancellationRequested)
        {
            (long mode, long free, long all) = Rows(Sizes, static row =>
                (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2))).Single();
            if (mode != Incremental || free * 10 <= all) return;
            await Writes.WriteAsync(() =>
                WriteResult.Commit((_vacuum ??= Writes.Prepare($"PRAGMA incremental_vacuum({VacuumPagesPerWrite})"))
                .Run()));
            await Task.Delay(VacuumPause, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Rewrites the files of a stopped shop without free pages, and so that they can return space from then on.
    /// </summary>
    /// <exception cref="ShopStartException">A file can't be used, or a shop has them open.</exception>
    public static void Compact(string dataDirectory, IReadOnlyList<string> modules)
    {
        using var directory = DataDirectory.Take(dataDirectory);
        foreach (string module in modules)
        {
            using DatabaseFile file =
                DatabaseFile.Open(DatabaseFile.PathOf(directory.Path, module), SqliteOpenMode.ReadWrite);
            try
            {
                file.Run("PRAGMA temp_store=MEMORY");
                file.Run("PRAGMA auto_vacuum=INCREMENTAL");
                file.Run("VACUUM");
                file.Run("PRAGMA wal_checkpoint(TRUNCATE)");
            }
            catch (SqliteException exception)
            {
                throw new ShopStartException($"{file.Path} can't be written anew: {exception.Message}", exception);
            }
        }
    }

    /// <summary>Creates a database in memory as <see cref="Open"/> does in a file.</summary>
    internal static void Prewarm(Assembly migrations)
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        Configure(connection);
        Migrations.Apply("warmup", connection, migrations);
    }

    /// <summary>Notes that the file is damaged, if an error says so: it does not repair itself.</summary>
    internal void NoteDamage(SqliteException exception) =>
        IsDamaged |= exception.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    /// <summary>The exception for readers in place of SQLite's own, which does not name the module.</summary>
    public StoreUnreadableException Unreadable(SqliteException exception)
    {
        NoteDamage(exception);
        return new StoreUnreadableException(_module, exception);
    }

    /// <summary>Finishes the writes that wait, moves the WAL into the file and closes it.</summary>
    public void Dispose()
    {
        if (_writeConnection is null) return;
        _writes?.Stop();
        using (SqliteConnection readers = new(_readConnection)) SqliteConnection.ClearPool(readers);
        try
        {
            DatabaseFile.Run(_writeConnection, "PRAGMA busy_timeout=500"); // another program may be reading
            DatabaseFile.Run(_writeConnection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        catch (SqliteException exception)
        {
            _log.LogWarning("The WAL of {Path} could not be moved into it: {Error} The next start reads it there.",
                Path, exception.Message);
        }

        _writeConnection.Dispose();
        _writeConnection = null;
    }

    private static T ReadUntil<T>(SqliteConnection connection, Func<SqliteConnection, T> read, CancellationToken end)
    {
        raw.sqlite3_progress_handler(connection.Handle, StepsBetweenChecks,
            static end => ((CancellationToken)end).IsCancellationRequested ? 1 : 0, end);
        try
        {
            return read(connection);
        }
        finally
        {
            // The connection goes back to the pool.
            raw.sqlite3_progress_handler(connection.Handle, 0, null, null);
        }
    }

    private T Try<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (SqliteException exception)
        {
            throw Unreadable(exception);
        }
    }

    private InvalidOperationException NotOpen() => new(
        $"The database of {_module} is not open: what needs it must not be resolved before the module starts.");

    private static void OpenSchema(SqliteConnection connection, string module, Assembly migrations)
    {
        connection.Open();
        Configure(connection);
        Migrations.Apply(module, connection, migrations);
        DatabaseFile.Run(
            connection, "CREATE TABLE IF NOT EXISTS health_probe (id INTEGER PRIMARY KEY, probe INTEGER NOT NULL)");
        DatabaseFile.Run(connection, IdempotencyKeys.Schema);
        ConsistencyMark.CreateTable(connection);
    }

    private static void Configure(SqliteConnection connection)
    {
        // Most writes change single rows, and each changed page is written to the WAL in full. An existing file keeps
        // its page size.
        DatabaseFile.Run(connection, "PRAGMA page_size=2048");
        DatabaseFile.Run(connection, "PRAGMA auto_vacuum=INCREMENTAL");
        DatabaseFile.Run(connection, "PRAGMA journal_mode=WAL");
        DatabaseFile.Run(connection, "PRAGMA wal_autocheckpoint=2000"); // 4 MB
        DatabaseFile.Run(connection, "PRAGMA synchronous=FULL");
        DatabaseFile.Run(connection, "PRAGMA foreign_keys=ON");
        DatabaseFile.Run(connection, "PRAGMA busy_timeout=5000");
        DatabaseFile.Run(connection, "PRAGMA cache_size=-8000");
        DatabaseFile.Run(connection, "PRAGMA temp_store=MEMORY"); // the root file system may be read-only
    }

    private static long FileSize(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? file.Length : 0;
    }

    private long FreeBytes()
    {
        try
        {
            return Rows("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size", static row =>
                row.GetInt64(0)).Single();
        }
        catch (StoreUnreadableException)
        {
            return 0; // the scrape still shows the other metrics
        }
    }

    private string ConnectionString(SqliteOpenMode mode, bool pooling) => new SqliteConnectionStringBuilder
    {
        DataSource = Path,
        Mode = mode,
        Pooling = pooling,
        DefaultTimeout = 5,
    }.ToString();
}
