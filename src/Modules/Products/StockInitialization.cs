using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;

namespace Shop.Products;

/// <summary>
/// Gives Inventory the first units of new products, and tells it which are no longer sold. Both are kept with the
/// product until Inventory is known to have them, so neither a crash nor a full queue loses any.
/// </summary>
internal sealed class StockInitialization(ProductStore store, IInventory inventory)
{
    /// <summary>Opens the stock of a new product now; where Inventory can't at the moment, a later round does.</summary>
    public async Task OpenAsync(string productId, long quantity)
    {
        try
        {
            await inventory.OpenAsync([new OpeningStock(productId, quantity)]);
        }
        catch (Exception)
        {
            // The product is on disk with its units, and ReconcileAsync goes on trying: the log has it if that fails, too.
        }
    }

    /// <summary>
    /// Tells of a product that was deleted now; if Inventory can't take it at the moment, or does not know the product
    /// yet, a later round does.
    /// </summary>
    public async Task RetireAsync(string productId)
    {
        try
        {
            await inventory.RetireAsync([productId]);
        }
        catch (Exception)
        {
            // The deletion is on disk, and ReconcileAsync goes on trying: the log has it if that fails, too.
        }
    }

    /// <summary>Brings Inventory whatever it is not known to have, and notes that it has.</summary>
    public async Task ReconcileAsync()
    {
        while (store.Unopened() is { Count: > 0 } unopened)
        {
            await inventory.OpenAsync(unopened);
            await store.Writes.WriteAsync(() =>
            {
                foreach (OpeningStock product in unopened) store.MarkOpened(product.ProductId);
                return WriteResult.Commit(unopened.Count);
            });
        }

        // After their first units: a product that is unknown can't be retired.
        while (store.Unretired() is { Count: > 0 } unretired)
        {
            await inventory.RetireAsync(unretired);
            FaultPoint.Reach("retired");
            await store.Writes.WriteAsync(() =>
            {
                foreach (string productId in unretired) store.MarkRetired(productId);
                return WriteResult.Commit(unretired.Count);
            });
        }
    }
}
