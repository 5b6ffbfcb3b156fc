using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Prometheus;
using Shop.Platform.Data.Sqlite;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>A real database file with a table of notes, its writer, and its metrics.</summary>
internal sealed class DatabaseUnderTest : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();

    public DatabaseUnderTest(int queueLimit = 4096, int requestTimeout = 10)
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(
            [new("Shop:DataDirectory", _directory), new("Shop:WriteQueueLimit", $"{queueLimit}"),
                new("Shop:RequestTimeout", $"{requestTimeout}")]).Build();
        Settings = ShopSettings.Read(configuration, []);
        Database = new Database("notes", Settings, NullLogger.Instance);
        Database.Open(typeof(DatabaseUnderTest).Assembly, Metrics.WithCustomRegistry(_registry), _registry);
        Insert = Database.Writes.Prepare("INSERT INTO notes (text) VALUES (?1)");
    }

    public ShopSettings Settings { get; }

    public Database Database { get; }

    public Statement Insert { get; }

    public GroupCommitWriter Writes => Database.Writes;

    /// <summary>What stands in the table, read by a connection that sees committed rows alone.</summary>
    public string[] Notes()
    {
        using SqliteConnection connection = Database.OpenRead();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT text FROM notes ORDER BY id";
        using SqliteDataReader reader = command.ExecuteReader();
        var notes = new List<string>();
        while (reader.Read()) notes.Add(reader.GetString(0));
        return [.. notes];
    }

    public Task<string> WriteAsync(string note, Action<string>? committed = null) => Writes.WriteAsync(() =>
    {
        Insert.Set(1, note).Run();
        return WriteResult.Commit(note);
    }, committed);

    /// <inheritdoc cref="HeldWriter.HoldAsync"/>
    public Task<(ManualResetEventSlim Release, Task Held)> HoldWriterAsync() => Writes.HoldAsync();

    public async Task<double> MetricAsync(string series)
    {
        using var stream = new MemoryStream();
        await _registry.CollectAndExportAsTextAsync(stream);
        string line = System.Text.Encoding.UTF8.GetString(stream.ToArray()).Split('\n')
            .Single(line => line.StartsWith(series + " ", StringComparison.Ordinal));
        return double.Parse(line[(series.Length + 1)..]);
    }

    /// <summary>Whether the commit path syncs: SQLite's own answer.</summary>
    public long Pragma(string name)
    {
        Task<long> read =
            Writes.WriteAsync(() => WriteResult.Commit(Writes.Prepare($"PRAGMA {name}").First(row => row.Number(0))));
        return read.GetAwaiter().GetResult();
    }

    /// <summary>Another program's lock, in whose time every batch fails at once.</summary>
    public SqliteConnection LockByAnother()
    {
        Pragma("busy_timeout=0");
        var other = new SqliteConnection($"Data Source={Database.Path};Pooling=false");
        other.Open();
        other.BeginTransaction(deferred: false);
        return other;
    }

    public void Dispose()
    {
        Database.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
