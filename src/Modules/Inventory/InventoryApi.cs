using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The routes of the inventory service.</summary>
internal sealed class InventoryApi(IStockStore store, AdjustStock adjustStock,
    [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
{
    private static readonly WholeNumberField MaxLevel = new("max_level", 0, long.MaxValue)
    {
        Description = "Only products on sale with a stock_level of at most this.",
        Example = "9",
    };

    private static readonly IReadOnlyList<Field> ListQuery = [MaxLevel, Paging.Limit, Paging.After];
    private static readonly IReadOnlyList<Field> MovementsQuery = [Paging.Limit, Paging.After];

    public void Map(ModuleRoutes routes)
    {
        const string Tag = "Inventory";
        const string StockExample = """
            {"product_id":"prod_0","stock_level":999990,"on_hand":1000000,"reserved":10,
            "last_updated":"2026-01-31T12:00:00Z"}
            """;
        const string MovementExample = """
            {"id":"7","kind":"reserved","quantity":10,"order_id":"0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e",
            "at":"2026-01-31T12:00:00Z","on_hand":1000000,"reserved":10}
            """;
        const string ChangeExample = """{"product_id":"prod_0","new_stock_level":999995,"status":"Stock updated"}""";

        routes.Get("/inventory", List).WithQuery(ListQuery).CompressResponse()
            .WithName("listInventory").WithTags(Tag).WithSummary("List the stock")
            .WithDescription("Every product's stock, by product id.")
            .Produces<StockBody[]>(200, "A page.", $"[{StockExample}]");
        routes.Get("/inventory/{product_id}", Find).WithPathExample("prod_0")
            .WithName("getInventory").WithTags(Tag).WithSummary("Read the stock of a product")
            .WithDescription("stock_level is the number of units that can be sold: on_hand less reserved.")
            .Produces<StockBody>(200, "The stock.", StockExample)
            .ProducesProblem(404, "There is no such product.");
        routes.Post("/inventory/increase", adjustStock.IncreaseAsync)
            .WithBody("IncreaseStockRequest", [AdjustStock.ProductId, AdjustStock.Increase])
            .WithName("increaseStock").WithTags(Tag).WithSummary("Increase the stock")
            .WithDescription("Adds units to those on hand, by a movement of kind received.")
            .Produces<StockChangeBody>(200, "Done, and on disk.", ChangeExample)
            .ProducesProblem(404, "There is no such product.");
        routes.Post("/inventory/decrease", adjustStock.DecreaseAsync)
            .WithBody("DecreaseStockRequest", [AdjustStock.ProductId, AdjustStock.Decrease])
            .WithName("decreaseStock").WithTags(Tag).WithSummary("Decrease the stock")
            .WithDescription("Removes units from those on hand, by a movement of kind removed. Units that orders hold "
                + "can't be removed.")
            .Produces<StockChangeBody>(200, "Done, and on disk.", ChangeExample)
            .ProducesProblem(404, "There is no such product.")
            .ProducesProblem(409, "Too little stock. Nothing was changed.");
        routes.Get("/inventory/{product_id}/movements", Movements).WithQuery(MovementsQuery).CompressResponse()
            .WithPathExample("prod_0")
            .WithName("listMovements").WithTags(Tag).WithSummary("List the movements of a product")
            .WithDescription(
                "Newest first; on_hand and reserved are the figures after each movement. With Shop:OrderRetention, "
                + "old movements are deleted: a last row of kind opening, with id 0, is their sum. X-Total-Count "
                + "ends at 10,000, and X-Total-Count-Relation: gte says that there are more.")
            .Produces<MovementBody[]>(200, "A page.", $"[{MovementExample}]")
            .ProducesProblem(404, "There is no such product.");
    }

    private async ValueTask<IResult> List(HttpContext http)
    {
        Query query = Query.Of(http, ListQuery);
        long? maxLevel = query.Read(MaxLevel);
        int limit = (int)query.Read(Paging.Limit)!.Value;
        string[]? cursor = query.ReadCursor(1);
        if (query.Error is { } error) return error;

        (PageOf<StockLevel> page, RowTotal total) = await module.QueryAsync(http, end =>
            store.ListAsync(maxLevel, cursor?[0], limit, end));
        IReadOnlyList<StockLevel> levels = Paging.Page(http, page, total, level => level.ProductId);
        return JsonResponse.Ok([.. levels.Select(level => level.ToBody())], InventoryJson.Default.StockBodyArray);
    }

    private async ValueTask<IResult> Find(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        return await store.FindAsync(productId, http.RequestAborted) is { } level
            ? JsonResponse.Ok(level.ToBody(), InventoryJson.Default.StockBody)
            : Problem.NotFound("product", productId);
    }

    private async ValueTask<IResult> Movements(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        Query query = Query.Of(http, MovementsQuery);
        int limit = (int)query.Read(Paging.Limit)!.Value;
        long? cursor = query.ReadRowCursor();
        if (query.Error is { } error) return error;
        if (await store.FindAsync(productId, http.RequestAborted) is null)
            return Problem.NotFound("product", productId);

        (PageOf<Movement> page, RowTotal total) = await module.QueryAsync(http, end =>
            store.ListMovementsAsync(productId, cursor, limit, end));
        IReadOnlyList<Movement> movements = Paging.Page(http, page, total, movement => movement.Id.ToString());
        return JsonResponse.Ok([.. movements.Select(movement => movement.ToBody())],
            InventoryJson.Default.MovementBodyArray);
    }
}
