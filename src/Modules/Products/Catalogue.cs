using System.Collections.Concurrent;
using System.Collections.Immutable;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>
/// All products on sale, in memory, so that reads touch no database and take no lock. Changed on the writer's thread alone, after
/// the commit, in commit order.
/// </summary>
internal sealed class Catalogue : IProductCatalogue
{
    private readonly ConcurrentDictionary<string, CatalogueEntry> _byId = new(StringComparer.Ordinal);
    private volatile CatalogueView _view = new(CatalogueOrder.All
        .ToImmutableDictionary(order => order.Name, order => ImmutableSortedSet.Create<CatalogueEntry>(order), StringComparer.Ordinal));

    /// <summary>Products on sale.</summary>
    public int Count => _byId.Count;

    /// <summary>The products as they are at this moment: later changes don't show in it.</summary>
    public CatalogueView View => _view;

    public CatalogueEntry? Find(string id) => _byId.GetValueOrDefault(id);

    public ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids)
    {
        var found = new ProductOnSale?[ids.Count];
        for (int i = 0; i < found.Length; i++) found[i] = Find(ids[i])?.OnSale;
        return ValueTask.FromResult<IReadOnlyList<ProductOnSale?>>(found);
    }

    public void Put(IReadOnlyCollection<CatalogueEntry> entries)
    {
        var replaced = new List<CatalogueEntry>();
        foreach (CatalogueEntry entry in entries)
        {
            if (_byId.TryGetValue(entry.Product.Id, out CatalogueEntry? old)) replaced.Add(old);
            _byId[entry.Product.Id] = entry;
        }

        _view = _view.With(set => replaced.Count == 0 ? set.Union(entries) : set.Except(replaced).Union(entries));
    }

    public void Remove(string id)
    {
        if (_byId.TryRemove(id, out CatalogueEntry? entry)) _view = _view.With(set => set.Remove(entry));
    }
}
