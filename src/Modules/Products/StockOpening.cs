using Shop.Inventory.Contracts;
using Shop.Platform.Data;

namespace Shop.Products;

/// <summary>
/// Gives Inventory the first units of new products. They are kept with the product until Inventory is known to have them, so
/// neither a crash nor a full queue loses any.
/// </summary>
internal sealed class StockOpening(ProductStore store, IInventory inventory)
{
    /// <summary>Opens the stock of a new product now; where Inventory can't at the moment, a later round does.</summary>
    public async Task OpenAsync(string productId, long quantity)
    {
        try
        {
            await inventory.OpenAsync([new OpeningStock(productId, quantity)]);
        }
        catch (StoreException)
        {
            // The product is on disk with its units, and SettleAsync goes on trying.
        }
    }

    /// <summary>Opens what is not known to be open, and notes that it is.</summary>
    public async Task SettleAsync()
    {
        while (store.Unopened() is { Count: > 0 } unopened)
        {
            await inventory.OpenAsync(unopened);
            await store.Writes.WriteAsync(() =>
            {
                foreach (OpeningStock product in unopened) store.MarkOpened(product.ProductId);
                return Outcome.Keep(unopened.Count);
            });
        }
    }
}
