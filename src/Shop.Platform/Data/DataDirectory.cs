namespace Shop.Platform.Data;

/// <summary>
/// The directory of the database files, held by one process: a second shop on the same files would
/// sell the same stock twice. The lock goes with the process, however that ends.
/// </summary>
public sealed class DataDirectory : IDisposable
{
    // Names that an empty data directory may hold.
    private static readonly string[] Neutral = ["shop.lock", "lost+found"];

    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream @lock)
    {
        Path = path;
        _lock = @lock;
    }

    /// <summary>The directory's full path.</summary>
    public string Path { get; }

    /// <summary>Creates the directory if there is none, and locks it.</summary>
    /// <exception cref="ShopStartException">It can't be written, or another process has it.</exception>
    public static DataDirectory Take(string directory)
    {
        string path = System.IO.Path.GetFullPath(directory);
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ShopStartException($"Shop:DataDirectory {path} can't be created: {exception.Message}", exception);
        }

        string file = System.IO.Path.Combine(path, "shop.lock");
        try
        {
            return new DataDirectory(path,
                new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new ShopStartException($"Shop:DataDirectory {path} can't be written: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            string why = File.Exists(file) ? "is in use by another shop, or can't be written" : "can't be written";
            throw new ShopStartException($"Shop:DataDirectory {path} {why}: {exception.Message}", exception);
        }
    }

    /// <summary>Takes a directory in which there is nothing yet.</summary>
    /// <exception cref="ShopStartException">There is something, or it can't be taken.</exception>
    public static DataDirectory TakeEmpty(string directory)
    {
        DataDirectory taken = Take(directory);
        if (Directory.EnumerateFileSystemEntries(taken.Path).Select(System.IO.Path.GetFileName)
            .FirstOrDefault(name => !Neutral.Contains(name)) is not { } first) return taken;
        taken.Dispose();
        throw new ShopStartException(
            $"Shop:DataDirectory {taken.Path} is not empty: it has {first}. Move its contents away first");
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();
}
