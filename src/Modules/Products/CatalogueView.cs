using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Shop.Products;

/// <summary>
/// An immutable view of the catalogue between two changes, in each sort order, with a cache of the pages that clients
/// asked for. A change makes a new view, so no page is older than its products.
/// </summary>
internal sealed class CatalogueView(ImmutableDictionary<string, ImmutableSortedSet<CatalogueEntry>> sorted)
{
    /// <summary>The most bytes of cached pages; others are made for each request.</summary>
    private const int MaxPageBytes = 4 * 1024 * 1024;

    /// <summary>Most categories that the storefront lists.</summary>
    private const int MaxCategories = 50;

    private readonly ConcurrentDictionary<PageKey, ProductPage> _pages = new();
    private long _pageBytes;
    private StorefrontCategories? _categories;
    private CategoryBody[]? _allCategories;

    public ImmutableSortedSet<CatalogueEntry> InOrder(CatalogueOrder order) => sorted[order.Name];

    /// <summary>The categories that the storefront lists.</summary>
    public StorefrontCategories Categories => _categories ??= Largest();

    /// <summary>All categories, by name.</summary>
    public CategoryBody[] AllCategories => _allCategories ??= [.. InOrder(CatalogueOrder.ById)
        .CountBy(entry => entry.Product.Category)
        .OrderBy(category => category.Key, StringComparer.Ordinal)
        .Select(category => new CategoryBody(category.Key, category.Value))];

    public ProductPage? FindPage(PageKey key) => _pages.GetValueOrDefault(key);

    public void KeepPage(PageKey key, ProductPage page)
    {
        int bytes = page.Bytes + key.Bytes;
        if (Volatile.Read(ref _pageBytes) + bytes > MaxPageBytes || !_pages.TryAdd(key, page)) return;
        Interlocked.Add(ref _pageBytes, bytes);
    }

    /// <summary>The view after a change of its products.</summary>
    public CatalogueView With(Func<ImmutableSortedSet<CatalogueEntry>, ImmutableSortedSet<CatalogueEntry>> change) =>
        new(sorted.ToImmutableDictionary(order => order.Key, order => change(order.Value), StringComparer.Ordinal));

    private StorefrontCategories Largest()
    {
        CategoryBody[] all = [.. AllCategories.Where(category => category.Category.Length > 0)];
        IEnumerable<string> largest = all.OrderByDescending(category => category.Products)
            .ThenBy(category => category.Category, StringComparer.Ordinal)
            .Take(MaxCategories).Select(category => category.Category);
        return new StorefrontCategories([.. largest.Order(StringComparer.Ordinal)], all.Length <= MaxCategories);
    }
}

/// <summary>The categories with the most products: thousands would make a page of hundreds of kilobytes.</summary>
/// <param name="Names">Their names, sorted.</param>
/// <param name="AreAll">Whether there are no others.</param>
internal sealed record StorefrontCategories(IReadOnlyList<string> Names, bool AreAll);

/// <summary>Path and query of a request for a page, as the client wrote them: the link to the next page repeats
/// them.</summary>
internal readonly record struct PageKey(string PathBase, string Path, string Query)
{
    public int Bytes => 2 * (PathBase.Length + Path.Length + Query.Length);
}
