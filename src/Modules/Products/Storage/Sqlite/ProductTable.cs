using Shop.Platform.Data.Sqlite;

namespace Shop.Products.Storage.Sqlite;

/// <summary>The products as the writer changes them. Everything here runs inside a write, on the writer's
/// thread.</summary>
internal sealed class ProductTable(GroupCommitWriter writes)
{
    private readonly Statement _nextNumber = writes.Prepare(
        "UPDATE product_number SET next = next + 1 WHERE id = 1 RETURNING next - 1");

    private readonly Statement _insert = writes.Prepare("""
        INSERT INTO products
            (id, name, description, price_cents, category, version, created_at, updated_at, unopened_stock)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING
        """);

    private readonly Statement _find = writes.Prepare("""
        SELECT name, description, price_cents, category, version, created_at, updated_at
        FROM products WHERE id = ?1 AND deleted_at IS NULL
        """);

    private readonly Statement _update = writes.Prepare("""
        UPDATE products SET name = ?2, description = ?3, price_cents = ?4, category = ?5, version = ?6, updated_at = ?7
        WHERE id = ?1
        """);

    private readonly Statement _delete = writes.Prepare("UPDATE products SET deleted_at = ?2 WHERE id = ?1");
    private readonly Statement _markStocked = writes.Prepare("UPDATE products SET unopened_stock = NULL WHERE id = ?1");
    private readonly Statement _markRetired = writes.Prepare("UPDATE products SET is_retired = 1 WHERE id = ?1");

    /// <returns>The product; null if its id is taken.</returns>
    public Product? Insert(NewProduct wanted, long now)
    {
        ProductDetails details = wanted.Details;
        while (true)
        {
            string id = wanted.Id ?? $"prod_{_nextNumber.First(static row => row.Number(0))}";
            bool isInserted = _insert.Set(1, id).Set(2, details.Name).Set(3, details.Description)
                .Set(4, details.PriceCents).Set(5, details.Category).Set(6, 1).Set(7, now).Set(8, now)
                .Set(9, wanted.InitialStock).Run() == 1;
            if (isInserted) return Product.New(id, details, now);
            if (wanted.Id is not null) return null;

            // A client has used this number in an id of its own: try the next.
        }
    }

    public Product? Find(string id) => _find.Set(1, id).First(row => new Product(
        id, row.Text(0), row.Text(1), row.Number(2), row.Text(3), row.Number(4), row.Number(5), row.Number(6)));

    public void Update(Product product) =>
        _update.Set(1, product.Id).Set(2, product.Name).Set(3, product.Description).Set(4, product.PriceCents)
            .Set(5, product.Category).Set(6, product.Version).Set(7, product.UpdatedAt).Run();

    public void Delete(string id, long now) => _delete.Set(1, id).Set(2, now).Run();

    public void MarkStocked(string id) => _markStocked.Set(1, id).Run();

    public void MarkRetired(string id) => _markRetired.Set(1, id).Run();
}
