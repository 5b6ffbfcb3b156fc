using Microsoft.Extensions.Logging;
using Npgsql;
using Shop.Platform.Data;
using Shop.Platform.Data.Postgres;

namespace Shop.Products.Storage.Postgres;

/// <summary>
/// Keeps the catalogue of this host in step with the database. Changed products are read again, one read after the
/// other, so the catalogue never goes back to an earlier version of a product.
/// </summary>
internal sealed class CatalogueFeed(PostgresDatabase database, Catalogue catalogue, ILogger log) : IAsyncDisposable
{
    private const string Select = """
        SELECT id, name, description, price_cents, category, version, created_at, updated_at, deleted_at IS NULL
        FROM products
        """;

    /// <summary>Products that are read at once, because all may need more memory than there is.</summary>
    private const int ProductsAtOnce = 1000;

    private readonly PostgresChanges _changes = new(database, log);
    private readonly SemaphoreSlim _reading = new(1, 1);

    /// <summary>Reads all products into the catalogue, and from then on every change.</summary>
    public async Task StartAsync()
    {
        // The feed begins first: what is committed while the products are read comes twice.
        await _changes.BeginAsync();
        await ReadAllAsync();
        _changes.Follow(ReadAsync, missed: ReadAllAsync);
    }

    /// <summary>Adds to the transaction of a change that other hosts are to read these products.</summary>
    public void AddChange(PostgresTransaction transaction, params string[] ids)
    {
        PostgresChanges.AddChange(transaction, ids);
        _changes.AddNotification(transaction);
    }

    /// <summary>Reads products into the catalogue as they are now.</summary>
    /// <exception cref="StoreUnreadableException">The database can't be read.</exception>
    public async Task ReadAsync(string[] ids)
    {
        await _reading.WaitAsync();
        try
        {
            Put(await database.RowsAsync($"{Select} WHERE id = ANY ($1)", Row, CancellationToken.None,
                PostgresTransaction.Parameter(ids)));
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Reads products that this host has changed into the catalogue.</summary>
    public async Task ReadOwnAsync(params string[] ids)
    {
        try
        {
            await ReadAsync(ids);
        }
        catch (StoreException)
        {
            // The change is durable, and comes by the feed as soon as the database can be read.
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _changes.DisposeAsync();
        _reading.Dispose();
    }

    private static (Product Product, bool IsOnSale) Row(NpgsqlDataReader row) =>
        (ProductTable.Read(row), row.GetBoolean(8));

    private async Task ReadAllAsync()
    {
        for (string after = ""; ;)
        {
            await _reading.WaitAsync();
            try
            {
                IReadOnlyList<(Product Product, bool IsOnSale)> some = await database.RowsAsync(
                    $"{Select} WHERE id > $1 ORDER BY id LIMIT $2", Row, CancellationToken.None,
                    PostgresTransaction.Parameter(after), PostgresTransaction.Parameter(ProductsAtOnce));
                Put(some);
                if (some.Count < ProductsAtOnce) return;
                after = some[^1].Product.Id;
            }
            finally
            {
                _reading.Release();
            }
        }
    }

    // A deleted product keeps its row, so none disappears without being seen here.
    private void Put(IReadOnlyList<(Product Product, bool IsOnSale)> rows)
    {
        CatalogueEntry[] changed =
        [
            .. rows.Where(row => row.IsOnSale && catalogue.Find(row.Product.Id)?.Product.Version != row.Product.Version)
                .Select(static row => new CatalogueEntry(row.Product)),
        ];
        if (changed.Length > 0) catalogue.Put(changed);
        foreach ((Product product, bool isOnSale) in rows)
        {
            if (!isOnSale) catalogue.Remove(product.Id);
        }
    }
}
