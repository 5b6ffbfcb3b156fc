using Shop.Platform;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>
/// A sort order of the catalogue. The id decides between equals, so every product has one place in it.
/// </summary>
/// <param name="name">Its name in requests.</param>
/// <param name="keyOf">The sort key of a product, as text for a cursor.</param>
/// <param name="compare">Compares two products by that key.</param>
/// <param name="withKey">Makes a product with a sort key, to find a cursor's place; null if the text is not a
/// key.</param>
internal sealed class CatalogueOrder(
    string name, Func<Product, string> keyOf, Comparison<Product> compare, Func<Product, string, Product?> withKey)
    : IComparer<CatalogueEntry>
{
    public static readonly CatalogueOrder ById =
        new("id", static _ => "", static (_, _) => 0, static (product, _) => product);

    public static readonly IReadOnlyList<CatalogueOrder> All =
    [
        ById,
        new("name", static product => product.Name,
            static (one, other) => string.Compare(one.Name, other.Name, StringComparison.OrdinalIgnoreCase),
            static (product, key) => product with { Name = key }),
        new("price", static product => product.PriceCents.ToString(),
            static (one, other) => one.PriceCents.CompareTo(other.PriceCents),
            static (product, key) =>
                WholeNumberField.ParseDigits(key) is { } cents ? product with { PriceCents = cents } : null),
        new("created_at", static product => product.CreatedAt.ToString(),
            static (one, other) => one.CreatedAt.CompareTo(other.CreatedAt),
            static (product, key) =>
                WholeNumberField.ParseDigits(key) is { } time && Timestamp.IsTime(time)
                    ? product with { CreatedAt = time }
                    : null),
    ];

    private static readonly Product Nothing = new("", "", "", 0, "", 0, 0, 0);

    public string Name { get; } = name;

    public int Compare(CatalogueEntry? x, CatalogueEntry? y)
    {
        int byKey = compare(x!.Product, y!.Product);
        return byKey != 0 ? byKey : string.CompareOrdinal(x.Product.Id, y.Product.Id);
    }

    /// <summary>The place of a product, as the parts of a cursor.</summary>
    public string[] PlaceOf(Product product, bool isDescending) =>
        [isDescending ? $"-{Name}" : Name, keyOf(product), product.Id];

    /// <summary>An entry that sorts at a place; null if the parts are not a place of this order.</summary>
    public CatalogueEntry? At(string[] place, bool isDescending) =>
        place[0] == (isDescending ? $"-{Name}" : Name)
            && withKey(Nothing with { Id = place[2] }, place[1]) is { } product
            ? new CatalogueEntry(product)
            : null;
}
