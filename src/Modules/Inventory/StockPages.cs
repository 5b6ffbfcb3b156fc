using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The stock board: levels with the short ones first, and a product with its movements.</summary>
internal sealed class StockPages(InventoryStore store, Restock restock, [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
{
    private const int BoardRows = 100;
    private const int MovementRows = 50;

    public void Map(ModuleRoutes routes)
    {
        routes.Home(Board);
        routes.Page("/stock/{product_id}", http => ShowAsync(http, (string)http.GetRouteValue("product_id")!, null));
        routes.Form("/stock/{product_id}", ChangeAsync);
    }

    private async ValueTask<IResult> Board(HttpContext http)
    {
        string? wanted = http.Request.Query["product_id"].ToString() is { Length: > 0 } id ? id.Trim() : null;
        IReadOnlyList<StockRow> rows = wanted is null ? await module.QueryAsync(http, _ => Shortest()) : store.Levels.Find(wanted) is { } row ? [row] : [];
        return new Page("Stock", new Pages_Stock { Model = new StockModel(rows, wanted) });
    }

    private StockRow[] Shortest() => [.. store.Levels.Sold.OrderBy(stock => stock.StockLevel).ThenBy(stock => stock.ProductId, StringComparer.Ordinal).Take(BoardRows)];

    private async ValueTask<IResult> ShowAsync(HttpContext http, string productId, string? refusal)
    {
        if (store.Levels.Find(productId) is not { } row) return Problem.NotFound("product", productId);
        IReadOnlyList<MovementRow> movements = await module.QueryAsync(http, end => store.Movements(productId, null, MovementRows, end));
        return new Page($"Stock of {productId}", new Pages_Movements { Model = new MovementsModel(row, movements, refusal, Guid.NewGuid().ToString(), Site.Of(http).TakesForms) })
        {
            Status = refusal is null ? StatusCodes.Status200OK : StatusCodes.Status409Conflict,
        };
    }

    private async ValueTask<IResult> ChangeAsync(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        IFormCollection form = await http.Request.ReadFormAsync();
        MovementKind? kind = form["action"].ToString() switch { "increase" => MovementKind.Received, "decrease" => MovementKind.Removed, _ => null };
        if (kind is null) return await ShowAsync(http, productId, "There is no such change.");
        if (Restock.Units.Read(form["quantity"].ToString(), out long? quantity) is { } fault) return await ShowAsync(http, productId, $"Units {fault}.");
        // The form's key makes it safe to send twice by a double click.
        string? key = form["key"];
        if (!IdempotencyKey.IsKey(key)) key = null;
        Reply<Restock.Change> reply = await restock.ChangeAsync(kind, productId, quantity!.Value, key);
        if (reply.Problem is { } problem) return await ShowAsync(http, productId, problem.Error);
        return Page.SeeOther($"/stock/{Uri.EscapeDataString(productId)}");
    }
}

/// <summary>Levels.</summary>
internal sealed record StockModel(IReadOnlyList<StockRow> Rows, string? Wanted);

/// <summary>A product's stock and what moved it.</summary>
internal sealed record MovementsModel(StockRow Row, IReadOnlyList<MovementRow> Movements, string? Error, string Key, bool TakesForms)
{
    private const double Width = 600, Height = 120;

    /// <summary>The movements, without the opening balance.</summary>
    public IEnumerable<MovementRow> Moved => Movements.Where(movement => movement.Kind != MovementRow.Opening);

    /// <summary>The stock level after each movement, oldest first, as points of a line in a box of 600 by 120.</summary>
    public string Line
    {
        get
        {
            long[] levels = [.. Moved.Reverse().Select(movement => movement.OnHand - movement.Reserved)];
            double low = levels.Min(), span = Math.Max(1, levels.Max() - low);
            return string.Join(' ', levels.Select((level, i) =>
                string.Create(CultureInfo.InvariantCulture, $"{Width * i / Math.Max(1, levels.Length - 1):0.#},{Height - 5 - ((Height - 10) * (level - low) / span):0.#}")));
        }
    }
}
