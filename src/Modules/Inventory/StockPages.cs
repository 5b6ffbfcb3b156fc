using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>The stock board, lowest stock first, and a page for each product with its movements.</summary>
internal sealed class StockPages(IStockStore store, AdjustStock adjustStock, IProductNames names,
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
            : await SearchAsync(http, wanted);
        var model = new StockModel([.. levels.Select(level => (level, names.NameOf(level.ProductId)))], wanted);
        return new Page("Stock", new Pages_Stock { Model = model });
    }

    // The product with that id, and those with such a name.
    private async ValueTask<IReadOnlyList<StockLevel>> SearchAsync(HttpContext http, string wanted)
    {
        string[] ids = await module.QueryAsync(http, _ => ValueTask.FromResult(
            names.Search(wanted).Prepend(wanted).Distinct(StringComparer.Ordinal).Take(BoardRows).ToArray()));
        return [.. (await store.FindAsync(ids, http.RequestAborted)).OfType<StockLevel>()];
    }

    private async ValueTask<IResult> ShowAsync(HttpContext http, string productId, string? error)
    {
        if (await store.FindAsync(productId, http.RequestAborted) is not { } level)
            return Problem.NotFound("product", productId);
        IReadOnlyList<Movement> movements = await module.QueryAsync(http, end =>
            store.NewestMovementsAsync(productId, MovementRows, end));
        string? name = names.NameOf(productId);
        var model = new MovementsModel(level, name, movements, error, Guid.NewGuid().ToString(), Site.Of(http));
        return new Page($"Stock of {name ?? productId}", new Pages_Movements { Model = model })
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
        if (AdjustStock.Units.Read(form["quantity"].ToString(), out long? quantity) is { } error)
            return await ShowAsync(http, productId, $"Units {error}.");
        // With the form's key, a double click changes the stock once.
        string? key = IdempotencyKey.OfClient(http, form["key"]);
        (_, Problem? problem) = await adjustStock.AdjustAsync(kind, productId, quantity!.Value, key);
        if (problem is not null) return await ShowAsync(http, productId, problem.Error);
        return Page.SeeOther($"/stock/{Uri.EscapeDataString(productId)}");
    }
}

/// <summary>Levels, each with the product's name if it is on sale.</summary>
internal sealed record StockModel(IReadOnlyList<(StockLevel Stock, string? Name)> Levels, string? Wanted);

/// <summary>A product's stock and its movements.</summary>
internal sealed record MovementsModel(
    StockLevel Level, string? Name, IReadOnlyList<Movement> Movements, string? Error, string Key, Site Site)
{
    /// <summary>The stock level after each movement but the opening balance; null if that is no line yet.</summary>
    public LevelChart? Chart
    {
        get
        {
            long[] levels = [.. Movements.Where(movement => movement.Kind != Movement.OpeningBalance).Reverse()
                .Select(movement => movement.OnHand - movement.Reserved)];
            return levels.Length > 1 ? new LevelChart(levels) : null;
        }
    }
}

/// <summary>A line of stock levels, oldest first.</summary>
internal sealed record LevelChart(IReadOnlyList<long> Levels)
{
    private const double Width = 600, Height = 120, Margin = 5;

    /// <summary>The upper end of the axis.</summary>
    public long Top => Math.Max(1, Levels.Max());

    /// <summary>The lower end of the axis: 0, unless all changes would be less than a tenth of it.</summary>
    public long Bottom => Levels.Min() < Top && Top - Levels.Min() < Top / 10 ? Levels.Min() : 0;

    /// <summary>Its points, in a box of 600 by 120.</summary>
    public string Line => string.Join(' ', Levels.Select((level, i) =>
    {
        double x = Width * i / (Levels.Count - 1);
        double y = Height - Margin - ((Height - (2 * Margin)) * (level - Bottom) / (Top - Bottom));
        return string.Create(CultureInfo.InvariantCulture, $"{x:0.#},{y:0.#}");
    }));
}
