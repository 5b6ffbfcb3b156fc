using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>A product comes into the catalogue, with its first units.</summary>
internal sealed class CreateProduct(
    ProductStore store, Catalogue catalogue, ProductMetrics metrics, StockInitialization stock,
    [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    public static readonly IReadOnlyList<Field> Body = [.. ProductFields.Details, ProductFields.InitialStock, ProductFields.Id];

    public async ValueTask<IResult> HandleAsync(HttpContext http)
    {
        using RequestBody body = RequestBody.Read(http);
        ProductDetails details = body.Root.ReadDetails();
        long initialStock = body.Root.Read(ProductFields.InitialStock)!.Value;
        string? id = body.Root.Read(ProductFields.Id);
        string? keyText = IdempotencyKey.Read(http, body.Errors);
        if (body.Error is { } error) return error;

        var key = IdempotencyKey.Of(keyText, "create", id, details.Name, details.Description,
            details.PriceCents.ToString(), details.Category, initialStock.ToString());
        using Catalogue.Room room = catalogue.Take(CatalogueEntry.BytesOf(details));
        Reply<CatalogueEntry> reply = await store.Writes.WriteAsync(
            () => store.Keys.Once(key, module.Now(), () => room.IsEnough ? Insert(id, details, initialStock) : WriteResult.Rollback(Reply.Refused<CatalogueEntry>(room.Error)),
                static entry => Encoding.UTF8.GetString(entry.Json), CatalogueEntry.Of),
            made =>
            {
                catalogue.Put([made.Value!]);
                metrics.Created();
            });
        if (reply.Value is not { } created) return reply.Problem!;

        // A repeat may come while the first is still here: its answer says that Inventory has the units, too.
        if (!reply.IsReplayed || catalogue.Find(created.Product.Id) is not null)
            await stock.OpenAsync(created.Product.Id, initialStock);
        IdempotencyKey.MarkReplayed(http, reply.IsReplayed);
        http.Response.StatusCode = StatusCodes.Status201Created;
        http.Response.Headers.Location = $"{http.Request.PathBase.ToUriComponent()}/products/{created.Product.Id}";
        return created;
    }

    private WriteResult<Reply<CatalogueEntry>> Insert(string? id, ProductDetails details, long initialStock)
    {
        long now = module.Now().ToMilliseconds();
        while (true)
        {
            var product = new Product(id ?? $"prod_{store.NextNumber()}", details.Name, details.Description, details.PriceCents, details.Category, 1, now, now);
            if (store.Insert(product, initialStock)) return WriteResult.Commit(Reply.Done(new CatalogueEntry(product)));
            if (id is not null)
                return WriteResult.Rollback(Reply.Refused<CatalogueEntry>(Problem.Conflict($"The id '{id}' is taken, or was once.", "id-taken")));

            // A client has taken this number as an id of its own: on to the next.
        }
    }
}
