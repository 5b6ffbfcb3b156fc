using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>
/// Finds a product by its id: in memory, unless the catalogue has only its outline or does not know it.
/// </summary>
internal sealed class FindProduct(
    Catalogue catalogue, IProductStore store, ProductMetrics metrics,
    [FromKeyedServices(ProductsModule.Name)] ModuleContext module) : IProductCatalogue
{
    public ValueTask<IResult> HandleAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        return catalogue.Find(id) is { IsOutline: false } entry
            ? ValueTask.FromResult(Answer(http, entry))
            : HandleIncompleteAsync(http, id);
    }

    /// <summary>A product with all its details; null if it is not on sale.</summary>
    public async ValueTask<CatalogueEntry?> FindAsync(HttpContext http, string id)
    {
        CatalogueEntry? entry = catalogue.Find(id) ?? await store.FindMissingAsync(id, http.RequestAborted);
        return entry is { IsOutline: true } ? await module.QueryAsync(http, end => CompleteAsync(entry, end)) : entry;
    }

    /// <summary>An entry with all that an outline lacks; null if the product has been deleted since.</summary>
    public async ValueTask<CatalogueEntry?> CompleteAsync(CatalogueEntry entry, CancellationToken end)
    {
        if (!entry.IsOutline) return entry;
        end.ThrowIfCancellationRequested();
        return await store.ReadAsync(entry.Product.Id, end) is { } product ? new CatalogueEntry(product) : null;
    }

    public ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids)
    {
        var found = new ProductOnSale?[ids.Count];
        for (int i = 0; i < found.Length; i++)
        {
            if (catalogue.Find(ids[i]) is not { } entry) return FindMissingAsync(ids, found, i);
            found[i] = entry.OnSale;
        }

        return ValueTask.FromResult<IReadOnlyList<ProductOnSale?>>(found);
    }

    private async ValueTask<IReadOnlyList<ProductOnSale?>> FindMissingAsync(
        IReadOnlyList<string> ids, ProductOnSale?[] found, int start)
    {
        for (int i = start; i < found.Length; i++)
        {
            CatalogueEntry? entry =
                catalogue.Find(ids[i]) ?? await store.FindMissingAsync(ids[i], CancellationToken.None);
            found[i] = entry?.OnSale;
        }

        return found;
    }

    private async ValueTask<IResult> HandleIncompleteAsync(HttpContext http, string id) =>
        await FindAsync(http, id) is { } entry ? Answer(http, entry) : Problem.NotFound("product", id);

    private IResult Answer(HttpContext http, CatalogueEntry entry)
    {
        IResult answer = Preconditions.Of(http.Request).RefuseRead(entry.Tag, "product", entry.Product.Id) ?? entry;
        if (answer is not Problem && !HttpMethods.IsHead(http.Request.Method)) entry.CountView(metrics);
        return answer;
    }
}
