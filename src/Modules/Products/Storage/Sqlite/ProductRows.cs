using Shop.Platform.Data;

namespace Shop.Products.Storage.Sqlite;

/// <summary>How the file has the rows of <see cref="ProductTables"/>.</summary>
internal static class ProductRows
{
    private const string Columns = """
        id, name, description, price_cents, category, version, created_at, updated_at, deleted_at, unopened_stock,
        is_retired
        """;

    public static TableStatements Products { get; } = new(
        $"SELECT {Columns} FROM products",
        [$"INSERT INTO products ({Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"]);

    // The schema has the row.
    public static TableStatements Number { get; } = new(Insert: ["UPDATE product_number SET next = ?1"]);
}
