using System.Reflection;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Testing;

/// <summary>A module's context on real files of its own, with its database open.</summary>
internal sealed class ModuleFiles : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("shop-test-").FullName;

    public ModuleFiles(
        IShopModule module, Action<string>? prepare = null, TimeProvider? clock = null, ILoggerFactory? log = null,
        params KeyValuePair<string, string?>[] settings)
    {
        prepare?.Invoke(_directory);
        IConfiguration configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("Shop:DataDirectory", _directory), .. settings]).Build();
        Context = new ModuleContext(module.Identity, ShopSettings.Read(configuration, [module.Identity]),
            clock ?? TimeProvider.System, log ?? NullLoggerFactory.Instance);
        Assembly assembly = module.GetType().Assembly;
        Context.Database.Open(assembly, Context.Metrics, Context.Registry);
    }

    public ModuleContext Context { get; }

    /// <summary>
    /// Writes a database file as a version before left it: with these migrations alone, and these rows.
    /// </summary>
    public static void WriteOlder(string directory, IShopModule module, IEnumerable<string> migrations, string rows)
    {
        using var connection =
            new SqliteConnection($"Data Source={Path.Combine(directory, $"{module.Identity.Name}.db")};Pooling=False");
        connection.Open();
        connection.Execute("CREATE TABLE SchemaVersions (SchemaVersionID INTEGER PRIMARY KEY AUTOINCREMENT NOT "
            + "NULL, ScriptName TEXT NOT NULL, Applied DATETIME NOT NULL)");
        Assembly assembly = module.GetType().Assembly;
        foreach (string resource in migrations.Select(name => $"{assembly.GetName().Name}.Migrations.{name}"))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            connection.Execute(reader.ReadToEnd());
            connection.Execute(
                "INSERT INTO SchemaVersions (ScriptName, Applied) VALUES (@resource, '2026-01-01')", new { resource });
        }

        connection.Execute(rows);
    }

    public async Task<IReadOnlyDictionary<string, double>> MetricsAsync()
    {
        using var stream = new MemoryStream();
        await Context.Registry.CollectAndExportAsTextAsync(stream);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()).Split('\n')
            .Where(line => line.Length > 0 && line[0] != '#')
            .ToDictionary(line => line[..line.LastIndexOf(' ')],
                line => double.Parse(line[line.LastIndexOf(' ')..]), StringComparer.Ordinal);
    }

    public void Dispose()
    {
        Context.Database.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
