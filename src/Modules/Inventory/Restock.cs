using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>Units come into the stock, or leave it without an order.</summary>
internal sealed class Restock(
    InventoryStore store, InventoryMetrics metrics, [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
{
    public static readonly TextField ProductId = new("product_id", 1, 64)
    {
        Description = "The product.",
        Example = "\"prod_0\"",
        IsRequired = true,
    };

    public static readonly WholeNumberField Increase = Quantity("quantity_increased", "Units that came in; quantity is taken too.");
    public static readonly WholeNumberField Decrease = Quantity("quantity_decreased", "Units that left; quantity is taken too.");
    public static readonly WholeNumberField Units = Quantity("quantity", "Units.");

    public async ValueTask<IResult> IncreaseAsync(HttpContext http) => await ChangeAsync(http, MovementKind.Received, Increase);

    public async ValueTask<IResult> DecreaseAsync(HttpContext http) => await ChangeAsync(http, MovementKind.Removed, Decrease);

    private async Task<IResult> ChangeAsync(HttpContext http, MovementKind kind, WholeNumberField field)
    {
        using RequestBody body = RequestBody.Read(http);
        string? productId = body.Root.Read(ProductId);
        long? quantity = ReadQuantity(body, field);
        string? key = IdempotencyKey.Read(http, body.Errors);
        if (body.Error is { } error) return error;

        Reply<Change> reply = await ChangeAsync(kind, productId!, quantity!.Value, key);
        if (reply.Value is not { } change) return reply.Problem!;
        IdempotencyKey.MarkReplayed(http, reply.IsReplayed);
        var answer = new StockChangeBody(productId!, change.Level, "Stock updated");
        return JsonAnswer.Ok(answer, InventoryJson.Default.StockChangeBody);
    }

    /// <summary>Units come in, or leave; or it says why not.</summary>
    public Task<Reply<Change>> ChangeAsync(MovementKind kind, string productId, long quantity, string? keyText)
    {
        var key = IdempotencyKey.Of(keyText, kind.Name, productId, quantity.ToString());
        return store.Writes.WriteAsync(
            () =>
            {
                DateTime now = module.Now();
                return store.Keys.Once(key, now, () => Apply(kind, productId, quantity, now),
                    change => change.Level.ToString(), level => new Change(long.Parse(level)));
            },
            made => metrics.Moved(made.Value!.Movement!.Value));
    }

    private WriteResult<Reply<Change>> Apply(MovementKind kind, string productId, long quantity, DateTime now)
    {
        if (store.Move(kind, productId, quantity, null, now) is { } movement)
            return WriteResult.Commit(Reply.Done(new Change(movement.StockLevel, movement)));

        return WriteResult.Rollback(Reply.Refused<Change>(store.LevelOf(productId) is { } level
            ? Problem.Conflict($"Too little stock: {productId} has {level}, {quantity} should go.", "insufficient-stock")
            : Problem.NotFound("product", productId)));
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

    /// <summary>A change that was made.</summary>
    /// <param name="Level">The stock level after it.</param>
    /// <param name="Movement">The movement; null if it was made by an earlier, equal request.</param>
    internal sealed record Change(long Level, Movement? Movement = null);
}
