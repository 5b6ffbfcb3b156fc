using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Testing;

/// <summary>A module's context on real files of its own, with its database open.</summary>
internal sealed class ModuleFiles : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("shop-test-").FullName;

    public ModuleFiles(IShopModule module, Action<string>? prepare = null)
    {
        prepare?.Invoke(_directory);
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Shop:DataDirectory", _directory)]).Build();
        Context = new ModuleContext(module.Identity, ShopSettings.Read(configuration, [module.Identity]), TimeProvider.System, NullLoggerFactory.Instance);
        Assembly assembly = module.GetType().Assembly;
        Context.Database.Open(assembly, Context.Metrics, Context.Registry);
    }

    public ModuleContext Context { get; }

    public async Task<IReadOnlyDictionary<string, double>> MetricsAsync()
    {
        using var stream = new MemoryStream();
        await Context.Registry.CollectAndExportAsTextAsync(stream);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()).Split('\n').Where(line => line.Length > 0 && line[0] != '#')
            .ToDictionary(line => line[..line.LastIndexOf(' ')], line => double.Parse(line[line.LastIndexOf(' ')..]), StringComparer.Ordinal);
    }

    public void Dispose()
    {
        Context.Database.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
