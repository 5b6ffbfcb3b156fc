using BenchmarkDotNet.Attributes;
using Prometheus;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;

namespace Shop.Benchmarks.Micro;

/// <summary>Writes of one row, so many at once, each waiting for the disk: time and bytes are for one write.</summary>
[Config(typeof(ShortRun))]
public class GroupCommit : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("shop-bench-").FullName;
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();
    private Database _database = null!;
    private Statement _insert = null!;
    private long _written; // each note is another; the writer's thread alone counts

    [Params(1, 1024)]
    public int BatchLimit { get; set; }

    [GlobalSetup]
    public void Open()
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(
            [new("Shop:DataDirectory", _directory), new("Shop:WriteBatchLimit", $"{BatchLimit}")]).Build();
        _database = new Database("notes", ShopSettings.Read(configuration, []),
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        _database.Open(typeof(GroupCommit).Assembly, Metrics.WithCustomRegistry(_registry), _registry);
        _insert = _database.Writes.Prepare("INSERT INTO notes (text) VALUES (?1)");
    }

    [Benchmark(OperationsPerInvoke = 256)]
    public Task Write256AtOnce() => Task.WhenAll(Enumerable.Range(0, 256).Select(
        _ => _database.Writes.WriteAsync(() => WriteResult.Commit(_insert.Set(1, $"note {_written++}").Run()))));

    [GlobalCleanup]
    public void Dispose()
    {
        _database.Dispose();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }
}
