using Microsoft.AspNetCore.Http;
using Prometheus;
using Shop.Platform.Http;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>A product in memory, ready to be sent: its JSON, its entity tag and its counter are made once, not per request.</summary>
internal sealed class CatalogueEntry(Product product) : IResult
{
    private Counter.Child? _views;

    public Product Product { get; } = product;

    public byte[] Json { get; } = JsonAnswer.Bytes(product.ToBody(), ProductsJson.Default.ProductBody);

    public string Tag => field ??= EntityTag.Of(Json);

    public ProductOnSale OnSale => field ??= new ProductOnSale(Product.Id, Product.Name, Product.PriceCents);

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
