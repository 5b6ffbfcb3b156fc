using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>
/// A product is replaced or deleted. Preconditions are held against what the write finds: no change is lost to another.
/// </summary>
internal sealed class ChangeProduct(
    ProductStore store, Catalogue catalogue, ProductMetrics metrics, StockInitialization stock, [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    public async ValueTask<IResult> ReplaceAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        using RequestBody body = RequestBody.Read(http);
        ProductDetails details = body.Root.ReadDetails();
        string? keyText = IdempotencyKey.Read(http, body.Errors);
        var preconditions = Preconditions.Of(http.Request, body.Errors);
        if (body.Error is { } error) return error;

        var key = IdempotencyKey.Of(keyText, "replace", id, details.Name, details.Description,
            details.PriceCents.ToString(), details.Category);
        using Catalogue.Room room = catalogue.Take(CatalogueEntry.BytesOf(details));
        Reply<CatalogueEntry> reply = await store.Writes.WriteAsync(
            () => store.Keys.Once(key, module.Now(), () => Replace(id, details, preconditions, room),
                static entry => Encoding.UTF8.GetString(entry.Json), CatalogueEntry.Of),
            made =>
            {
                catalogue.Put([made.Value!]);
                metrics.Updated();
            });
        if (reply.Value is not { } replaced) return reply.Problem!;
        IdempotencyKey.MarkReplayed(http, reply.IsReplayed);
        return replaced;
    }

    public async ValueTask<IResult> DeleteAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        var errors = new ValidationErrors();
        string? keyText = IdempotencyKey.Read(http, errors);
        var preconditions = Preconditions.Of(http.Request, errors);
        if (errors.Any) return Problem.Invalid(errors);

        var key = IdempotencyKey.Of(keyText, "delete", id);
        Reply<string> reply = await store.Writes.WriteAsync(
            () => store.Keys.Once(key, module.Now(), () => Delete(id, preconditions), static _ => "", _ => id),
            _ =>
            {
                catalogue.Remove(id);
                metrics.Deleted();
            });
        if (reply.Problem is { } problem) return problem;
        IdempotencyKey.MarkReplayed(http, reply.IsReplayed);
        FaultPoint.Reach("deleted");
        await stock.RetireAsync(id);
        return NoContent.Done;
    }

    private WriteResult<Reply<CatalogueEntry>> Replace(string id, ProductDetails details, Preconditions preconditions, Catalogue.Room room)
    {
        if (Refuse(id, preconditions, out Product? old) is { } problem)
            return WriteResult.Rollback(Reply.Refused<CatalogueEntry>(problem));
        // A product may always become smaller, or no larger than it is.
        if (!room.IsEnough && room.Bytes > CatalogueEntry.BytesOf(old!.Details))
            return WriteResult.Rollback(Reply.Refused<CatalogueEntry>(room.Error));

        var product = new Product(id, details.Name, details.Description, details.PriceCents, details.Category,
            old!.Version + 1, old.CreatedAt, module.Now().ToMilliseconds(notBefore: old.UpdatedAt));
        store.Update(product);
        return WriteResult.Commit(Reply.Done(new CatalogueEntry(product)));
    }

    private WriteResult<Reply<string>> Delete(string id, Preconditions preconditions)
    {
        if (Refuse(id, preconditions, out _) is { } problem) return WriteResult.Rollback(Reply.Refused<string>(problem));
        store.Delete(id, module.Now().ToMilliseconds());
        return WriteResult.Commit(Reply.Done(id));
    }

    private Problem? Refuse(string id, Preconditions preconditions, out Product? product)
    {
        product = store.Find(id);
        // The row, not the catalogue: an earlier write of this very batch may have changed it.
        return product is null
            ? Problem.NotFound("product", id)
            : preconditions.RefuseChange(new CatalogueEntry(product).Tag, "product", id);
    }
}
