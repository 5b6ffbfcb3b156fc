using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>A product is replaced or deleted. <c>If-Match</c> is held against what the write finds, so no change is lost to another.</summary>
internal sealed class ChangeProduct(
    ProductStore store, Catalogue catalogue, ProductMetrics metrics, [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    public static readonly TextField IfMatch = new("If-Match", 1, 2000)
    {
        Description = "The ETag of what the client has seen: where the product has changed since, the answer is 412 and nothing changes.",
        Example = "\"\\\"6b1f5c2a9d3e4f5061728394\\\"\"",
    };

    public async ValueTask<IResult> ReplaceAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        using RequestBody body = RequestBody.Read(http);
        ProductDetails details = body.Root.ReadDetails();
        if (body.Refusal is { } refusal) return refusal;

        StringValues ifMatch = http.Request.Headers.IfMatch;
        (CatalogueEntry? replaced, Problem? problem) = await store.Writes.WriteAsync(() => Replace(id, details, ifMatch), change =>
        {
            catalogue.Put([change.Entry!]);
            metrics.Updated();
        });
        return problem ?? (IResult)replaced!;
    }

    public async ValueTask<IResult> DeleteAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        StringValues ifMatch = http.Request.Headers.IfMatch;
        Problem? problem = await store.Writes.WriteAsync(() => Delete(id, ifMatch), _ =>
        {
            catalogue.Remove(id);
            metrics.Deleted();
        });
        return problem ?? (IResult)NoContent.Done;
    }

    private Outcome<(CatalogueEntry? Entry, Problem? Problem)> Replace(string id, ProductDetails details, StringValues ifMatch)
    {
        if (Refuse(id, ifMatch, out Product? old) is { } problem) return Outcome.Undo<(CatalogueEntry?, Problem?)>((null, problem));
        var product = new Product(id, details.Name, details.Description, details.PriceCents, details.Category,
            old!.Version + 1, old.CreatedAt, module.Now().ToMilliseconds());
        store.Update(product);
        return Outcome.Keep<(CatalogueEntry?, Problem?)>((new CatalogueEntry(product), null));
    }

    private Outcome<Problem?> Delete(string id, StringValues ifMatch)
    {
        if (Refuse(id, ifMatch, out _) is { } problem) return Outcome.Undo<Problem?>(problem);
        store.Delete(id, module.Now().ToMilliseconds());
        return Outcome.Keep<Problem?>(null);
    }

    private Problem? Refuse(string id, StringValues ifMatch, out Product? product)
    {
        product = store.Find(id);
        if (product is null) return Problem.NotFound("product", id);
        // The row, not the catalogue: an earlier write of this very batch may have changed it.
        return ifMatch.Count == 0 || EntityTag.Allows(ifMatch, new CatalogueEntry(product).Tag)
            ? null
            : new Problem(StatusCodes.Status412PreconditionFailed, $"The product '{id}' has changed since; read it again.", "precondition-failed");
    }
}
