using Dapper;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Products;

/// <summary>Every SQL statement of the module. What stands under "inside a write" runs on the writer's thread alone.</summary>
[DapperAot]
internal sealed class ProductStore(Database database)
{
    private const string SelectOnSale = """
        SELECT id AS Id, name AS Name, description AS Description, price_cents AS PriceCents, category AS Category, version AS Version,
            created_at AS CreatedAt, updated_at AS UpdatedAt
        FROM products WHERE deleted_at IS NULL
        """;

    private readonly Statement _nextNumber = database.Writes.Prepare(
        "UPDATE product_number SET next = next + 1 WHERE id = 1 RETURNING next - 1");

    private readonly Statement _insert = database.Writes.Prepare("""
        INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at, unopened_stock)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING
        """);

    private readonly Statement _find = database.Writes.Prepare("""
        SELECT name, description, price_cents, category, version, created_at, updated_at FROM products WHERE id = ?1 AND deleted_at IS NULL
        """);

    private readonly Statement _update = database.Writes.Prepare("""
        UPDATE products SET name = ?2, description = ?3, price_cents = ?4, category = ?5, version = ?6, updated_at = ?7 WHERE id = ?1
        """);

    private readonly Statement _delete = database.Writes.Prepare("UPDATE products SET deleted_at = ?2 WHERE id = ?1");
    private readonly Statement _markOpened = database.Writes.Prepare("UPDATE products SET unopened_stock = NULL WHERE id = ?1");

    private readonly Statement _markRetired = database.Writes.Prepare("UPDATE products SET is_retired = 1 WHERE id = ?1");

    /// <summary>The group commit.</summary>
    public GroupCommitWriter Writes => database.Writes;

    /// <summary>The answers that are kept for the keys of clients.</summary>
    public IdempotencyKeys Keys => database.Keys;

    // Inside a write.

    public long NextNumber() => _nextNumber.First(static row => row.Number(0));

    /// <returns>Whether the id was free.</returns>
    public bool Insert(Product product, long initialStock) =>
        _insert.Set(1, product.Id).Set(2, product.Name).Set(3, product.Description).Set(4, product.PriceCents).Set(5, product.Category)
            .Set(6, product.Version).Set(7, product.CreatedAt).Set(8, product.UpdatedAt).Set(9, initialStock).Run() == 1;

    public Product? Find(string id) => _find.Set(1, id).First(row =>
        new Product(id, row.Text(0), row.Text(1), row.Number(2), row.Text(3), row.Number(4), row.Number(5), row.Number(6)));

    public void Update(Product product) =>
        _update.Set(1, product.Id).Set(2, product.Name).Set(3, product.Description).Set(4, product.PriceCents).Set(5, product.Category)
            .Set(6, product.Version).Set(7, product.UpdatedAt).Run();

    public void Delete(string id, long now) => _delete.Set(1, id).Set(2, now).Run();

    public void MarkOpened(string id) => _markOpened.Set(1, id).Run();

    public void MarkRetired(string id) => _markRetired.Set(1, id).Run();

    // Reads.

    /// <summary>Whether there has ever been a product.</summary>
    public bool IsEmpty() => !database.Rows("SELECT 1 FROM products LIMIT 1", static _ => true).Any();

    /// <summary>The products on sale, read one by one: all at once may be more than there is memory for.</summary>
    public IEnumerable<Product> OnSale() => database.Rows($"{SelectOnSale} ORDER BY id",
        static row => new Product(row.GetString(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetString(4), row.GetInt64(5), row.GetInt64(6), row.GetInt64(7)));

    /// <summary>A product on sale; null if there is none.</summary>
    public Product? Read(string id, CancellationToken end) =>
        database.Read(connection => connection.QuerySingleOrDefault<Product>($"{SelectOnSale} AND id = @id", new { id }), end);

    /// <summary>The ids of those products on sale whose description is wanted.</summary>
    public IReadOnlySet<string> WithDescription(Func<string, bool> isWanted, CancellationToken end) => database.Read(connection => connection
        .Query<DescriptionRow>("SELECT id AS Id, description AS Description FROM products WHERE deleted_at IS NULL", buffered: false)
        .Where(product => isWanted(product.Description)).Select(product => product.Id).ToHashSet(StringComparer.Ordinal), end);

    /// <summary>The products whose first units Inventory may not have yet.</summary>
    public IReadOnlyList<OpeningStock> Unopened() =>
        [.. database.Rows("SELECT id, unopened_stock FROM products WHERE unopened_stock IS NOT NULL LIMIT 1000", static row => new OpeningStock(row.GetString(0), row.GetInt64(1)))];

    /// <summary>The deleted products that Inventory may still take for sold, and whose first units it has.</summary>
    public IReadOnlyList<string> Unretired() =>
        [.. database.Rows("SELECT id FROM products WHERE deleted_at IS NOT NULL AND is_retired = 0 AND unopened_stock IS NULL LIMIT 1000", static row => row.GetString(0))];

    internal sealed record DescriptionRow(string Id, string Description);
}
