using Npgsql;
using Shop.Platform.Data.Postgres;

namespace Shop.Products.Storage.Postgres;

/// <summary>The statements that change products.</summary>
internal static class ProductTable
{
    /// <summary>A product on sale.</summary>
    public const string SelectById = """
        SELECT id, name, description, price_cents, category, version, created_at, updated_at
        FROM products WHERE id = $1 AND deleted_at IS NULL
        """;

    private const string Insert = """
        INSERT INTO products
            (id, name, description, price_cents, category, version, created_at, updated_at, initial_stock)
        VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7)
        """;

    public static Product Read(NpgsqlDataReader row) => new(
        row.GetString(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetString(4), row.GetInt64(5),
        row.GetInt64(6), row.GetInt64(7));

    /// <summary>Adds a product whose id is free.</summary>
    public static void AddInsert(PostgresTransaction transaction, string id, NewProduct wanted, long now) =>
        transaction.Add(Insert, Parameters(id, wanted, now));

    /// <summary>Inserts a product.</summary>
    /// <returns>The product; null if its id is taken.</returns>
    public static async Task<Product?> InsertAsync(
        PostgresTransaction transaction, NewProduct wanted, long now, CancellationToken end)
    {
        while (true)
        {
            string id = wanted.Id ?? $"prod_{await NextNumberAsync(transaction, end)}";
            transaction.Add($"{Insert} ON CONFLICT (id) DO NOTHING RETURNING 1", Parameters(id, wanted, now));
            await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
            {
                if (await reader.ReadAsync(end)) return Product.New(id, wanted.Details, now);
            }

            if (wanted.Id is not null) return null;

            // A client has used this number in an id of its own: try the next.
        }
    }

    /// <summary>Reads a product on sale, and keeps others from changing it until the transaction ends.</summary>
    public static async Task<Product?> LockAsync(PostgresTransaction transaction, string id, CancellationToken end)
    {
        transaction.Add($"{SelectById} FOR UPDATE", PostgresTransaction.Parameter(id));
        await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
        return await reader.ReadAsync(end) ? Read(reader) : null;
    }

    public static void AddUpdate(PostgresTransaction transaction, Product product) => transaction.Add("""
        UPDATE products SET name = $2, description = $3, price_cents = $4, category = $5, version = $6, updated_at = $7
        WHERE id = $1
        """,
        PostgresTransaction.Parameter(product.Id), PostgresTransaction.Parameter(product.Name),
        PostgresTransaction.Parameter(product.Description), PostgresTransaction.Parameter(product.PriceCents),
        PostgresTransaction.Parameter(product.Category), PostgresTransaction.Parameter(product.Version),
        PostgresTransaction.Parameter(product.UpdatedAt));

    public static void AddDelete(PostgresTransaction transaction, string id, long now) => transaction.Add(
        "UPDATE products SET deleted_at = $2 WHERE id = $1", PostgresTransaction.Parameter(id),
        PostgresTransaction.Parameter(now));

    // Not a sequence, so that a rolled-back change leaves no gap.
    private static async Task<long> NextNumberAsync(PostgresTransaction transaction, CancellationToken end)
    {
        transaction.Add("UPDATE product_number SET next = next + 1 WHERE id = 1 RETURNING next - 1");
        await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
        await reader.ReadAsync(end);
        return reader.GetInt64(0);
    }

    private static NpgsqlParameter[] Parameters(string id, NewProduct wanted, long now) =>
    [
        PostgresTransaction.Parameter(id), PostgresTransaction.Parameter(wanted.Details.Name),
        PostgresTransaction.Parameter(wanted.Details.Description),
        PostgresTransaction.Parameter(wanted.Details.PriceCents),
        PostgresTransaction.Parameter(wanted.Details.Category), PostgresTransaction.Parameter(now),
        PostgresTransaction.Parameter(wanted.InitialStock),
    ];
}
