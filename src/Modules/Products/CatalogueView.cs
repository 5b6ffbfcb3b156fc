using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Shop.Products;

/// <summary>
/// The catalogue between two changes, sorted, with the pages that were asked for meanwhile: the next client who asks for the same
/// has the same bytes. A change makes a new view, so no page outlives what it shows.
/// </summary>
internal sealed class CatalogueView(ImmutableDictionary<string, ImmutableSortedSet<CatalogueEntry>> sorted)
{
    /// <summary>Most bytes of pages that are kept; what comes after is made for each request.</summary>
    private const int MaxPageBytes = 4 * 1024 * 1024;

    /// <summary>Most categories that a page names.</summary>
    private const int MaxCategories = 50;

    private readonly ConcurrentDictionary<PageKey, ProductPage> _pages = new();
    private long _pageBytes;
    private ShownCategories? _categories;
    private CategoryBody[]? _allCategories;

    public ImmutableSortedSet<CatalogueEntry> InOrder(CatalogueOrder order) => sorted[order.Name];

    /// <summary>The categories that a page names.</summary>
    public ShownCategories Categories => _categories ??= Largest();

    /// <summary>All categories, by name.</summary>
    public CategoryBody[] AllCategories => _allCategories ??= [.. InOrder(CatalogueOrder.ById).CountBy(entry => entry.Product.Category)
        .OrderBy(category => category.Key, StringComparer.Ordinal).Select(category => new CategoryBody(category.Key, category.Value))];

    public ProductPage? FindPage(PageKey key) => _pages.GetValueOrDefault(key);

    public void KeepPage(PageKey key, ProductPage page)
    {
        int bytes = page.Bytes + key.Bytes;
        if (Volatile.Read(ref _pageBytes) + bytes > MaxPageBytes || !_pages.TryAdd(key, page)) return;
        Interlocked.Add(ref _pageBytes, bytes);
    }

    /// <summary>The view after a change of what it shows.</summary>
    public CatalogueView With(Func<ImmutableSortedSet<CatalogueEntry>, ImmutableSortedSet<CatalogueEntry>> change) =>
        new(sorted.ToImmutableDictionary(order => order.Key, order => change(order.Value), StringComparer.Ordinal));

    private ShownCategories Largest()
    {
        CategoryBody[] all = [.. AllCategories.Where(category => category.Category.Length > 0)];
        return new ShownCategories([.. all.OrderByDescending(category => category.Products).ThenBy(category => category.Category, StringComparer.Ordinal)
            .Take(MaxCategories).Select(category => category.Category).Order(StringComparer.Ordinal)], all.Length <= MaxCategories);
    }
}

/// <summary>Categories that a page names: those with the most products, since thousands would make a page of hundreds of kilobytes.</summary>
/// <param name="Names">In their order.</param>
/// <param name="AreAll">Whether there are no others.</param>
internal sealed record ShownCategories(IReadOnlyList<string> Names, bool AreAll);

/// <summary>What a client asked for, as it stood in the request: the link to the next page repeats it.</summary>
internal readonly record struct PageKey(string PathBase, string Path, string Query)
{
    public int Bytes => 2 * (PathBase.Length + Path.Length + Query.Length);
}
