using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The routes of the inventory service.</summary>
internal sealed class InventoryApi(InventoryStore store, Restock restock, [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
{
    private static readonly WholeNumberField MaxLevel = new("max_level", 0, long.MaxValue)
    {
        Description = "Only products on sale of which at most so many units can be sold.",
        Example = "9",
    };

    private static readonly IReadOnlyList<Field> ListQuery = [MaxLevel, Paging.Limit, Paging.After];
    private static readonly IReadOnlyList<Field> MovementsQuery = [Paging.Limit, Paging.After];

    public void Map(ModuleRoutes routes)
    {
        const string Tag = "Inventory";
        const string StockExample = """{"product_id":"prod_0","stock_level":999990,"on_hand":1000000,"reserved":10,"last_updated":"2026-01-31T12:00:00Z"}""";
        const string ChangeExample = """{"product_id":"prod_0","new_stock_level":999995,"status":"Stock updated"}""";

        routes.Get("/inventory", List).WithQuery(ListQuery).CompressResponse()
            .WithName("listInventory").WithTags(Tag).WithSummary("List the stock")
            .WithDescription("Every product's stock, by product id.")
            .Produces<StockBody[]>(200, "A page.", $"[{StockExample}]");
        routes.Get("/inventory/{product_id}", Find).WithPathExample("prod_0")
            .WithName("getInventory").WithTags(Tag).WithSummary("Read the stock of a product")
            .WithDescription("stock_level is what can be sold: on_hand less reserved.")
            .Produces<StockBody>(200, "The stock.", StockExample)
            .ProducesProblem(404, "There is no such product.");
        routes.Post("/inventory/increase", restock.IncreaseAsync).WithBody("IncreaseStockRequest", [Restock.ProductId, Restock.Increase])
            .WithName("increaseStock").WithTags(Tag).WithSummary("Take units in")
            .WithDescription("Adds to what is on hand.")
            .Produces<StockChangeBody>(200, "Done, and on disk.", ChangeExample)
            .ProducesProblem(404, "There is no such product.");
        routes.Post("/inventory/decrease", restock.DecreaseAsync).WithBody("DecreaseStockRequest", [Restock.ProductId, Restock.Decrease])
            .WithName("decreaseStock").WithTags(Tag).WithSummary("Take units out")
            .WithDescription("Takes from what is on hand; what orders hold can't be taken.")
            .Produces<StockChangeBody>(200, "Done, and on disk.", ChangeExample)
            .ProducesProblem(404, "There is no such product.")
            .ProducesProblem(409, "Too little stock. Nothing was changed.");
        routes.Get("/inventory/{product_id}/movements", Movements).WithQuery(MovementsQuery).CompressResponse()
            .WithPathExample("prod_0")
            .WithName("listMovements").WithTags(Tag).WithSummary("List the movements of a product")
            .WithDescription("Newest first; on_hand and reserved are as they were after each. With Shop:OrderRetention, old ones are deleted: a last row of kind opening, with id 0, is their sum. X-Total-Count ends at 10,000, and X-Total-Count-Relation: gte says that there are more.")
            .Produces<MovementBody[]>(200, "A page.",
                """[{"id":"7","kind":"reserved","quantity":10,"order_id":"0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e","at":"2026-01-31T12:00:00Z","on_hand":1000000,"reserved":10}]""")
            .ProducesProblem(404, "There is no such product.");
    }

    private async ValueTask<IResult> List(HttpContext http)
    {
        Query query = Query.Of(http, ListQuery);
        long? maxLevel = query.Read(MaxLevel);
        long limit = query.Read(Paging.Limit)!.Value;
        string[]? cursor = query.ReadCursor(1);
        if (query.Error is { } error) return error;

        (IReadOnlyList<StockRow> rows, long total) = await module.QueryAsync(http, end => store.List(maxLevel, cursor?[0], limit + 1, end));
        IEnumerable<StockRow> page = Paging.Page(http, rows, limit, new RowTotal(total), row => row.ProductId);
        return JsonAnswer.Ok([.. page.Select(row => row.ToBody())], InventoryJson.Default.StockBodyArray);
    }

    private ValueTask<IResult> Find(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        return ValueTask.FromResult(store.Levels.Find(productId) is { } row
            ? JsonAnswer.Ok(row.ToBody(), InventoryJson.Default.StockBody)
            : Problem.NotFound("product", productId));
    }

    private async ValueTask<IResult> Movements(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        Query query = Query.Of(http, MovementsQuery);
        long limit = query.Read(Paging.Limit)!.Value;
        long? before = query.ReadRowCursor();
        if (query.Error is { } error) return error;
        if (store.Levels.Find(productId) is null) return Problem.NotFound("product", productId);

        (IReadOnlyList<MovementRow> rows, RowTotal total) = await module.QueryAsync(http, end =>
        {
            IReadOnlyList<MovementRow> read = store.Movements(productId, before, limit + 1, end);
            return (read, Paging.Count(read.Count, areAll: before is null && read.Count <= limit, atMost => store.CountMovements(productId, atMost, end)));
        });
        IEnumerable<MovementRow> page = Paging.Page(http, rows, limit, total, row => row.Id.ToString());
        return JsonAnswer.Ok([.. page.Select(row => row.ToBody())], InventoryJson.Default.MovementBodyArray);
    }
}
