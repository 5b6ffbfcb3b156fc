namespace Shop.Products.Contracts;

/// <summary>The products on sale, as other modules may see them.</summary>
public interface IProductCatalogue
{
    /// <summary>Looks products up.</summary>
    /// <param name="ids">Their ids.</param>
    /// <returns>One entry for each id, in the same order; null if the product is unknown or no longer sold.</returns>
    ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids);
}

/// <summary>A product as it is sold at this moment.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="PriceCents">Its price in cents, 1 to 100,000,000.</param>
public sealed record ProductOnSale(string Id, string Name, long PriceCents);
