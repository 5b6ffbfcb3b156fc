using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The stock board, lowest stock first, and a page for each product with its movements.</summary>
internal sealed class StockPages(IStockStore store, AdjustStock adjustStock,
    [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
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
        IReadOnlyList<StockLevel> levels = wanted is null
            ? await module.QueryAsync(http, end => store.LowestAsync(BoardRows, end))
            : await store.FindAsync(wanted, http.RequestAborted) is { } level ? [level] : [];
        return new Page("Stock", new Pages_Stock { Model = new StockModel(levels, wanted) });
    }

    private async ValueTask<IResult> ShowAsync(HttpContext http, string productId, string? error)
    {
        if (await store.FindAsync(productId, http.RequestAborted) is not { } level)
            return Problem.NotFound("product", productId);
        IReadOnlyList<Movement> movements = await module.QueryAsync(http, end =>
            store.NewestMovementsAsync(productId, MovementRows, end));
        var model = new MovementsModel(level, movements, error, Guid.NewGuid().ToString(), Site.Of(http).TakesForms);
        return new Page($"Stock of {productId}", new Pages_Movements { Model = model })
        {
            Status = error is null ? StatusCodes.Status200OK : StatusCodes.Status409Conflict,
        };
    }

    private async ValueTask<IResult> ChangeAsync(HttpContext http)
    {
        string productId = (string)http.GetRouteValue("product_id")!;
        IFormCollection form = await http.Request.ReadFormAsync();
        MovementKind? kind = form["action"].ToString() switch
        {
            "increase" => MovementKind.Received,
            "decrease" => MovementKind.Removed,
            _ => null,
        };
        if (kind is null) return await ShowAsync(http, productId, "There is no such change.");
        if (AdjustStock.Units.Read(form["quantity"].ToString(), out long? quantity) is { } fault)
            return await ShowAsync(http, productId, $"Units {fault}.");
        // With the form's key, a double click changes the stock once.
        string? key = form["key"];
        if (!IdempotencyKey.IsKey(key)) key = null;
        (_, Problem? problem) = await adjustStock.AdjustAsync(kind, productId, quantity!.Value, key);
        if (problem is not null) return await ShowAsync(http, productId, problem.Error);
        return Page.SeeOther($"/stock/{Uri.EscapeDataString(productId)}");
    }
}

/// <summary>Levels.</summary>
internal sealed record StockModel(IReadOnlyList<StockLevel> Levels, string? Wanted);

/// <summary>A product's stock and its movements.</summary>
internal sealed record MovementsModel(
    StockLevel Level, IReadOnlyList<Movement> Movements, string? Error, string Key, bool TakesForms)
{
    private const double Width = 600, Height = 120;

    /// <summary>The movements, without the opening balance.</summary>
    public IEnumerable<Movement> Moved => Movements.Where(movement => movement.Kind != Movement.OpeningBalance);

    /// <summary>The stock level after each movement, oldest first, as points of a line in a box of 600 by
    /// 120.</summary>
    public string Line
    {
        get
        {
            long[] levels = [.. Moved.Reverse().Select(movement => movement.OnHand - movement.Reserved)];
            double low = levels.Min(), span = Math.Max(1, levels.Max() - low);
            return string.Join(' ', levels.Select((level, i) =>
            {
                double x = Width * i / Math.Max(1, levels.Length - 1);
                double y = Height - 5 - ((Height - 10) * (level - low) / span);
                return string.Create(CultureInfo.InvariantCulture, $"{x:0.#},{y:0.#}");
            }));
        }
    }
}
