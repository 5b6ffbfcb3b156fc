using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>Adds units to the stock, or removes them without an order.</summary>
internal sealed class AdjustStock(IStockStore store, InventoryMetrics metrics)
{
    public static readonly TextField ProductId = new("product_id", 1, 64)
    {
        Description = "The product.",
        Example = "\"prod_0\"",
        IsRequired = true,
    };

    public static readonly WholeNumberField Increase =
        Quantity("quantity_increased", "Units that came in. The name quantity is accepted too.");

    public static readonly WholeNumberField Decrease =
        Quantity("quantity_decreased", "Units that left. The name quantity is accepted too.");

    public static readonly WholeNumberField Units = Quantity("quantity", "Units.");

    public ValueTask<IResult> IncreaseAsync(HttpContext http) => HandleAsync(http, MovementKind.Received, Increase);

    public ValueTask<IResult> DecreaseAsync(HttpContext http) => HandleAsync(http, MovementKind.Removed, Decrease);

    /// <summary>Adjusts the stock of a product, and counts the movement.</summary>
    /// <returns>The result, and the problem that it is to a client; null if the stock is adjusted.</returns>
    public async ValueTask<(AdjustResult Result, Problem? Problem)> AdjustAsync(
        MovementKind kind, string productId, long quantity, string? keyText)
    {
        var key = IdempotencyKey.Of(keyText, kind.Name, productId, quantity.ToString());
        AdjustResult result = await store.AdjustAsync(kind, productId, quantity, key);
        if (result.Outcome == AdjustOutcome.Adjusted) metrics.Moved(kind, new MovementTotals(1, quantity));
        return (result, result.Outcome switch
        {
            AdjustOutcome.KeyReused => IdempotencyKey.Reused,
            AdjustOutcome.UnknownProduct => Problem.NotFound("product", productId),
            AdjustOutcome.TooLittleStock => Problem.Conflict(
                $"Too little stock: only {result.Available} of {productId} can be removed, not {quantity}.",
                "insufficient-stock"),
            _ => null,
        });
    }

    private async ValueTask<IResult> HandleAsync(HttpContext http, MovementKind kind, WholeNumberField field)
    {
        using RequestBody body = RequestBody.Read(http);
        string? productId = body.Root.Read(ProductId);
        long? quantity = ReadQuantity(body, field);
        string? key = IdempotencyKey.Read(http, body.Errors);
        if (body.Error is { } error) return error;

        (AdjustResult result, Problem? problem) = await AdjustAsync(kind, productId!, quantity!.Value, key);
        if (problem is not null) return problem;
        IdempotencyKey.MarkReplayed(http, result.Outcome == AdjustOutcome.Replayed);
        var answer = new StockChangeBody(productId!, result.Available, "Stock updated");
        return JsonResponse.Ok(answer, InventoryJson.Default.StockChangeBody);
    }

    private static long? ReadQuantity(RequestBody body, WholeNumberField field)
    {
        if (!body.Root.Has(Units)) return body.Root.Read(field);
        long? quantity = body.Root.Read(Units);
        if (body.Root.Has(field) && body.Root.Read(field) != quantity)
            body.Errors.Add(field.Name, "differs from quantity; send one of the two");
        return quantity;
    }

    private static WholeNumberField Quantity(string name, string description) => new(name, 1, 1_000_000_000)
    {
        Description = description,
        Example = "5",
        IsRequired = true,
    };
}
