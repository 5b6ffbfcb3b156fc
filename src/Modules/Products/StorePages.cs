using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>The storefront: search, a product, the basket. The basket is a cookie, so it survives a reload and needs no
/// account.</summary>
internal sealed class StorePages(
    Catalogue catalogue, FindProduct findProduct, ListProducts listProducts, ProductMetrics metrics,
    [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    private readonly string _currency = module.Settings.Currency;

    private const int PageSize = 24;
    private const int MaxLines = 50;
    private const long MaxUnits = 10_000;
    private const string BasketCookie = "basket";

    public void Map(ModuleRoutes routes)
    {
        routes.Home(Store);
        routes.Page("/product/{id}", Product);
        routes.Page("/basket", Basket);
        routes.Form("/basket", ChangeBasketAsync);
    }

    private async ValueTask<IResult> Store(HttpContext http)
    {
        IQueryCollection query = http.Request.Query;
        var search = new Search(Value(query["q"]), Value(query["category"]),
            Cents(ListProducts.MinPrice, query["min_price"]), Cents(ListProducts.MaxPrice, query["max_price"]),
            Value(query["sort"]),
            int.TryParse(query["page"], NumberStyles.None, CultureInfo.InvariantCulture, out int page)
                ? Math.Clamp(page, 1, 10_000) : 1);
        (IReadOnlyList<CatalogueEntry> entries, int total) = await module.QueryAsync(http, end =>
            listProducts.SearchAsync(search, (search.Page - 1) * PageSize, PageSize, end));
        var model = new StoreModel(
            search, [.. entries.Select(entry => entry.Product)], total, catalogue.View.Categories,
            Site.Of(http).TakesForms, PageSize, _currency);
        return new Page("Storefront", new Pages_Store { Model = model });
    }

    private async ValueTask<IResult> Product(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        if (await findProduct.FindAsync(http, id) is not { } entry) return Problem.NotFound("product", id);
        if (!HttpMethods.IsHead(http.Request.Method)) entry.CountView(metrics);
        var model = new ProductModel(entry.Product, Site.Of(http).TakesForms, _currency);
        return new Page(entry.Product.Name, new Pages_Product { Model = model });
    }

    private async ValueTask<IResult> ChangeBasketAsync(HttpContext http)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        bool isAddition = form["action"] == "add";
        Dictionary<string, long> lines = Read(http);
        IReadOnlyList<ProductOnSale?> products =
            await findProduct.FindAsync([.. form["product_id"].Select(id => id ?? "")]);
        foreach ((ProductOnSale? product, string? quantity) in products.Zip(form["quantity"]))
        {
            if (product is null || Whole(quantity) is not { } units) continue;
            long before = isAddition ? lines.GetValueOrDefault(product.Id) : 0;
            lines[product.Id] = Math.Clamp(before + units, 0, MaxUnits);
        }

        string basket = string.Join('~', lines.Where(line => line.Value > 0).Take(MaxLines)
            .Select(line => $"{line.Key}.{line.Value}"));
        http.Response.Cookies.Append(BasketCookie, basket, new CookieOptions
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Lax,
            MaxAge = TimeSpan.FromDays(30),
            IsEssential = true,
            Secure = http.Request.IsHttps,
        });
        return Page.SeeOther("/basket");
    }

    private async ValueTask<IResult> Basket(HttpContext http)
    {
        Dictionary<string, long> lines = Read(http);
        IReadOnlyList<ProductOnSale?> products = await findProduct.FindAsync([.. lines.Keys]);
        (ProductOnSale, long)[] known = [.. products.OfType<ProductOnSale>()
            .Select(product => (product, lines[product.Id]))];
        var model = new BasketModel(known, Guid.NewGuid().ToString(), Site.Of(http), _currency);
        return new Page("Basket", new Pages_Basket { Model = model });
    }

    // A cookie may say anything: lines without a product or a number are left out.
    private static Dictionary<string, long> Read(HttpContext http)
    {
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string line in (http.Request.Cookies[BasketCookie] ?? "").Split('~').Take(MaxLines))
        {
            if (line.Split('.') is [var product, var quantity] && Whole(quantity) is { } units)
                lines[product] = Math.Clamp(units, 0, MaxUnits);
        }

        return lines;
    }

    // A text is searched for as it was typed, as the API does. A price that can't be read does not filter.
    private static string? Value(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static long? Cents(MoneyField field, string? text) =>
        field.Read(text ?? "", out long? cents) is null ? cents : null;

    private static long? Whole(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}

/// <summary>A search in the storefront.</summary>
internal sealed record Search(
    string? Text, string? Category, long? MinCents, long? MaxCents, string? Sort, int Page)
{
    /// <summary>The same search, on another page.</summary>
    public string Url(int page)
    {
        (string Name, string? Value)[] query =
        [
            ("q", Text), ("category", Category), ("min_price", Price(MinCents)), ("max_price", Price(MaxCents)),
            ("sort", Sort), ("page", page.ToString(CultureInfo.InvariantCulture)),
        ];
        return "/?" + string.Join('&', query.Where(part => part.Value is not null)
            .Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value!)}"));
    }

    /// <summary>A price as the form has it.</summary>
    public static string? Price(long? cents) =>
        cents is { } value ? (value / 100m).ToString("0.##", CultureInfo.InvariantCulture) : null;
}

/// <summary>A page of the products that a search found.</summary>
internal sealed record StoreModel(
    Search Search, IReadOnlyList<Product> Products, int Total, ShownCategories Categories, bool TakesForms,
    int PageSize, string Currency)
{
    public int Pages => Math.Max(1, (Total + PageSize - 1) / PageSize);
}

/// <summary>A product, and the currency of its price.</summary>
internal sealed record ProductModel(Product Product, bool TakesForms, string Currency);

/// <summary>The lines of a basket.</summary>
internal sealed record BasketModel(
    IReadOnlyList<(ProductOnSale Product, long Quantity)> Lines, string Key, Site Site, string Currency)
{
    public long TotalCents => Lines.Sum(line => line.Product.PriceCents * line.Quantity);
}
