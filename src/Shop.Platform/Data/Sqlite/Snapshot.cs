using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// All database files as they are at one moment, read while a shop may write to them. The writers of all files are
/// blocked for some milliseconds, while a read transaction begins on each file; from then on each reader sees its file
/// as it was at that moment, and no writer waits. A kill at that moment would leave the same state.
/// </summary>
/// <remarks>No writer of the shop waits for another database while it holds its own, so holding all of them can't end
/// in a deadlock.</remarks>
internal sealed class Snapshot : IDisposable
{
    /// <summary>
    /// How long writers are blocked at most, before they are released for another try: far less than a write may wait,
    /// so no client notices.
    /// </summary>
    private static readonly TimeSpan MaxHold = TimeSpan.FromMilliseconds(250);

    /// <summary>The time between two tries, in which the shop's writers catch up.</summary>
    private static readonly TimeSpan RetryDelay = MaxHold;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private Snapshot(IReadOnlyList<DatabaseFile> files) => Files = files;

    /// <summary>The files, each in a transaction that has begun to read.</summary>
    public IReadOnlyList<DatabaseFile> Files { get; }

    /// <summary>Takes the snapshot.</summary>
    /// <exception cref="ShopStartException">A file is missing or can't be used, or its writer could not be
    /// blocked.</exception>
    public static Snapshot Take(string directory, IReadOnlyList<string> modules)
    {
        DatabaseFile[] writers = [], readers = [];
        try
        {
            writers = OpenAll(directory, modules);
            readers = OpenAll(directory, modules);
            foreach (DatabaseFile writer in writers) writer.Run("PRAGMA busy_timeout=0");
            long start = Stopwatch.GetTimestamp();
            while (!TryHold(writers))
            {
                if (Stopwatch.GetElapsedTime(start) > Patience)
                    throw new ShopStartException($"the databases in {directory} are too busy: "
                        + $"in {Patience.TotalSeconds:0} seconds there was no moment to begin");
                Thread.Sleep(RetryDelay);
            }

            foreach (DatabaseFile reader in readers)
            {
                reader.Run("BEGIN");
                reader.Run("SELECT 1 FROM sqlite_master");
            }

            return new Snapshot(readers);
        }
        catch (Exception exception)
        {
            foreach (DatabaseFile reader in readers) reader.Dispose();
            if (exception is SqliteException)
                throw new ShopStartException($"the databases in {directory} can't be read: {exception.Message}",
                    exception);
            throw;
        }
        finally
        {
            foreach (DatabaseFile writer in writers) writer.Dispose(); // which ends its transaction
        }
    }

    public void Dispose()
    {
        foreach (DatabaseFile file in Files) file.Dispose();
    }

    private static DatabaseFile[] OpenAll(string directory, IReadOnlyList<string> modules)
    {
        var files = new List<DatabaseFile>();
        try
        {
            foreach (string module in modules)
            {
                string path = DatabaseFile.PathOf(directory, module);
                if (!File.Exists(path)) throw new ShopStartException($"{path} is missing");
                files.Add(DatabaseFile.Open(path, SqliteOpenMode.ReadWrite));
            }

            return [.. files];
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    // The first lock is awaited while no other is held. SQLite's busy handler sleeps longer and longer, and would miss
    // the gap between two commits of a busy writer.
    private static bool TryHold(DatabaseFile[] writers)
    {
        long holdsSince = 0;
        for (int i = 0; i < writers.Length; i++)
        {
            long start = i == 0 ? Stopwatch.GetTimestamp() : holdsSince;
            TimeSpan longest = i == 0 ? Patience : MaxHold;
            while (true)
            {
                int code = raw.sqlite3_exec(writers[i].Connection.Handle, "BEGIN IMMEDIATE");
                if (code == raw.SQLITE_OK) break;
                if (code != raw.SQLITE_BUSY) throw SqliteError.Of(code, writers[i].Connection.Handle!);
                if (Stopwatch.GetElapsedTime(start) > longest)
                {
                    for (int held = 0; held < i; held++) writers[held].Run("ROLLBACK");
                    return false;
                }

                Thread.Yield();
            }

            if (i == 0) holdsSince = Stopwatch.GetTimestamp();
        }

        return true;
    }
}
