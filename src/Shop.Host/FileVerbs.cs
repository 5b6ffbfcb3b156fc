using Shop.Inventory.Contracts;
using Shop.Orders;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Products;

namespace Shop.Host;

/// <summary>
/// The verbs for database files: <c>backup</c>, <c>restore</c>, <c>check</c>, <c>accept</c> and <c>compact</c>.
/// docs/backup.md is their manual.
/// </summary>
internal static class FileVerbs
{
    private const int MaxNamed = 1000;

    private static string[] Modules => [.. ShopHost.Modules().Select(module => module.Identity.Name)];

    public static int MakeBackup(string[] args)
    {
        (string target, ShopSettings settings) = DirectoryAnd(args, "backup");
        BackupManifest manifest = Backup.Make(settings.DataDirectory, target, Modules,
            BuildInfo.Of(typeof(FileVerbs).Assembly).Version);
        Console.WriteLine(
            $"Backed up {Path.GetFullPath(settings.DataDirectory)} to {Path.GetFullPath(target)}: "
            + $"{Summary(manifest)}.");
        return 0;
    }

    public static int RestoreBackup(string[] args)
    {
        (string source, ShopSettings settings) = DirectoryAnd(args, "restore");
        BackupManifest manifest = Backup.Restore(source, settings.DataDirectory);
        Console.WriteLine(
            $"Restored {Path.GetFullPath(source)} into {Path.GetFullPath(settings.DataDirectory)}: "
            + $"{Summary(manifest)}.");
        return 0;
    }

    public static int CheckBooks(string[] args)
    {
        bool isBackup = args.Length > 0 && !args[0].StartsWith('-');
        ShopSettings settings = FilesOf(isBackup ? args[1..] : args);
        string directory = Path.GetFullPath(isBackup ? args[0] : settings.DataDirectory);
        if (isBackup) BackupManifest.Read(directory).Verify(directory);
        else if (!Directory.Exists(directory))
            throw new ShopStartException($"Shop:DataDirectory {directory} does not exist");
        // No shop may change what is being compared.
        using DataDirectory? own = isBackup ? null : DataDirectory.Take(directory);
        long differences = 0;
        foreach (string difference in Differences(directory))
        {
            if (++differences <= MaxNamed) Console.WriteLine($"differs: {difference}");
        }

        if (differences > MaxNamed) Console.WriteLine($"differs: {differences - MaxNamed} more");
        Console.WriteLine(differences == 0
            ? $"The books in {directory} agree."
            : $"The books in {directory} differ in {differences} places.");
        return differences == 0 ? 0 : 1;
    }

    public static int AcceptFiles(string[] args)
    {
        ShopSettings settings = FilesOf(args);
        Backup.Accept(settings.DataDirectory, Modules);
        Console.WriteLine(
            $"The files in {Path.GetFullPath(settings.DataDirectory)} are accepted as they are from the next "
            + "start on. Their differences stay.");
        return 0;
    }

    public static int CompactFiles(string[] args)
    {
        ShopSettings settings = FilesOf(args);
        Database.Compact(settings.DataDirectory, Modules);
        Console.WriteLine($"The files in {Path.GetFullPath(settings.DataDirectory)} have no free space, "
            + "and give back what becomes free from now on.");
        return 0;
    }

    /// <summary>What differs in the books of a directory, in words.</summary>
    internal static IEnumerable<string> Differences(string directory)
    {
        using DatabaseFile inventory = DatabaseFile.Open(directory, "inventory"),
            products = DatabaseFile.Open(directory, "products"), orders = DatabaseFile.Open(directory, "orders");
        var stock = new StockConsistency(inventory);
        IEnumerable<string> all = DatabaseFile.IntegrityErrors([inventory, products, orders])
            .Concat(stock.Differences()).Concat(ProductsModule.Differences(products, stock))
            .Concat(OrdersModule.Differences(orders, stock));
        foreach (string difference in all) yield return difference;
    }

    private static string Summary(BackupManifest manifest)
    {
        var rows = manifest.Files.SelectMany(file => file.Rows).GroupBy(table => table.Key, StringComparer.Ordinal)
            .ToDictionary(table => table.Key, table => table.Sum(each => each.Value), StringComparer.Ordinal);
        return $"{rows.GetValueOrDefault("orders")} orders, {rows.GetValueOrDefault("movements")} movements, "
            + $"{rows.GetValueOrDefault("products")} products, {manifest.Files.Sum(file => file.Bytes) / 1e6:0.0} MB, "
            + $"of {Timestamp.FromMilliseconds(manifest.CreatedAt.Milliseconds):yyyy-MM-ddTHH:mm:ssZ}";
    }

    private static (string Directory, ShopSettings Settings) DirectoryAnd(string[] args, string verb) =>
        args is [var directory, .. var settings] && !directory.StartsWith('-')
        ? (directory, FilesOf(settings))
        : throw new ShopStartException($"name the directory: Shop.Host {verb} DIR");

    /// <summary>The settings of a shop that keeps its data in files.</summary>
    private static ShopSettings FilesOf(string[] args)
    {
        ShopSettings settings = ShopHost.SettingsOf(args);
        if (settings.Connections is not { } connections) return settings;
        throw new ShopStartException($"this verb is for database files, but {connections.First().Value.Key} says that "
            + "the data is in PostgreSQL: use PostgreSQL's own programs, as pg_dump and pg_restore");
    }
}
