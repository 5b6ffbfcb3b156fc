using Shop.Platform.Http;

namespace Shop.Products;

/// <summary>
/// The conditions of a change of a product. The store checks them inside the write, so there are no lost updates.
/// </summary>
/// <param name="preconditions">The client's preconditions.</param>
/// <param name="memory">The memory that the catalogue needs after the change; null if it needs none.</param>
internal sealed class ChangeConditions(Preconditions preconditions, MemoryReservation? memory = null)
{
    public bool Hold(CatalogueEntry found) => ProblemOf(found) is null;

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
