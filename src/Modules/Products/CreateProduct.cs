using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>Creates a product, with its initial stock.</summary>
internal sealed class CreateProduct(
    IProductStore store, Catalogue catalogue, ProductMetrics metrics, StockInitialization stock)
{
    public static readonly IReadOnlyList<Field> Body =
        [.. ProductFields.Details, ProductFields.InitialStock, ProductFields.Id];

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
        using MemoryReservation memory = catalogue.Reserve(CatalogueEntry.BytesOf(details));
        ProductResult result = await store.CreateAsync(new NewProduct(id, details, initialStock), memory, key);
        if (ProblemOf(result, id, memory) is { } problem) return problem;

        CatalogueEntry created = result.Entry!;
        bool isReplayed = result.Outcome == ProductOutcome.Replayed;
        if (!isReplayed) metrics.Created();
        // A repeat may come while the first request is still running: its answer, too, must mean that Inventory has the
        // stock.
        if (!isReplayed || catalogue.Find(created.Product.Id) is not null)
            await stock.InitializeAsync(created.Product.Id, initialStock);
        IdempotencyKey.MarkReplayed(http, isReplayed);
        http.Response.StatusCode = StatusCodes.Status201Created;
        http.Response.Headers.Location = $"{http.Request.PathBase.ToUriComponent()}/products/{created.Product.Id}";
        return created;
    }

    private static Problem? ProblemOf(ProductResult result, string? id, MemoryReservation memory) =>
        result.Outcome switch
        {
            ProductOutcome.KeyReused => IdempotencyKey.Reused,
            ProductOutcome.IdTaken => Problem.Conflict($"The id '{id}' is taken, or was once.", "id-taken"),
            ProductOutcome.NoMemory => memory.Refusal,
            _ => null,
        };
}
