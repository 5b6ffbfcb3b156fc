using Microsoft.Data.Sqlite;

namespace Shop.Testing;

/// <summary>A database that another program has locked for writing, until this is disposed of.</summary>
internal sealed class StuckDatabase : IDisposable
{
    private readonly SqliteConnection _other;
    private readonly SqliteTransaction _lock;

    private StuckDatabase(string path)
    {
        _other = new SqliteConnection($"Data Source={path};Pooling=false");
        _other.Open();
        _lock = _other.BeginTransaction(deferred: false);
    }

    /// <summary>That of the orders service.</summary>
    public static StuckDatabase OfOrders(string dataDirectory) => new(Path.Combine(dataDirectory, "orders.db"));

    public void Dispose()
    {
        _lock.Dispose();
        _other.Dispose();
    }
}
