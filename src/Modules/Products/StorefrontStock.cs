using Shop.Inventory.Contracts;
using Shop.Platform.Data;

namespace Shop.Products;

/// <summary>
/// The stock that the storefront shows. A page never waits long for it: without an answer it shows none.
/// </summary>
internal sealed class StorefrontStock(IInventory inventory)
{
    /// <summary>Fewer units than this are few.</summary>
    public const long Few = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    /// <summary>Units of each product that can be sold; null if that is not known.</summary>
    public async ValueTask<IReadOnlyList<long?>> OfAsync(IReadOnlyList<string> productIds)
    {
        try
        {
            return await inventory.AvailableAsync(productIds).AsTask().WaitAsync(Patience);
        }
        catch (Exception exception) when (exception is StoreException or TimeoutException)
        {
            return new long?[productIds.Count];
        }
    }
}
