using Dapper;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products.Storage.Sqlite;

/// <summary>The products in SQLite, which belongs to one host: every change is in its catalogue before its task
/// completes.</summary>
[DapperAot]
internal sealed class SqliteProductStore(ModuleContext module, Catalogue catalogue) : IProductStore
{
    private const string SelectOnSale = """
        SELECT id AS Id, name AS Name, description AS Description, price_cents AS PriceCents, category AS Category,
            version AS Version, created_at AS CreatedAt, updated_at AS UpdatedAt
        FROM products WHERE deleted_at IS NULL
        """;

    private readonly Database _database = module.Database;

    /// <summary>What commands change.</summary>
    public ProductTable Table { get; } = new(module.Database.Writes);

    /// <summary>The catalogue, which commands change after their commit, on the writer's thread.</summary>
    public Catalogue Catalogue => catalogue;

    /// <summary>The idempotency keys, with the answers that are stored for them.</summary>
    public IdempotencyKeys Keys => _database.Keys;

    public DateTime Now() => module.Now();

    public ValueTask StartAsync()
    {
        // Row by row: all rows at once may need more memory than there is.
        catalogue.Put(_database.Rows($"{SelectOnSale} ORDER BY id", static row => new CatalogueEntry(new Product(
            row.GetString(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetString(4), row.GetInt64(5),
            row.GetInt64(6), row.GetInt64(7)))));
        return ValueTask.CompletedTask;
    }

    public async ValueTask SeedAsync(IReadOnlyList<NewProduct> products)
    {
        if (_database.Rows("SELECT 1 FROM products LIMIT 1", static row => row.GetInt64(0)).Any()) return;
        await _database.Writes.WriteAsync(
            () =>
            {
                long now = Now().ToMilliseconds();
                return WriteResult.Commit(
                    products.Select(product => new CatalogueEntry(Table.Insert(product, now)!)).ToArray());
            },
            catalogue.Put);
    }

    public ValueTask<ProductResult> CreateAsync(NewProduct product, MemoryReservation memory, IdempotencyKey? key) =>
        _database.Writes.WriteAsync(new CreateCommand(this, product, memory, key));

    public ValueTask<ProductResult> ReplaceAsync(
        string id, ProductDetails details, ChangeConditions conditions, IdempotencyKey? key) =>
        _database.Writes.WriteAsync(new ReplaceCommand(this, id, details, conditions, key));

    public ValueTask<ProductResult> DeleteAsync(string id, ChangeConditions conditions, IdempotencyKey? key) =>
        _database.Writes.WriteAsync(new DeleteCommand(this, id, conditions, key));

    public ValueTask<IReadOnlyList<OpeningStock>> WithInitialStockPendingAsync() =>
        ValueTask.FromResult<IReadOnlyList<OpeningStock>>([.. _database.Rows(
            "SELECT id, unopened_stock FROM products WHERE unopened_stock IS NOT NULL LIMIT 1000",
            static row => new OpeningStock(row.GetString(0), row.GetInt64(1)))]);

    public async ValueTask MarkStockedAsync(IReadOnlyList<OpeningStock> products) =>
        await _database.Writes.WriteAsync(() =>
    {
        foreach (OpeningStock product in products) Table.MarkStocked(product.ProductId);
        return WriteResult.Commit(products.Count);
    });

    public ValueTask<IReadOnlyList<string>> WithRetirementPendingAsync() =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. _database.Rows("""
            SELECT id FROM products
            WHERE deleted_at IS NOT NULL AND is_retired = 0 AND unopened_stock IS NULL LIMIT 1000
            """, static row => row.GetString(0))]);

    public async ValueTask MarkRetiredAsync(IReadOnlyList<string> ids) => await _database.Writes.WriteAsync(() =>
    {
        foreach (string id in ids) Table.MarkRetired(id);
        return WriteResult.Commit(ids.Count);
    });

    public ValueTask<CatalogueEntry?> FindMissingAsync(string id, CancellationToken end) => default;

    public ValueTask<Product?> ReadAsync(string id, CancellationToken end) => ValueTask.FromResult(_database.Read(
        connection => connection.QuerySingleOrDefault<Product>($"{SelectOnSale} AND id = @id", new { id }), end));

    public ValueTask<IReadOnlySet<string>> SearchDescriptionsAsync(string text, CancellationToken end)
    {
        string part = SearchText.Of(text);
        return ValueTask.FromResult<IReadOnlySet<string>>(_database.Read(connection => connection
            .Query<DescriptionRow>(
                "SELECT id AS Id, description AS Description FROM products WHERE deleted_at IS NULL", buffered: false)
            .Where(product => SearchText.Contains(SearchText.Of(product.Description), part))
            .Select(product => product.Id).ToHashSet(StringComparer.Ordinal), end));
    }

    internal sealed record DescriptionRow(string Id, string Description);
}
