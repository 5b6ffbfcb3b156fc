using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Products.Storage.Sqlite;

/// <summary>A change of a product, made once for each key. The JSON of the product is kept for the key.</summary>
internal abstract class ProductCommand(SqliteProductStore store, IdempotencyKey? key) : WriteCommand<ProductResult>
{
    protected SqliteProductStore Store => store;

    protected override WriteResult<ProductResult> Run()
    {
        DateTime now = store.Now();
        if (store.Keys.FindUncommitted(key, now) is { } kept) return WriteResult.Rollback(ProductResult.Of(kept));
        ProductResult result = Change(now);
        if (result.Outcome != ProductOutcome.Done) return WriteResult.Rollback(result);
        store.Keys.Add(key, result.Answer, now);
        return WriteResult.Commit(result);
    }

    protected abstract ProductResult Change(DateTime now);

    /// <summary>Changes the product with this id if conditions hold.</summary>
    protected ProductResult ChangeIf(ChangeConditions conditions, string id, Func<Product, CatalogueEntry?> change) =>
        // The row, not the catalogue: an earlier write of this very batch may have changed it.
        conditions.Change(store.Table.Find(id), change);
}

/// <summary>Creates a product.</summary>
internal sealed class CreateCommand(
    SqliteProductStore store, NewProduct wanted, MemoryReservation memory, IdempotencyKey? key)
    : ProductCommand(store, key)
{
    protected override ProductResult Change(DateTime now)
    {
        if (!memory.IsGranted) return new ProductResult(ProductOutcome.NoMemory);
        return Store.Table.Insert(wanted, now.ToMilliseconds()) is { } product
            ? new ProductResult(ProductOutcome.Done, new CatalogueEntry(product))
            : new ProductResult(ProductOutcome.IdTaken);
    }

    protected override void Committed(ProductResult answer) => Store.Catalogue.Put([answer.Entry!]);
}

/// <summary>Replaces the details of a product.</summary>
internal sealed class ReplaceCommand(
    SqliteProductStore store, string id, ProductDetails details, ChangeConditions conditions, IdempotencyKey? key)
    : ProductCommand(store, key)
{
    protected override ProductResult Change(DateTime now) => ChangeIf(conditions, id, old =>
    {
        Product product = old.With(details, now.ToMilliseconds(notBefore: old.UpdatedAt));
        Store.Table.Update(product);
        return new CatalogueEntry(product);
    });

    protected override void Committed(ProductResult answer) => Store.Catalogue.Put([answer.Entry!]);
}

/// <summary>Deletes a product.</summary>
internal sealed class DeleteCommand(
    SqliteProductStore store, string id, ChangeConditions conditions, IdempotencyKey? key)
    : ProductCommand(store, key)
{
    protected override ProductResult Change(DateTime now) => ChangeIf(conditions, id, old =>
    {
        Store.Table.Delete(old.Id, now.ToMilliseconds());
        return null;
    });

    protected override void Committed(ProductResult answer) => Store.Catalogue.Remove(id);
}
