using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// Copies the database files of a running or a stopped shop, and restores such a copy. docs/backup.md is the manual.
/// </summary>
public static class Backup
{
    /// <summary>Copies all files as they are at one moment.</summary>
    /// <param name="dataDirectory">The shop's files.</param>
    /// <param name="target">The directory of the backup, new or empty. It appears complete, or not at all.</param>
    /// <param name="modules">The modules, whose files these are.</param>
    /// <param name="shopVersion">Version of the program.</param>
    /// <exception cref="ShopStartException">It can't be made; then nothing is left of it.</exception>
    public static BackupManifest Make(string dataDirectory, string target, IReadOnlyList<string> modules,
        string shopVersion)
    {
        target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
            throw new ShopStartException($"{target} exists and is not empty: name a new directory");
        string incomplete = $"{target}.incomplete-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(incomplete);
            BackupManifest manifest = Copy(dataDirectory, incomplete, modules, shopVersion);
            manifest.Write(incomplete);
            Fsync.Directory(incomplete);
            if (Directory.Exists(target)) Directory.Delete(target);
            Directory.Move(incomplete, target);
            Fsync.Directory(Path.GetDirectoryName(target)!);
            return manifest;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SqliteException)
        {
            throw new ShopStartException($"the backup {target} can't be made: {exception.Message}", exception);
        }
        finally
        {
            if (Directory.Exists(incomplete)) Directory.Delete(incomplete, recursive: true);
        }
    }

    /// <summary>Restores a backup.</summary>
    /// <param name="source">The backup.</param>
    /// <param name="dataDirectory">The data directory, new or empty.</param>
    /// <exception cref="ShopStartException">The backup is not complete, or the directory is not empty.</exception>
    public static BackupManifest Restore(string source, string dataDirectory)
    {
        BackupManifest manifest = BackupManifest.Read(source);
        manifest.Verify(source);
        using var directory = DataDirectory.TakeEmpty(dataDirectory);
        try
        {
            foreach (BackupFile file in manifest.Files)
            {
                string copy = Path.Combine(directory.Path, $"{file.Name}.restoring");
                // Not File.Copy: a backup may be read-only, its copy may not.
                using (FileStream from = File.OpenRead(Path.Combine(source, file.Name)))
                using (var to = new FileStream(copy, FileMode.CreateNew)) from.CopyTo(to);
                if (BackupManifest.Checksum(copy) != file.Sha256)
                    throw new IOException($"{file.Name} was not copied correctly");
                Fsync.File(copy);
            }

            foreach (BackupFile file in manifest.Files)
                File.Move(Path.Combine(directory.Path, $"{file.Name}.restoring"),
                    Path.Combine(directory.Path, file.Name));
            Fsync.Directory(directory.Path);
            return manifest;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ShopStartException($"{Path.GetFullPath(source)} can't be restored: {exception.Message}",
                exception);
        }
    }

    /// <summary>Accepts files that disagree, as they are.</summary>
    /// <exception cref="ShopStartException">A file can't be used, or a shop has them open.</exception>
    public static void Accept(string dataDirectory, IReadOnlyList<string> modules)
    {
        using var directory = DataDirectory.Take(dataDirectory);
        var mark = ConsistencyMark.OfAccepted(DateTime.UtcNow.ToMilliseconds());
        foreach (string module in modules)
        {
            using DatabaseFile file = DatabaseFile.Open(DatabaseFile.PathOf(directory.Path, module),
                SqliteOpenMode.ReadWriteCreate);
            mark.Write(file.Connection);
        }
    }

    /// <summary>Marks new files as belonging together, and moves them to a data directory.</summary>
    internal static void Install(string folder, string dataDirectory, IReadOnlyList<string> modules)
    {
        // Not the first mark of a shop: a start would make a file anew that is missing beside it.
        long now = DateTime.UtcNow.ToMilliseconds();
        ConsistencyMark mark = ConsistencyMark.First(now).Next(isOpening: false, accepted: 0, now);
        foreach (string module in modules)
        {
            string path = DatabaseFile.PathOf(folder, module);
            using (DatabaseFile file = DatabaseFile.Open(path, SqliteOpenMode.ReadWrite)) mark.Write(file.Connection);
            Fsync.File(path);
        }

        foreach (string module in modules)
            File.Move(DatabaseFile.PathOf(folder, module), DatabaseFile.PathOf(dataDirectory, module));
        Fsync.Directory(dataDirectory);
    }

    private static BackupManifest Copy(string dataDirectory, string target, IReadOnlyList<string> modules,
        string shopVersion)
    {
        using var snapshot = Snapshot.Take(dataDirectory, modules);
        DateTime moment = DateTime.UtcNow;
        MarkedFile[] marked = [.. snapshot.Files.Select(file => file.Marked())];
        if (ConsistencyMark.Difference(marked) is { } difference)
            throw new ShopStartException($"the books disagree, and so would a backup of them: {difference}");
        ConsistencyMark? newest = marked.Select(file => file.Mark).OfType<ConsistencyMark>()
            .MaxBy(mark => mark.Generation);
        var files = new List<BackupFile>();
        foreach (DatabaseFile file in snapshot.Files)
        {
            string path = Path.Combine(target, file.Name);
            IReadOnlyDictionary<string, long> rows = Copy(file, path, newest);
            Fsync.File(path);
            files.Add(new BackupFile(file.Name, new FileInfo(path).Length, BackupManifest.Checksum(path), rows));
        }

        return new BackupManifest(BackupManifest.CurrentFormat, shopVersion, new UtcTime(moment.ToMilliseconds()),
            files);
    }

    private static Dictionary<string, long> Copy(DatabaseFile source, string path, ConsistencyMark? mark)
    {
        using DatabaseFile copy = DatabaseFile.Open(path, SqliteOpenMode.ReadWriteCreate);
        copy.Run("PRAGMA synchronous=OFF"); // it is flushed as a whole
        source.Connection.BackupDatabase(copy.Connection);
        // One file and no log: any tool can copy it, and it can be read from a read-only medium.
        copy.Run("PRAGMA journal_mode=DELETE");
        if (mark is not null) (mark with { IsOpening = false }).Write(copy.Connection);
        return CountRows(copy.Connection);
    }

    private static Dictionary<string, long> CountRows(SqliteConnection connection)
    {
        var rows = new Dictionary<string, long>(StringComparer.Ordinal);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        using (SqliteDataReader row = command.ExecuteReader())
        {
            while (row.Read()) rows[row.GetString(0)] = 0;
        }

        foreach (string table in rows.Keys)
        {
#pragma warning disable CA2100 // a name from the schema
            command.CommandText = string.Concat("SELECT count(*) FROM [", table, "]");
#pragma warning restore CA2100
            rows[table] = (long)command.ExecuteScalar()!;
        }

        return rows;
    }
}
