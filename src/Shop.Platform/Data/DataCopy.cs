using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;

namespace Shop.Platform.Data;

/// <summary>
/// Copies all that a stopped shop has from files to PostgreSQL, or back, row by row. Afterwards the copy is read, and
/// has to be the same; only then is it kept.
/// </summary>
/// <param name="settings">The shop's settings: its data directory, and its connections.</param>
/// <param name="modules">Its modules.</param>
/// <param name="log">Gets a line while it waits for a server.</param>
/// <param name="report">Reports the progress, line by line.</param>
public sealed class DataCopy(
    ShopSettings settings, IReadOnlyList<IShopModule> modules, ILogger log, Action<string> report)
{
    /// <summary>Folder of the target's files until they are complete.</summary>
    private const string Incomplete = "copy.incomplete";

    private static readonly TimeSpan ProgressPeriod = TimeSpan.FromSeconds(2);

    /// <summary>Copies from the data directory to PostgreSQL.</summary>
    /// <param name="differences">Compares the books in a directory.</param>
    /// <exception cref="ShopStartException">It can't be done: then PostgreSQL has no rows of it.</exception>
    public async Task ToPostgresAsync(Func<string, IEnumerable<string>> differences)
    {
        if (!Directory.Exists(settings.DataDirectory))
            throw new ShopStartException($"{Path.GetFullPath(settings.DataDirectory)} does not exist");
        using var directory = DataDirectory.Take(settings.DataDirectory);
        Compare(directory.Path, differences);
        var schemas = new List<PostgresRows>();
        try
        {
            foreach (IShopModule module in modules) schemas.Add(await OpenAsync(module));
            for (int i = 0; i < modules.Count; i++)
            {
                IShopModule module = modules[i];
                await schemas[i].BeginWriteAsync(module.Tables, module.GetType().Assembly);
                await using var file = SqliteRows.Open(directory.Path, module.Identity.Name);
                await CopyAsync(module, file, schemas[i]);
            }

            await CommitAsync(schemas);
        }
        finally
        {
            foreach (PostgresRows schema in schemas) await schema.DisposeAsync();
        }
    }

    /// <summary>Copies from PostgreSQL to the data directory.</summary>
    /// <param name="differences">Compares the books in a directory.</param>
    /// <exception cref="ShopStartException">It can't be done: then the directory has no files of it.</exception>
    public async Task ToFilesAsync(Func<string, IEnumerable<string>> differences)
    {
        using var directory = DataDirectory.TakeEmpty(settings.DataDirectory);
        string folder = Path.Combine(directory.Path, Incomplete);
        try
        {
            Directory.CreateDirectory(folder);
            foreach (IShopModule module in modules)
            {
                await using PostgresRows schema = await OpenAsync(module);
                await schema.BeginReadAsync();
                await using var file =
                    SqliteRows.Create(folder, module.Identity.Name, module.GetType().Assembly);
                await CopyAsync(module, schema, file);
                await file.CommitAsync();
            }

            Compare(folder, differences);
            Backup.Install(folder, directory.Path, [.. modules.Select(static module => module.Identity.Name)]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ShopStartException($"{directory.Path} can't be written: {exception.Message}", exception);
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    private Task<PostgresRows> OpenAsync(IShopModule module) =>
        PostgresRows.OpenAsync(new PostgresDatabase(module.Identity.Name, settings, log, TimeProvider.System));

    private async Task CopyAsync(IShopModule module, IModuleRows source, IModuleRows target)
    {
        var sums = new Dictionary<CopiedTable, RowSum>();
        foreach (CopiedTable table in module.Tables.All)
        {
            RowSum sum = sums[table] = new RowSum();
            await target.WriteAsync(table, Summed(source.ReadAsync(table), sum, $"copied to {table.Name}"));
            report($"{module.Identity.Name}: {sum.Rows:N0} rows of {table.Name}");
        }

        await target.EndAsync(module.Tables);
        foreach ((CopiedTable table, RowSum sum) in sums)
        {
            var copied = new RowSum();
            await foreach (object?[] _ in Summed(target.ReadAsync(table), copied, $"of {table.Name} compared"))
            {
                // Each row is summed up as it is read.
            }

            if (copied.IsSame(sum)) continue;
            throw new ShopStartException($"{table.Name} of {module.Identity.Name} is not the same in the copy: "
                + $"{sum.Rows} rows were read and {copied.Rows} are there, or have other values. Nothing is kept");
        }

        report($"{module.Identity.Name}: the copy has the same {sums.Values.Sum(static sum => sum.Rows):N0} rows");
    }

    private async IAsyncEnumerable<object?[]> Summed(IAsyncEnumerable<object?[]> rows, RowSum sum, string what)
    {
        long reportedAt = Stopwatch.GetTimestamp();
        await foreach (object?[] row in rows)
        {
            sum.Add(row);
            yield return row;
            if (sum.Rows % 1000 != 0 || Stopwatch.GetElapsedTime(reportedAt) < ProgressPeriod) continue;
            reportedAt = Stopwatch.GetTimestamp();
            report($"  {sum.Rows:N0} rows {what} so far");
        }
    }

    // A transaction for each module: they may be in different databases.
    private async Task CommitAsync(List<PostgresRows> schemas)
    {
        for (int i = 0; i < schemas.Count; i++)
        {
            try
            {
                await schemas[i].CommitAsync();
            }
            catch (ShopStartException exception)
            {
                string kept = string.Join(", ", modules.Take(i + 1).Select(static module => module.Identity.Name));
                throw new ShopStartException(
                    $"{exception.Message}. Look for rows in the schemas {kept}, and drop these before the next try",
                    exception);
            }
        }
    }

    private void Compare(string directory, Func<string, IEnumerable<string>> differences)
    {
        if (differences(directory).FirstOrDefault() is { } first)
            throw new ShopStartException($"the books of the files differ, so nothing is copied: {first}");
        report("the books of the files agree");
    }
}
