using Shop.Platform.Data;

namespace Shop.Products.Storage.Postgres;

/// <summary>How the schema has the rows of <see cref="ProductTables"/>.</summary>
internal static class ProductRows
{
    // The schema has the row.
    public static TableStatements Number { get; } = new(Insert: ["UPDATE product_number SET next = $1"]);
}
