using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// The description of a backup, in <c>backup.json</c>. It is written last, so a backup that has it is complete.
/// </summary>
/// <param name="Format">Version of this format.</param>
/// <param name="ShopVersion">Version of the program that made it.</param>
/// <param name="CreatedAt">The moment at which the files were copied.</param>
/// <param name="Files">Its files.</param>
public sealed record BackupManifest(int Format, string ShopVersion, UtcTime CreatedAt, IReadOnlyList<BackupFile> Files)
{
    internal const string FileName = "backup.json";
    internal const int CurrentFormat = 1;

    /// <summary>Reads a backup's manifest.</summary>
    /// <exception cref="ShopStartException">There is none, or it is not understood.</exception>
    public static BackupManifest Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
            throw new ShopStartException($"{Path.GetFullPath(directory)} is not a backup: it has no {FileName}");
        try
        {
            BackupManifest manifest = JsonSerializer.Deserialize(File.ReadAllBytes(path),
                BackupJson.Default.BackupManifest) ?? throw new JsonException("it says nothing");
            if (manifest.Format != CurrentFormat)
                throw new ShopStartException(
                    $"{path} has format {manifest.Format}; this version of Shop reads format {CurrentFormat}");
            // A property that the JSON lacks is null here, although its type is not nullable.
            if (manifest.Files is null || manifest.Files.Any(file =>
                file is not { Name: { Length: > 0 } name, Rows: not null } || name != Path.GetFileName(name)))
                throw new ShopStartException($"{path} is damaged: its files are not named");
            return manifest;
        }
        catch (JsonException exception)
        {
            throw new ShopStartException($"{path} is damaged: {exception.Message}", exception);
        }
    }

    /// <summary>Compares a backup's files with their checksums.</summary>
    /// <exception cref="ShopStartException">A file is missing or damaged.</exception>
    public void Verify(string directory)
    {
        foreach (BackupFile file in Files)
        {
            string path = Path.Combine(directory, file.Name);
            if (!File.Exists(path)) throw new ShopStartException($"{path} is missing");
            if (new FileInfo(path).Length != file.Bytes || Checksum(path) != file.Sha256)
                throw new ShopStartException($"{path} is damaged: its checksum is not the one in {FileName}");
        }
    }

    internal static string Checksum(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    internal void Write(string directory)
    {
        string path = Path.Combine(directory, FileName);
        File.WriteAllBytes(path,
            [.. JsonSerializer.SerializeToUtf8Bytes(this, BackupJson.Default.BackupManifest), (byte)'\n']);
        Fsync.File(path);
    }
}

/// <summary>A database file of a backup.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">Its checksum, in hexadecimal digits.</param>
/// <param name="Rows">Rows of its tables.</param>
public sealed record BackupFile(string Name, long Bytes, string Sha256, IReadOnlyDictionary<string, long> Rows);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
