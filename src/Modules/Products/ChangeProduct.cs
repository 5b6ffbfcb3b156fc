using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>Replaces or deletes a product, if the client's preconditions hold.</summary>
internal sealed class ChangeProduct(
    IProductStore store, Catalogue catalogue, ProductMetrics metrics, StockInitialization stock)
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
        using MemoryReservation memory = catalogue.Reserve(CatalogueEntry.BytesOf(details));
        var conditions = new ChangeConditions(preconditions, memory);
        ProductResult result = await store.ReplaceAsync(id, details, conditions, key);
        if (ProblemOf(result, id, conditions) is { } problem) return problem;

        if (result.Outcome == ProductOutcome.Done) metrics.Updated();
        IdempotencyKey.MarkReplayed(http, result.Outcome == ProductOutcome.Replayed);
        return result.Entry!;
    }

    public async ValueTask<IResult> DeleteAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        var errors = new ValidationErrors();
        string? keyText = IdempotencyKey.Read(http, errors);
        var preconditions = Preconditions.Of(http.Request, errors);
        if (errors.Any) return Problem.Invalid(errors);

        var key = IdempotencyKey.Of(keyText, "delete", id);
        var conditions = new ChangeConditions(preconditions);
        ProductResult result = await store.DeleteAsync(id, conditions, key);
        if (ProblemOf(result, id, conditions) is { } problem) return problem;

        if (result.Outcome == ProductOutcome.Done) metrics.Deleted();
        IdempotencyKey.MarkReplayed(http, result.Outcome == ProductOutcome.Replayed);
        FaultPoint.Reach("deleted");
        await stock.RetireAsync(id);
        return NoContent.Done;
    }

    private static Problem? ProblemOf(ProductResult result, string id, ChangeConditions conditions) =>
        result.Outcome switch
        {
            ProductOutcome.KeyReused => IdempotencyKey.Reused,
            ProductOutcome.Unknown => Problem.NotFound("product", id),
            ProductOutcome.ConditionsFailed => conditions.ProblemOf(result.Entry!),
            _ => null,
        };
}
