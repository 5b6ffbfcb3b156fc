using Shop.Platform.Data;

namespace Shop.Products;

/// <summary>The rows that the module stores, on either engine.</summary>
internal static class ProductTables
{
    public static ModuleTables All { get; } = new(
    [
        new("products", "id text, name text, description text, price_cents bigint, category text, version bigint, "
            + "created_at bigint, updated_at bigint, deleted_at bigint, initial_stock bigint, is_retired boolean")
        {
            Sqlite = Storage.Sqlite.ProductRows.Products,
        },
        new("product_number", "next bigint")
        {
            Sqlite = Storage.Sqlite.ProductRows.Number,
            Postgres = Storage.Postgres.ProductRows.Number,
        },
    ], SqliteEnd: [], PostgresEnd: []);
}
