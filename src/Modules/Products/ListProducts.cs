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
        var filter = new Filter(category, text, minCents, maxCents, entry => Whole(entry, end));
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
        var filter = new Filter(query.Read(Category), query.Read(Text), query.Read(MinPrice), query.Read(MaxPrice), entry => Whole(entry, end));
        string sort = query.Read(Sort)!;
        int limit = (int)query.Read(Paging.Limit)!.Value;
        bool isDescending = sort[0] == '-';
        CatalogueOrder order = CatalogueOrder.All.First(known => sort.AsSpan(isDescending ? 1 : 0).SequenceEqual(known.Name));
        CatalogueEntry? after = null;
        if (query.ReadCursor(3) is { } place && (after = order.At(place, isDescending)) is null) query.NoCursor();
        if (query.Refusal is { } refusal) return refusal;

        ImmutableSortedSet<CatalogueEntry> products = view.InOrder(order);
        (List<CatalogueEntry> entries, CatalogueEntry? next) = Take(products, filter, after, isDescending, limit);
        int total = filter.IsEmpty ? products.Count : products.Count(filter.Takes);
        Paging.Announce(http, new RowTotal(total), next is null ? null : Paging.Cursor(order.PlaceOf(next.Product, isDescending)));
        var page = ProductPage.Of(http.Response, entries);
        view.KeepPage(key, page);
        return page;
    }

    /// <returns>The products of a page, and the last of them if there are more after it.</returns>
    private static (List<CatalogueEntry> Entries, CatalogueEntry? Next) Take(
        ImmutableSortedSet<CatalogueEntry> products, Filter filter, CatalogueEntry? after, bool isDescending, int limit)
    {
        int step = isDescending ? -1 : 1;
        var page = new List<CatalogueEntry>(Math.Min(limit, products.Count));
        CatalogueEntry? last = null;
        long bytes = 0;
        for (int i = Start(products, after, isDescending); i >= 0 && i < products.Count; i += step)
        {
            if (!filter.Takes(products[i])) continue;
            if (page.Count == limit) return (page, last);
            if (filter.Whole(products[i]) is not { } whole) continue;
            bytes += whole.Json.Length;
            if (bytes > Paging.MostBytes && page.Count > 0) return (page, last);
            page.Add(whole);
            last = products[i];
        }

        return (page, null);
    }

    // The place after a cursor, whether or not the product that it names is still there.
    private static int Start(ImmutableSortedSet<CatalogueEntry> products, CatalogueEntry? after, bool isDescending)
    {
        if (after is null) return isDescending ? products.Count - 1 : 0;
        int index = products.IndexOf(after);
        int next = index >= 0 ? index + 1 : ~index;
        int previous = index >= 0 ? index - 1 : ~index - 1;
        return isDescending ? previous : next;
    }

    private sealed record Filter(string? Category, string? Text, long? MinCents, long? MaxCents, Func<CatalogueEntry, CatalogueEntry?> Whole)
    {
        private readonly string? _text = Text is null ? null : SearchText.Of(Text);

        public bool IsEmpty { get; } = Category is null && Text is null && MinCents is null && MaxCents is null;

        public bool Takes(CatalogueEntry entry)
        {
            if (IsEmpty) return true;
            Product product = entry.Product;
            return (Category is null || product.Category == Category)
                && (MinCents is null || product.PriceCents >= MinCents)
                && (MaxCents is null || product.PriceCents <= MaxCents)
                && (_text is null || SearchText.Contains(entry.SearchName, _text)
                    || (Whole(entry) is { } whole && SearchText.Contains(whole.SearchDescription, _text)));
        }
    }
}
