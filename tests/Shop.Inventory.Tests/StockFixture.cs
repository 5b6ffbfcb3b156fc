using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;
using Shop.Testing;

namespace Shop.Inventory.Tests;

/// <summary>The module's stock on files of its own, without a host.</summary>
internal abstract class StockFixture
{
    private InventoryMetrics _metrics = null!;

    protected ModuleFiles Files { get; private set; } = null!;

    protected SqliteStockStore Store { get; private set; } = null!;

    protected Reservations Reservations { get; private set; } = null!;

    protected GroupCommitWriter Writes => Files.Context.Database.Writes;

    [SetUp]
    public void Open()
    {
        Files = new ModuleFiles(new InventoryModule());
        Store = new SqliteStockStore(Files.Context);
        _metrics = new InventoryMetrics(Store, Files.Context);
        Reservations = new Reservations(Store, _metrics);
    }

    [TearDown]
    public void Close() => Files.Dispose();

    /// <summary>No order exists.</summary>
    protected static ValueTask<IReadOnlySet<string>> NoneExists(IReadOnlyCollection<string> orders) =>
        ValueTask.FromResult<IReadOnlySet<string>>(new HashSet<string>());

    /// <summary>Reads the stock from the files anew, as a start does, between two commits.</summary>
    protected void Restart()
    {
        Store = Writes.WriteAsync(() => WriteResult.Commit(new SqliteStockStore(Files.Context))).Result;
        Reservations = new Reservations(Store, _metrics);
    }
}
