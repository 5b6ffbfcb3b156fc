using Shop.Inventory.Contracts;
using Shop.Platform;

namespace Shop.Products;

/// <summary>
/// Gives Inventory the initial stock of new products, and tells it which products are no longer sold. Both are stored
/// with the product until Inventory has them, so neither a crash nor a full queue loses any.
/// </summary>
internal sealed class StockInitialization(IProductStore store, IInventory inventory)
{
    /// <summary>Gives Inventory the stock of a new product now; if that fails, a later round does it.</summary>
    public async Task InitializeAsync(string productId, long quantity)
    {
        try
        {
            await inventory.OpenAsync([new OpeningStock(productId, quantity)]);
        }
        catch (Exception)
        {
            // The product is on disk with its initial stock, and ReconcileAsync tries again: if that fails, it is
            // logged.
        }
    }

    /// <summary>
    /// Tells Inventory of a deleted product now; if that fails, or Inventory does not know the product yet, a later
    /// round does it.
    /// </summary>
    public async Task RetireAsync(string productId)
    {
        try
        {
            await inventory.RetireAsync([productId]);
        }
        catch (Exception)
        {
            // The deletion is on disk, and ReconcileAsync tries again: if that fails, it is logged.
        }
    }

    /// <summary>Tells Inventory everything that it may not know, and notes that it knows it.</summary>
    public async Task ReconcileAsync()
    {
        while (await store.WithInitialStockPendingAsync() is { Count: > 0 } pending)
        {
            await inventory.OpenAsync(pending);
            await store.MarkStockedAsync(pending);
        }

        // After their initial stock: a product that Inventory does not know can't be retired.
        while (await store.WithRetirementPendingAsync() is { Count: > 0 } pending)
        {
            await inventory.RetireAsync(pending);
            FaultPoint.Reach("retired");
            await store.MarkRetiredAsync(pending);
        }
    }
}
