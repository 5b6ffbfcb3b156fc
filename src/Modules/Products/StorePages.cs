using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>The storefront: search, a product, the basket. The basket is a cookie, so it survives a reload and needs no account.</summary>
internal sealed class StorePages(
    Catalogue catalogue, ListProducts listProducts, ProductMetrics metrics, [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    private readonly string _currency = module.Settings.Currency;

    private const int PageSize = 24;
    private const int MaxLines = 50;
    private const string BasketCookie = "basket";

    public void Map(ModuleRoutes routes)
    {
        routes.Home(Store);
        routes.Page("/product/{id}", Product);
        routes.Page("/basket", http => ValueTask.FromResult<IResult>(new Page("Basket", new Pages_Basket { Model = Basket(http) })));
        routes.Form("/basket", ChangeBasketAsync);
    }

    private async ValueTask<IResult> Store(HttpContext http)
    {
        IQueryCollection query = http.Request.Query;
        var search = new Search(Value(query["q"]), Value(query["category"]), Cents(ListProducts.MinPrice, query["min_price"]), Cents(ListProducts.MaxPrice, query["max_price"]), Value(query["sort"]),
            int.TryParse(query["page"], NumberStyles.None, CultureInfo.InvariantCulture, out int page) ? Math.Clamp(page, 1, 10_000) : 1);
        (IReadOnlyList<CatalogueEntry> entries, int total) = await module.QueryAsync(http, end =>
            listProducts.Search(search.Category, search.Text, search.MinCents, search.MaxCents, search.Sort, (search.Page - 1) * PageSize, PageSize, end));
        return new Page("Storefront", new Pages_Store { Model = new StoreModel(search, [.. entries.Select(entry => entry.Product)], total, catalogue.View.Categories, Site.Of(http).TakesForms, PageSize, _currency) });
    }

    private async ValueTask<IResult> Product(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        if (catalogue.Find(id) is not { } entry) return Problem.NotFound("product", id);
        CatalogueEntry? whole = entry.IsOutline ? await module.QueryAsync(http, end => listProducts.Whole(entry, end)) : entry;
        if (whole is null) return Problem.NotFound("product", id);
        if (!HttpMethods.IsHead(http.Request.Method)) entry.CountView(metrics);
        return new Page(whole.Product.Name, new Pages_Product { Model = new ProductModel(whole.Product, Site.Of(http).TakesForms, _currency) });
    }

    private async ValueTask<IResult> ChangeBasketAsync(HttpContext http)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        bool isAddition = form["action"] == "add";
        Dictionary<string, long> lines = Read(http);
        foreach ((string? product, string? quantity) in form["product_id"].Zip(form["quantity"]))
        {
            if (product is null || catalogue.Find(product) is null || !long.TryParse(quantity, NumberStyles.None, CultureInfo.InvariantCulture, out long units)) continue;
            lines[product] = Math.Clamp((isAddition ? lines.GetValueOrDefault(product) : 0) + units, 0, 10_000);
        }

        string basket = string.Join('~', lines.Where(line => line.Value > 0).Take(MaxLines).Select(line => $"{line.Key}.{line.Value}"));
        http.Response.Cookies.Append(BasketCookie, basket, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Lax, MaxAge = TimeSpan.FromDays(30), IsEssential = true, Secure = http.Request.IsHttps });
        return Page.SeeOther("/basket");
    }

    private BasketModel Basket(HttpContext http) =>
        new([.. Read(http).Select(line => (catalogue.Find(line.Key)?.Product, line.Value)).Where(line => line.Product is not null).Select(line => (line.Product!, line.Value))],
            Guid.NewGuid().ToString(), Site.Of(http), _currency);

    // What a browser sends of it is not believed: what is no product, or no number, is left out.
    private static Dictionary<string, long> Read(HttpContext http)
    {
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string line in (http.Request.Cookies[BasketCookie] ?? "").Split('~').Take(MaxLines))
        {
            if (line.Split('.') is [var product, var quantity] && long.TryParse(quantity, NumberStyles.None, CultureInfo.InvariantCulture, out long units))
                lines[product] = Math.Clamp(units, 0, 10_000);
        }

        return lines;
    }

    // Text is looked for as it was typed, as the API does; a price that is none does not filter.
    private static string? Value(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static long? Cents(MoneyField field, string? text) => field.Read(text ?? "", out long? cents) is null ? cents : null;
}

/// <summary>What was looked for.</summary>
internal sealed record Search(string? Text, string? Category, long? MinCents, long? MaxCents, string? Sort, int Page)
{
    /// <summary>The same search, on another page.</summary>
    public string Url(int page)
    {
        (string Name, string? Value)[] query = [("q", Text), ("category", Category), ("min_price", Price(MinCents)), ("max_price", Price(MaxCents)), ("sort", Sort), ("page", page.ToString(CultureInfo.InvariantCulture))];
        return "/?" + string.Join('&', query.Where(part => part.Value is not null).Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value!)}"));
    }

    /// <summary>A price as its field has it.</summary>
    public static string? Price(long? cents) => cents is { } value ? (value / 100m).ToString("0.##", CultureInfo.InvariantCulture) : null;
}

/// <summary>What a search found.</summary>
internal sealed record StoreModel(Search Search, IReadOnlyList<Product> Products, int Total, ShownCategories Categories, bool TakesForms, int PageSize, string Currency)
{
    public int Pages => Math.Max(1, (Total + PageSize - 1) / PageSize);
}

/// <summary>A product, and what its price is in.</summary>
internal sealed record ProductModel(Product Product, bool TakesForms, string Currency);

/// <summary>What is in the basket.</summary>
internal sealed record BasketModel(IReadOnlyList<(Product Product, long Quantity)> Lines, string Key, Site Site, string Currency)
{
    public long TotalCents => Lines.Sum(line => line.Product.PriceCents * line.Quantity);
}
