using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>A page of the catalogue: filtered, sorted, straight from memory.</summary>
internal sealed class ListProducts(Catalogue catalogue, ProductStore store, [FromKeyedServices(ProductsModule.Name)] ModuleContext module)
{
    private static readonly TextField Category = new("category", 1, 100)
    {
        Description = "Only this category, as it is written.",
        Example = "\"Home\"",
    };

    private static readonly TextField Text = new("q", 1, 200)
    {
        Description = "Only products with this text in name or description, in any case, and however its accents were typed.",
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
        Description = "The order, with - in front for descending. Names go by any case, ids as text; the id decides between equals.",
        Example = "\"-price\"",
        Default = CatalogueOrder.ById.Name,
        Choices = [.. CatalogueOrder.All.SelectMany(order => new[] { order.Name, $"-{order.Name}" })],
    };

    private static readonly IReadOnlyList<Field> FilterFields = [Category, Text, MinPrice, MaxPrice];

    public static readonly IReadOnlyList<Field> QueryFields = [.. FilterFields, Sort, Paging.Limit, Paging.After];

    public ValueTask<IResult> Handle(HttpContext http)
    {
        CatalogueView view = catalogue.View;
        HttpRequest request = http.Request;
        var key = new PageKey(request.PathBase.Value ?? "", request.Path.Value ?? "", request.QueryString.Value ?? "");
        // Without a filter a page costs no more than its rows, as long as all are in memory.
        return view.FindPage(key) is { } page ? ValueTask.FromResult<IResult>(page)
            : catalogue.Outlines > 0 || FilterFields.Any(field => request.Query.ContainsKey(field.Name))
                ? new ValueTask<IResult>(module.QueryAsync(http, end => Make(http, view, key, end)))
            : ValueTask.FromResult(Make(http, view, key, CancellationToken.None));
    }

    /// <summary>A page of those that a search finds, and how many it finds in all. What is no order counts as by id.</summary>
    public (IReadOnlyList<CatalogueEntry> Entries, int Total) Search(string? category, string? text, long? minCents, long? maxCents, string? sort, int skip, int count, CancellationToken end)
    {
        var filter = new Filter(category, text, minCents, maxCents, store, end);
        bool isDescending = sort is ['-', ..];
        CatalogueOrder order = CatalogueOrder.All.FirstOrDefault(known => known.Name == sort?.TrimStart('-')) ?? CatalogueOrder.ById;
        ImmutableSortedSet<CatalogueEntry> products = catalogue.View.InOrder(order);
        CatalogueEntry[] found = [.. (isDescending ? products.Reverse() : products).Where(filter.Takes)];
        return ([.. found.Skip(skip).Take(count)], found.Length);
    }

    /// <summary>An entry with all that an outline leaves out; null if the product has been deleted since.</summary>
    public CatalogueEntry? Whole(CatalogueEntry entry, CancellationToken end)
    {
        if (!entry.IsOutline) return entry;
        end.ThrowIfCancellationRequested();
        return store.Read(entry.Product.Id, end) is { } product ? new CatalogueEntry(product) : null;
    }

    private IResult Make(HttpContext http, CatalogueView view, PageKey key, CancellationToken end)
    {
        Query query = Query.Of(http, QueryFields);
        var filter = new Filter(query.Read(Category), query.Read(Text), query.Read(MinPrice), query.Read(MaxPrice), store, end);
        string sort = query.Read(Sort)!;
        int limit = (int)query.Read(Paging.Limit)!.Value;
        bool isDescending = sort[0] == '-';
        CatalogueOrder order = CatalogueOrder.All.First(known => sort.AsSpan(isDescending ? 1 : 0).SequenceEqual(known.Name));
        CatalogueEntry? after = null;
        if (query.ReadCursor(3) is { } place && (after = order.At(place, isDescending)) is null) query.NoCursor();
        if (query.Error is { } error) return error;

        ImmutableSortedSet<CatalogueEntry> all = view.InOrder(order);
        IReadOnlyList<CatalogueEntry> products = filter.IsEmpty ? all : all.Where(filter.Takes).ToArray();
        int start = Start(products, order, after, isDescending);
        (List<CatalogueEntry> entries, CatalogueEntry? next) = Take(products, start, isDescending ? -1 : 1, limit, end);
        Paging.Announce(http, new RowTotal(products.Count), next is null ? null : Paging.Cursor(order.PlaceOf(next.Product, isDescending)));
        var page = ProductPage.Of(http.Response, entries);
        view.KeepPage(key, page);
        return page;
    }

    /// <returns>The products of a page, and the last of them if there are more after it.</returns>
    private (List<CatalogueEntry> Entries, CatalogueEntry? Next) Take(IReadOnlyList<CatalogueEntry> products, int start, int step, int limit, CancellationToken end)
    {
        var page = new List<CatalogueEntry>(Math.Min(limit, products.Count));
        CatalogueEntry? last = null;
        long bytes = 0;
        for (int i = start; i >= 0 && i < products.Count; i += step)
        {
            if (page.Count == limit) return (page, last);
            if (Whole(products[i], end) is not { } whole) continue;
            bytes += whole.Json.Length;
            if (bytes > Paging.MaxBytes && page.Count > 0) return (page, last);
            page.Add(whole);
            last = products[i];
        }

        return (page, null);
    }

    // The place after a cursor, whether or not the product that it names is still there.
    private static int Start(IReadOnlyList<CatalogueEntry> products, CatalogueOrder order, CatalogueEntry? after, bool isDescending)
    {
        if (after is null) return isDescending ? products.Count - 1 : 0;
        int index = products is CatalogueEntry[] some ? Array.BinarySearch(some, after, order) : ((ImmutableSortedSet<CatalogueEntry>)products).IndexOf(after);
        int next = index >= 0 ? index + 1 : ~index;
        int previous = index >= 0 ? index - 1 : ~index - 1;
        return isDescending ? previous : next;
    }

    private sealed class Filter(string? category, string? text, long? minCents, long? maxCents, ProductStore store, CancellationToken end)
    {
        private readonly string? _text = text is null ? null : SearchText.Of(text);
        private IReadOnlySet<string>? _outlines;

        public bool IsEmpty { get; } = category is null && text is null && minCents is null && maxCents is null;

        public bool Takes(CatalogueEntry entry)
        {
            if (IsEmpty) return true;
            Product product = entry.Product;
            return (category is null || product.Category == category)
                && (minCents is null || product.PriceCents >= minCents)
                && (maxCents is null || product.PriceCents <= maxCents)
                && (_text is null || SearchText.Contains(entry.SearchName, _text) || IsInDescription(_text, entry));
        }

        // What outlines leave out is read once for all of them.
        private bool IsInDescription(string part, CatalogueEntry entry) => entry.IsOutline
            ? (_outlines ??= store.WithDescription(description => SearchText.Contains(SearchText.Of(description), part), end)).Contains(entry.Product.Id)
            : SearchText.Contains(entry.SearchDescription, part);
    }
}
