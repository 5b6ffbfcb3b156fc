using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products.Storage.Postgres;

/// <summary>The products in PostgreSQL, which any number of hosts share; each has a catalogue of its own.</summary>
internal sealed class PostgresProductStore(ModuleContext module, Catalogue catalogue) : IProductStore, IAsyncDisposable
{
    private readonly PostgresDatabase _database = module.Postgres;
    private readonly CatalogueFeed _feed = new(module.Postgres, catalogue, module.Log);

    public async ValueTask StartAsync() => await _feed.StartAsync();

    public async ValueTask SeedAsync(IReadOnlyList<NewProduct> products)
    {
        if (catalogue.Count > 0) return;
        string[] seeded = await _database.Writes.RunAsync(async (transaction, end) =>
        {
            // Hosts that start together wait for each other here.
            transaction.Add("SELECT next FROM product_number WHERE id = 1 FOR UPDATE");
            transaction.Add("SELECT 1 FROM products LIMIT 1");
            bool isEmpty;
            await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
            {
                await reader.NextResultAsync(end);
                isEmpty = !await reader.ReadAsync(end);
            }

            if (!isEmpty) return [];
            string[] ids = [.. products.Select(static (_, number) => $"prod_{number}")];
            long now = module.Now().ToMilliseconds();
            for (int i = 0; i < ids.Length; i++) ProductTable.AddInsert(transaction, ids[i], products[i], now);
            transaction.Add("UPDATE product_number SET next = $1 WHERE id = 1",
                PostgresTransaction.Parameter((long)ids.Length));
            _feed.AddChange(transaction, ids);
            return ids;
        });
        await _feed.ReadOwnAsync(seeded);
    }

    public ValueTask<ProductResult> CreateAsync(NewProduct product, MemoryReservation memory, IdempotencyKey? key) =>
        ChangeAsync(key, async (transaction, now, end) =>
        {
            if (!memory.IsGranted) return new ProductResult(ProductOutcome.NoMemory);
            return await ProductTable.InsertAsync(transaction, product, now.ToMilliseconds(), end) is { } created
                ? new ProductResult(ProductOutcome.Done, new CatalogueEntry(created))
                : new ProductResult(ProductOutcome.IdTaken);
        });

    public ValueTask<ProductResult> ReplaceAsync(
        string id, ProductDetails details, ChangeConditions conditions, IdempotencyKey? key) =>
        ChangeIfAsync(id, conditions, key, (transaction, old, now) =>
        {
            Product product = old.With(details, now.ToMilliseconds(notBefore: old.UpdatedAt));
            ProductTable.AddUpdate(transaction, product);
            return new CatalogueEntry(product);
        });

    public ValueTask<ProductResult> DeleteAsync(string id, ChangeConditions conditions, IdempotencyKey? key) =>
        ChangeIfAsync(id, conditions, key, (transaction, old, now) =>
        {
            ProductTable.AddDelete(transaction, old.Id, now.ToMilliseconds());
            return null;
        });

    public async ValueTask<IReadOnlyList<OpeningStock>> WithInitialStockPendingAsync() => await _database.RowsAsync(
        "SELECT id, initial_stock FROM products WHERE initial_stock IS NOT NULL ORDER BY id LIMIT 1000",
        static row => new OpeningStock(row.GetString(0), row.GetInt64(1)), CancellationToken.None);

    public async ValueTask MarkStockedAsync(IReadOnlyList<OpeningStock> products)
    {
        string[] ids = [.. products.Select(static product => product.ProductId).Order(StringComparer.Ordinal)];
        await _database.Writes.RunAsync(transaction => transaction.Add(
            "UPDATE products SET initial_stock = NULL WHERE id = ANY ($1) AND initial_stock IS NOT NULL",
            PostgresTransaction.Parameter(ids)));
    }

    public async ValueTask<IReadOnlyList<string>> WithRetirementPendingAsync() => await _database.RowsAsync("""
        SELECT id FROM products
        WHERE deleted_at IS NOT NULL AND NOT is_retired AND initial_stock IS NULL ORDER BY id LIMIT 1000
        """, static row => row.GetString(0), CancellationToken.None);

    public async ValueTask MarkRetiredAsync(IReadOnlyList<string> ids)
    {
        string[] ordered = [.. ids.Order(StringComparer.Ordinal)];
        await _database.Writes.RunAsync(transaction => transaction.Add(
            "UPDATE products SET is_retired = true WHERE id = ANY ($1) AND NOT is_retired",
            PostgresTransaction.Parameter(ordered)));
    }

    public async ValueTask<CatalogueEntry?> FindMissingAsync(string id, CancellationToken end)
    {
        if (await ReadAsync(id, end) is null) return null;
        await _feed.ReadAsync([id]);
        return catalogue.Find(id);
    }

    public async ValueTask<Product?> ReadAsync(string id, CancellationToken end) =>
        PostgresDatabase.MayHave(id)
            ? (await _database.RowsAsync(ProductTable.SelectById, ProductTable.Read, end,
                PostgresTransaction.Parameter(id))).SingleOrDefault()
            : null;

    public async ValueTask<IReadOnlySet<string>> SearchDescriptionsAsync(string text, CancellationToken end)
    {
        string part = SearchText.Of(text);
        // Compared as they come: all descriptions at once may need more memory than there is.
        IReadOnlyList<string?> found = await _database.RowsAsync(
            "SELECT id, description FROM products WHERE deleted_at IS NULL",
            row => SearchText.Contains(SearchText.Of(row.GetString(1)), part) ? row.GetString(0) : null, end);
        return found.OfType<string>().ToHashSet(StringComparer.Ordinal);
    }

    public ValueTask DisposeAsync() => _feed.DisposeAsync();

    /// <summary>Changes the product with this id if conditions hold.</summary>
    private ValueTask<ProductResult> ChangeIfAsync(
        string id, ChangeConditions conditions, IdempotencyKey? key,
        Func<PostgresTransaction, Product, DateTime, CatalogueEntry?> change) =>
        ChangeAsync(key, async (transaction, now, end) => conditions.Change(
            await ProductTable.LockAsync(transaction, id, end), product => change(transaction, product, now)), id);

    /// <summary>Makes a change once for each key. The JSON of the product is kept for the key.</summary>
    private async ValueTask<ProductResult> ChangeAsync(
        IdempotencyKey? key, Func<PostgresTransaction, DateTime, CancellationToken, Task<ProductResult>> change,
        string? id = null)
    {
        DateTime now = module.Now();
        ProductResult result = await _database.Writes.RunAsync(async (transaction, end) =>
        {
            if (await ReplayAsync(transaction, key, now, end) is { } replayed) return replayed;
            ProductResult changed = await change(transaction, now, end);
            // An equal request may have been made while this one waited for the product.
            if (changed.Outcome != ProductOutcome.Done)
                return await ReplayAsync(transaction, key, now, end) ?? changed;
            _feed.AddChange(transaction, id ?? changed.Entry!.Product.Id);
            if (key is not null) _database.Keys.AddRecords(transaction, [(key, changed.Answer)], now);
            return changed;
        });
        // A read after the answer shows the change.
        if (result.Outcome == ProductOutcome.Done) await _feed.ReadOwnAsync(id ?? result.Entry!.Product.Id);
        return result;
    }

    /// <summary>The answer that is kept for a key; null if there is none.</summary>
    private async Task<ProductResult?> ReplayAsync(
        PostgresTransaction transaction, IdempotencyKey? key, DateTime now, CancellationToken end)
    {
        if (key is null) return null;
        _database.Keys.AddFind(transaction, [key], now);
        await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
        return (await _database.Keys.ReadRecordsAsync(reader, end)).Of(key) is { } kept ? ProductResult.Of(kept) : null;
    }
}
