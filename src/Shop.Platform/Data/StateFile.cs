using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Data;

/// <summary>
/// A small file beside the database files. It has the content of the last write, or does not exist, also after a power
/// cut.
/// </summary>
/// <param name="directory">Its directory, which is made if there is none.</param>
/// <param name="name">Its name.</param>
public sealed class StateFile(string directory, string name)
{
    private readonly string _path = Path.Combine(Path.GetFullPath(directory), name);

    /// <summary>Reads it.</summary>
    /// <returns>Null if there is none.</returns>
    public byte[]? Read() => File.Exists(_path) ? File.ReadAllBytes(_path) : null;

    /// <summary>Replaces its content.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        string folder = Path.GetDirectoryName(_path)!, next = $"{_path}.next";
        Directory.CreateDirectory(folder);
        using (var file = new FileStream(next, FileMode.Create, FileAccess.Write))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(next, _path, overwrite: true);
        Fsync.Directory(folder);
    }

    /// <summary>Deletes it, if it is there.</summary>
    public void Delete()
    {
        if (!File.Exists(_path)) return;
        File.Delete(_path);
        Fsync.Directory(Path.GetDirectoryName(_path)!);
    }
}
