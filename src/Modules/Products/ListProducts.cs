using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>A page of the catalogue, filtered and sorted in memory.</summary>
internal sealed class ListProducts(
    Catalogue catalogue, IProductStore store, FindProduct findProduct,
    [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    private static readonly TextField Category = new("category", 1, 100)
    {
        Description = "Only products of this category, in its exact spelling.",
        Example = "\"Home\"",
    };

    private static readonly TextField Text = new("q", 1, 200)
    {
        Description =
            "Only products with this text in name or description. "
            + "Case and the way that accents are typed don't matter.",
        Example = "\"lamp\"",
    };

    public static readonly MoneyField MinPrice = new("min_price", 0, 100_000_000)
    {
        Description = "Only products that cost this or more.",
        Example = "10.00",
    };

    public static readonly MoneyField MaxPrice = new("max_price", 0, 100_000_000)
    {
        Description = "Only products that cost this or less.",
        Example = "99.99",
    };

    private static readonly TextField Sort = new("sort", 1, 20)
    {
        Description = "The order; with - in front it is descending. Names are sorted without regard to case, ids as "
            + "text. The id decides between equals.",
        Example = "\"-price\"",
        Default = CatalogueOrder.ById.Name,
        Choices = [.. CatalogueOrder.All.SelectMany(order => new[] { order.Name, $"-{order.Name}" })],
    };

    private static readonly IReadOnlyList<Field> FilterFields = [Category, Text, MinPrice, MaxPrice];

    public static readonly IReadOnlyList<Field> QueryFields = [.. FilterFields, Sort, Paging.Limit, Paging.After];

    public ValueTask<IResult> HandleAsync(HttpContext http)
    {
        CatalogueView view = catalogue.View;
        HttpRequest request = http.Request;
        var key = new PageKey(request.PathBase.Value ?? "", request.Path.Value ?? "", request.QueryString.Value ?? "");
        if (view.FindPage(key) is { } page) return ValueTask.FromResult<IResult>(page);
        // Without a filter a page costs no more than its rows, if all are in memory.
        return catalogue.Outlines > 0 || FilterFields.Any(field => request.Query.ContainsKey(field.Name))
            ? new ValueTask<IResult>(module.QueryAsync(http, end => MakeAsync(http, view, key, end)))
            : MakeAsync(http, view, key, CancellationToken.None);
    }

    /// <summary>
    /// A page of the products that a search finds, and how many it finds in all. A page number that is too high gives
    /// the last page, and an unknown order is by id.
    /// </summary>
    public async ValueTask<(Search Search, IReadOnlyList<CatalogueEntry> Entries, int Total)> SearchAsync(
        Search search, int pageSize, CancellationToken end)
    {
        bool isDescending = search.Sort is ['-', ..];
        CatalogueOrder order = CatalogueOrder.All.FirstOrDefault(known => known.Name == search.Sort?.TrimStart('-'))
            ?? CatalogueOrder.ById;
        ImmutableSortedSet<CatalogueEntry> products = catalogue.View.InOrder(order);
        var filter = new Filter(search.Category, search.Text, search.MinCents, search.MaxCents);
        await filter.ReadOutlinesAsync(products, store, end);
        CatalogueEntry[] found = [.. (isDescending ? products.Reverse() : products).Where(filter.Includes)];
        int page = Math.Clamp(search.Page, 1, Math.Max(1, (found.Length + pageSize - 1) / pageSize));
        return (search with { Page = page }, [.. found.Skip((page - 1) * pageSize).Take(pageSize)], found.Length);
    }

    private async ValueTask<IResult> MakeAsync(HttpContext http, CatalogueView view, PageKey key, CancellationToken end)
    {
        Query query = Query.Of(http, QueryFields);
        var filter = new Filter(query.Read(Category), query.Read(Text), query.Read(MinPrice), query.Read(MaxPrice));
        string sort = query.Read(Sort)!;
        int limit = (int)query.Read(Paging.Limit)!.Value;
        bool isDescending = sort[0] == '-';
        CatalogueOrder order = CatalogueOrder.All.First(known =>
            sort.AsSpan(isDescending ? 1 : 0).SequenceEqual(known.Name));
        CatalogueEntry? after = null;
        if (query.ReadCursor(3) is { } place && (after = order.At(place, isDescending)) is null) query.NoCursor();
        if (query.Error is { } error) return error;

        ImmutableSortedSet<CatalogueEntry> all = view.InOrder(order);
        await filter.ReadOutlinesAsync(all, store, end);
        IReadOnlyList<CatalogueEntry> products = filter.IsEmpty ? all : all.Where(filter.Includes).ToArray();
        int start = Start(products, order, after, isDescending);
        (List<CatalogueEntry> entries, CatalogueEntry? next) =
            await TakeAsync(products, start, isDescending ? -1 : 1, limit, end);
        Paging.Announce(http, new RowTotal(products.Count),
            next is null ? null : Paging.Cursor(order.PlaceOf(next.Product, isDescending)));
        var page = ProductPage.Of(http.Response, entries);
        view.KeepPage(key, page);
        return page;
    }

    /// <returns>The products of a page, and the last of them if there are more after it.</returns>
    private async ValueTask<(List<CatalogueEntry> Entries, CatalogueEntry? Next)> TakeAsync(
        IReadOnlyList<CatalogueEntry> products, int start, int step, int limit, CancellationToken end)
    {
        var page = new List<CatalogueEntry>(Math.Min(limit, products.Count));
        CatalogueEntry? last = null;
        long bytes = 0;
        for (int i = start; i >= 0 && i < products.Count; i += step)
        {
            if (page.Count == limit) return (page, last);
            if (await findProduct.CompleteAsync(products[i], end) is not { } entry) continue;
            bytes += entry.Json.Length;
            if (bytes > Paging.MaxBytes && page.Count > 0) return (page, last);
            page.Add(entry);
            last = products[i];
        }

        return (page, null);
    }

    // The place after a cursor, whether or not the catalogue still has the cursor's product.
    private static int Start(
        IReadOnlyList<CatalogueEntry> products, CatalogueOrder order, CatalogueEntry? after, bool isDescending)
    {
        if (after is null) return isDescending ? products.Count - 1 : 0;
        int index = products is CatalogueEntry[] some
            ? Array.BinarySearch(some, after, order)
            : ((ImmutableSortedSet<CatalogueEntry>)products).IndexOf(after);
        int next = index >= 0 ? index + 1 : ~index;
        int previous = index >= 0 ? index - 1 : ~index - 1;
        return isDescending ? previous : next;
    }

    private sealed class Filter(string? category, string? text, long? minCents, long? maxCents)
    {
        private readonly string? _text = text is null ? null : SearchText.Of(text);
        private IReadOnlySet<string>? _outlines;

        public bool IsEmpty { get; } = category is null && text is null && minCents is null && maxCents is null;

        /// <summary>Outlines have no descriptions: those with the text are read once for all outlines.</summary>
        public async ValueTask ReadOutlinesAsync(
            IEnumerable<CatalogueEntry> products, IProductStore store, CancellationToken end)
        {
            if (text is not null && products.Any(static entry => entry.IsOutline))
                _outlines = await store.SearchDescriptionsAsync(text, end);
        }

        public bool Includes(CatalogueEntry entry)
        {
            if (IsEmpty) return true;
            Product product = entry.Product;
            return (category is null || product.Category == category)
                && (minCents is null || product.PriceCents >= minCents)
                && (maxCents is null || product.PriceCents <= maxCents)
                && (_text is null || SearchText.Contains(entry.SearchName, _text) || IsInDescription(_text, entry));
        }

        private bool IsInDescription(string part, CatalogueEntry entry) => entry.IsOutline
            ? _outlines!.Contains(entry.Product.Id)
            : SearchText.Contains(entry.SearchDescription, part);
    }
}
