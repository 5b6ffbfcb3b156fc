using System.Text;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>
/// Stores the products. A change is made completely or not at all. Once its task has completed, it is on disk and in
/// the <see cref="Catalogue"/>, which the store alone changes, in the order of the commits.
/// </summary>
internal interface IProductStore
{
    /// <summary>Loads the products on sale into the catalogue, and from then on applies every change to it.</summary>
    ValueTask StartAsync();

    /// <summary>Creates these products if there has never been a product.</summary>
    ValueTask SeedAsync(IReadOnlyList<NewProduct> products);

    /// <summary>Creates a product, once for each key.</summary>
    ValueTask<ProductResult> CreateAsync(NewProduct product, MemoryReservation memory, IdempotencyKey? key);

    /// <summary>Replaces the details of a product, once for each key.</summary>
    ValueTask<ProductResult> ReplaceAsync(
        string id, ProductDetails details, ChangeConditions conditions, IdempotencyKey? key);

    /// <summary>Deletes a product, once for each key. Its id is never used again.</summary>
    ValueTask<ProductResult> DeleteAsync(string id, ChangeConditions conditions, IdempotencyKey? key);

    /// <summary>Some of the products whose initial stock Inventory may not have; none if it has that of all.</summary>
    ValueTask<IReadOnlyList<OpeningStock>> WithInitialStockPendingAsync();

    /// <summary>Notes that Inventory has the initial stock of products.</summary>
    ValueTask MarkStockedAsync(IReadOnlyList<OpeningStock> products);

    /// <summary>
    /// Some of the deleted products that Inventory may not know to be retired, and whose initial stock it has; none if
    /// there are no such products.
    /// </summary>
    ValueTask<IReadOnlyList<string>> WithRetirementPendingAsync();

    /// <summary>Notes that Inventory knows that products are no longer sold.</summary>
    ValueTask MarkRetiredAsync(IReadOnlyList<string> ids);

    /// <summary>Looks for a product that the catalogue does not have, because another host has just created
    /// it.</summary>
    /// <returns>Null if there is no such product: at once if the store belongs to one host.</returns>
    ValueTask<CatalogueEntry?> FindMissingAsync(string id, CancellationToken end);

    /// <summary>Reads a product with all that an outline lacks; null if it is not on sale.</summary>
    ValueTask<Product?> ReadAsync(string id, CancellationToken end);

    /// <summary>The ids of the products on sale whose description contains a text, as <see cref="SearchText"/> compares
    /// it.</summary>
    ValueTask<IReadOnlySet<string>> SearchDescriptionsAsync(string text, CancellationToken end);
}

/// <summary>A product that is to be created.</summary>
/// <param name="Id">The client's own id; if null, the store makes an id.</param>
/// <param name="Details">Its details.</param>
/// <param name="InitialStock">Units that Inventory is to have from the start.</param>
internal sealed record NewProduct(string? Id, ProductDetails Details, long InitialStock);

/// <summary>The result of a change of a product.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Entry">The product: as the change made it, now or the first time, or as it was found if conditions did
/// not hold.</param>
internal readonly record struct ProductResult(ProductOutcome Outcome, CatalogueEntry? Entry = null)
{
    /// <summary>The answer that is kept for the key of the request: the JSON of the product, if there is one.</summary>
    public string Answer => Entry is { } entry ? Encoding.UTF8.GetString(entry.Json) : "";

    /// <summary>The result for a request whose key has a record.</summary>
    public static ProductResult Of(IdempotencyRecord kept) => kept.IsSame
        ? new(ProductOutcome.Replayed, kept.Answer.Length > 0 ? CatalogueEntry.Of(kept.Answer) : null)
        : new(ProductOutcome.KeyReused);
}

/// <summary>The result of a change of a product.</summary>
internal enum ProductOutcome
{
    /// <summary>The change was made now.</summary>
    Done,

    /// <summary>An equal request with the same key had made it.</summary>
    Replayed,

    /// <summary>The key belongs to another request.</summary>
    KeyReused,

    /// <summary>There is no such product.</summary>
    Unknown,

    /// <summary>The id of a new product is that of another, which may have been deleted.</summary>
    IdTaken,

    /// <summary>There is no memory for a new product.</summary>
    NoMemory,

    /// <summary>The conditions of the change did not hold.</summary>
    ConditionsFailed,
}
