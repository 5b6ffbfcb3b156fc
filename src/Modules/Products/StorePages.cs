using System.Collections.Immutable;
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

/// <summary>The storefront: search, a product, the basket.</summary>
internal sealed class StorePages(
    Catalogue catalogue, FindProduct findProduct, ListProducts listProducts, StorefrontStock stock,
    ProductMetrics metrics,
    [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    private const int PageSize = 24;
    private const int MaxRelated = 4;

    /// <summary>Products on each side of a product that are looked at to find related ones.</summary>
    private const int Neighbours = 100;

    private readonly string _currency = module.Settings.Currency;

    public void Map(ModuleRoutes routes)
    {
        routes.Home(StoreAsync);
        routes.Page("/product/{id}", ProductAsync);
        routes.Page("/basket", BasketAsync);
        routes.Form("/basket", ChangeBasketAsync);
    }

    private async ValueTask<IResult> StoreAsync(HttpContext http)
    {
        IQueryCollection query = http.Request.Query;
        var wanted = new Search(Value(query["q"]), Value(query["category"]),
            Cents(ListProducts.MinPrice, query["min_price"]), Cents(ListProducts.MaxPrice, query["max_price"]),
            Value(query["sort"]),
            WholeNumberField.ParseDigits(query["page"]) is { } page ? (int)Math.Clamp(page, 1, int.MaxValue) : 1);
        (Search search, IReadOnlyList<CatalogueEntry> entries, int total) = await module.QueryAsync(http,
            end => listProducts.SearchAsync(wanted, PageSize, end));
        var model = new StoreModel(search, await CardsAsync(http, entries), total, catalogue.View.Categories,
            Site.Of(http).AcceptsForms, PageSize, _currency);
        return new Page("Storefront", new Pages_Store { Model = model });
    }

    private async ValueTask<IResult> ProductAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("id")!;
        if (await findProduct.FindAsync(http, id) is not { } entry) return Problem.NotFound("product", id);
        if (!HttpMethods.IsHead(http.Request.Method)) entry.CountView(metrics);
        IReadOnlyList<ProductCard> cards = await CardsAsync(http, [entry, .. Related(entry)]);
        var model = new ProductModel(cards[0], [.. cards.Skip(1)], Site.Of(http), _currency);
        return new Page(entry.Product.Name, new Pages_Product { Model = model });
    }

    private async ValueTask<IResult> ChangeBasketAsync(HttpContext http)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        bool isAddition = form["action"] == "add";
        var basket = Basket.Of(http);
        IReadOnlyList<ProductOnSale?> products =
            await findProduct.FindAsync([.. form["product_id"].Select(id => id ?? "")]);
        foreach ((ProductOnSale? product, string? quantity) in products.Zip(form["quantity"]))
        {
            if (product is null || WholeNumberField.ParseDigits(quantity) is not { } units) continue;
            long before = isAddition ? basket.UnitsOf(product.Id) : 0;
            basket.Set(product.Id, before + Math.Min(units, int.MaxValue));
        }

        // A product that is not sold any more is not shown, so it must not fill the basket.
        IReadOnlyList<ProductOnSale?> onSale = await findProduct.FindAsync([.. basket.ProductIds]);
        basket.KeepOnly(onSale.OfType<ProductOnSale>().Select(product => product.Id));
        if (basket.ProductIds.Count > Basket.MaxProducts)
        {
            return Problem.Conflict($"A basket takes {Basket.MaxProducts} different products. "
                + "Order them first, or take one out.", "basket-full");
        }

        basket.SendTo(http);
        return Page.SeeOther(form["back"] is [{ } back] && Page.IsOfThisService(back) ? back : "/basket");
    }

    private async ValueTask<IResult> BasketAsync(HttpContext http)
    {
        var basket = Basket.Of(http);
        IReadOnlyList<ProductOnSale?> products = await findProduct.FindAsync([.. basket.ProductIds]);
        (ProductOnSale, long)[] known = [.. products.OfType<ProductOnSale>()
            .Select(product => (product, basket.UnitsOf(product.Id)))];
        var model = new BasketModel(known, Guid.NewGuid().ToString(), Site.Of(http), _currency);
        return new Page("Basket", new Pages_Basket { Model = model });
    }

    private async ValueTask<IReadOnlyList<ProductCard>> CardsAsync(
        HttpContext http, IReadOnlyList<CatalogueEntry> entries)
    {
        var basket = Basket.Of(http);
        IReadOnlyList<long?> available = await stock.OfAsync([.. entries.Select(entry => entry.Product.Id)]);
        return [.. entries.Select((entry, i) =>
            new ProductCard(entry.Product, available[i], basket.UnitsOf(entry.Product.Id)))];
    }

    // Products of the same category, nearest by their ids: only so many neighbours are looked at.
    private IEnumerable<CatalogueEntry> Related(CatalogueEntry entry)
    {
        ImmutableSortedSet<CatalogueEntry> all = catalogue.View.InOrder(CatalogueOrder.ById);
        int place = all.IndexOf(entry);
        return Enumerable.Range(1, Neighbours).SelectMany(distance => new[] { place + distance, place - distance })
            .Where(index => index >= 0 && index < all.Count).Select(index => all[index])
            .Where(other => other.Product.Category == entry.Product.Category && other.Product.Id != entry.Product.Id)
            .Take(MaxRelated);
    }

    // A text is searched for as it was typed, as the API does. A price that can't be read does not filter.
    private static string? Value(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static long? Cents(MoneyField field, string? text) =>
        field.Read(text ?? "", out long? cents) is null ? cents : null;
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

    /// <summary>All products of a category.</summary>
    public static string CategoryUrl(string category) => $"/?category={Uri.EscapeDataString(category)}";

    /// <summary>The same search in another category; in all of them if it is null.</summary>
    public string InCategory(string? category) => (this with { Category = category }).Url(1);

    /// <summary>A price as the form has it.</summary>
    public static string? Price(long? cents) =>
        cents is { } value ? (value / 100m).ToString("0.##", CultureInfo.InvariantCulture) : null;
}

/// <summary>A page of the products that a search found.</summary>
internal sealed record StoreModel(
    Search Search, IReadOnlyList<ProductCard> Cards, int Total, StorefrontCategories Categories, bool AcceptsForms,
    int PageSize, string Currency)
{
    /// <summary>The most categories that a row of links has.</summary>
    private const int MaxLinks = 12;

    public int Pages => Math.Max(1, (Total + PageSize - 1) / PageSize);

    /// <summary>Whether each category has a link.</summary>
    public bool LinksCategories => Categories.AreAll && Categories.Names.Count is > 1 and <= MaxLinks;
}

/// <summary>A product as the storefront shows it.</summary>
/// <param name="Product">The product.</param>
/// <param name="Available">Units that can be sold; null if that is not known.</param>
/// <param name="Chosen">Units that are in the client's basket.</param>
internal sealed record ProductCard(Product Product, long? Available, long Chosen)
{
    public bool IsSoldOut => Available == 0;

    public string Stock => Available switch
    {
        null => "",
        0 => "Sold out",
        < StorefrontStock.Few => $"Only {Available} left",
        _ => "In stock",
    };

    public string StockClass => Available switch
    {
        null => "",
        0 => "stock out",
        < StorefrontStock.Few => "stock low",
        _ => "stock",
    };
}

/// <summary>A product among others.</summary>
/// <param name="Card">The product.</param>
/// <param name="Back">The page that the client comes back to after it has put the product into its basket.</param>
/// <param name="AcceptsForms">Whether the client may put it there.</param>
/// <param name="Currency">The currency of its price.</param>
internal sealed record CardModel(ProductCard Card, string Back, bool AcceptsForms, string Currency);

/// <summary>A product, and others of its category.</summary>
internal sealed record ProductModel(
    ProductCard Card, IReadOnlyList<ProductCard> Related, Site Site, string Currency)
{
    public Product Product => Card.Product;
}

/// <summary>The lines of a basket.</summary>
internal sealed record BasketModel(
    IReadOnlyList<(ProductOnSale Product, long Quantity)> Lines, string Key, Site Site, string Currency)
{
    public long TotalCents => Lines.Sum(line => line.Product.PriceCents * line.Quantity);
}
