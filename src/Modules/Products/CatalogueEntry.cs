using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Prometheus;
using Shop.Platform.Http;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>A product in memory, ready to be sent: its JSON, its entity tag and its counter are made once, not per request.</summary>
internal sealed class CatalogueEntry : IResult
{
    private Counter.Child? _views;

    public CatalogueEntry(Product product)
        : this(product, JsonAnswer.Bytes(product.ToBody(), ProductsJson.Default.ProductBody))
    {
    }

    private CatalogueEntry(Product product, byte[] json) => (Product, Json) = (product, json);

    public Product Product { get; }

    public byte[] Json { get; }

    public string Tag => field ??= EntityTag.Of(Json);

    public ProductOnSale OnSale => field ??= new ProductOnSale(Product.Id, Product.Name, Product.PriceCents);

    /// <summary>A product as it was once sent.</summary>
    public static CatalogueEntry Of(string json)
    {
        ProductBody body = JsonSerializer.Deserialize(json, ProductsJson.Default.ProductBody)!;
        return new CatalogueEntry(body.ToProduct(), Encoding.UTF8.GetBytes(json));
    }

    /// <summary>Its name as a search compares it.</summary>
    public string SearchName => field ??= SearchText.Of(Product.Name);

    /// <summary>Its description as a search compares it.</summary>
    public string SearchDescription => field ??= SearchText.Of(Product.Description);

    public void CountView(ProductMetrics metrics) => (_views ??= metrics.ViewsOf(Product.Id)).Inc();

    public Task ExecuteAsync(HttpContext httpContext)
    {
        HttpResponse response = httpContext.Response;
        response.ContentType = JsonAnswer.ContentType;
        response.ContentLength = Json.Length;
        response.Headers.ETag = Tag;
        JsonAnswer.Write(response, Json);
        return Task.CompletedTask;
    }
}
