using System.Text.Json.Serialization;
using Shop.Platform;

namespace Shop.Products;

/// <summary>A product. Times are milliseconds since 1970 in UTC, the price is cents.</summary>
internal sealed record Product(
    string Id, string Name, string Description, long PriceCents, string Category, long Version, long CreatedAt,
    long UpdatedAt)
{
    public ProductDetails Details => new(Name, Description, PriceCents, Category);

    /// <summary>The first version of a product.</summary>
    public static Product New(string id, ProductDetails details, long now) =>
        new(id, details.Name, details.Description, details.PriceCents, details.Category, 1, now, now);

    /// <summary>The next version of this product.</summary>
    public Product With(ProductDetails details, long now) =>
        New(Id, details, now) with { Version = Version + 1, CreatedAt = CreatedAt };

    public ProductBody ToBody() => new(Id, Name, Description, Money.FromCents(PriceCents), Category, Version,
        new UtcTime(CreatedAt), new UtcTime(UpdatedAt));
}

/// <summary>The details of a product: what a client may change.</summary>
internal sealed record ProductDetails(string Name, string Description, long PriceCents, string Category);

/// <summary>A product as clients see it.</summary>
internal sealed record ProductBody(
    string Id, string Name, string Description, decimal Price, string Category, long Version, UtcTime CreatedAt,
    UtcTime UpdatedAt)
{
    public Product ToProduct() =>
        new(Id, Name, Description, (long)(Price * 100), Category, Version, CreatedAt.Milliseconds,
            UpdatedAt.Milliseconds);
}

/// <summary>A category as clients see it.</summary>
internal sealed record CategoryBody(string Category, int Products);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ProductBody))]
[JsonSerializable(typeof(ProductBody[]))]
[JsonSerializable(typeof(CategoryBody[]))]
internal sealed partial class ProductsJson : JsonSerializerContext;
