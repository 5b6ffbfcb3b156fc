using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Prometheus;
using Shop.Platform.Http;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>
/// A product in memory, ready to be sent: its JSON, its entity tag and its counter are made once, not for each request.
/// If the catalogue has no memory for all of it, the entry is an outline, without description and JSON, which are read
/// from the database when a client asks for them.
/// </summary>
internal sealed class CatalogueEntry : IResult
{
    /// <summary>
    /// Estimated bytes beside its texts: objects, nodes in the sort orders of the catalogue, entity tag, the rest of
    /// its JSON.
    /// </summary>
    private const int Overhead = 700;

    private Counter.Child? _views;

    public CatalogueEntry(Product product)
        : this(product, JsonResponse.Bytes(product.ToBody(), ProductsJson.Default.ProductBody))
    {
    }

    private CatalogueEntry(Product product, byte[] json) => (Product, Json) = (product, json);

    /// <summary>The product. An outline has no description.</summary>
    public Product Product { get; }

    /// <summary>Its JSON; empty if it is an outline.</summary>
    public byte[] Json { get; }

    public bool IsOutline => Json.Length == 0;

    /// <summary>Estimated bytes of memory.</summary>
    public long Bytes => Overhead + Json.Length + BytesOf(Product.Category)
        + 2 * (BytesOf(Product.Name) + BytesOf(Product.Description));

    public string Tag => field ??= EntityTag.Of(Json);

    public ProductOnSale OnSale => field ??= new ProductOnSale(Product.Id, Product.Name, Product.PriceCents);

    /// <summary>A product from its stored JSON.</summary>
    public static CatalogueEntry Of(string json)
    {
        ProductBody body = JsonSerializer.Deserialize(json, ProductsJson.Default.ProductBody)!;
        return new CatalogueEntry(body.ToProduct(), Encoding.UTF8.GetBytes(json));
    }

    /// <summary>Estimated bytes of memory of a product with these details.</summary>
    public static long BytesOf(ProductDetails details) => new CatalogueEntry(Product.New("", details, 0)).Bytes;

    /// <summary>The outline of it, which is always in memory.</summary>
    public CatalogueEntry ToOutline() => new(Product with { Description = "" }, []);

    /// <summary>Its name as a search compares it.</summary>
    public string SearchName => field ??= SearchText.Of(Product.Name);

    /// <summary>Its description as a search compares it.</summary>
    public string SearchDescription => field ??= SearchText.Of(Product.Description);

    // Counted twice above, because a search keeps a copy of a text that is not plain ASCII.
    private static long BytesOf(string text) => sizeof(char) * text.Length;

    public void CountView(ProductMetrics metrics) => (_views ??= metrics.ViewsOf(Product.Id)).Inc();

    public Task ExecuteAsync(HttpContext httpContext)
    {
        HttpResponse response = httpContext.Response;
        response.ContentType = JsonResponse.ContentType;
        response.ContentLength = Json.Length;
        response.Headers.ETag = Tag;
        JsonResponse.Write(response, Json);
        return Task.CompletedTask;
    }
}
