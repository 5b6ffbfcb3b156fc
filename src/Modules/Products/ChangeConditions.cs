using Shop.Platform.Http;

namespace Shop.Products;

/// <summary>
/// The conditions of a change of a product. The store checks them inside the write, so there are no lost updates.
/// </summary>
/// <param name="preconditions">The client's preconditions.</param>
/// <param name="memory">The memory that the catalogue needs after the change; null if it needs none.</param>
internal sealed class ChangeConditions(Preconditions preconditions, MemoryReservation? memory = null)
{
    /// <summary>Changes a product if they hold.</summary>
    /// <param name="product">The product; null if there is none.</param>
    /// <param name="change">Makes the change.</param>
    public ProductResult Change(Product? product, Func<Product, CatalogueEntry?> change)
    {
        if (product is null) return new ProductResult(ProductOutcome.Unknown);
        var found = new CatalogueEntry(product);
        return ProblemOf(found) is null
            ? new ProductResult(ProductOutcome.Done, change(product))
            : new ProductResult(ProductOutcome.ConditionsFailed, found);
    }

    /// <returns>Why the change may not be made; null if it may.</returns>
    public Problem? ProblemOf(CatalogueEntry found)
    {
        if (preconditions.RefuseChange(found.Tag, "product", found.Product.Id) is { } problem) return problem;
        // A product may always become smaller, or stay as large as it is.
        return memory is { IsGranted: false } && memory.Bytes > CatalogueEntry.BytesOf(found.Product.Details)
            ? memory.Refusal
            : null;
    }
}
