using System.Collections.Concurrent;
using System.Collections.Immutable;
using Shop.Platform.Http;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>
/// All products on sale, in memory, so that reads touch no database and take no lock. Changed on the writer's thread alone, after
/// the commit, in commit order.
/// </summary>
/// <param name="mostBytes">Bytes of memory that it may take. Products that are over are kept in outline.</param>
internal sealed class Catalogue(long mostBytes) : IProductCatalogue
{
    /// <summary>The catalogue may have an eighth of the memory that there is, the limit of a container included.</summary>
    private const int ShareOfMemory = 8;

    private readonly ConcurrentDictionary<string, CatalogueEntry> _byId = new(StringComparer.Ordinal);
    private volatile CatalogueView _view = new(CatalogueOrder.All
        .ToImmutableDictionary(order => order.Name, order => ImmutableSortedSet.Create<CatalogueEntry>(order), StringComparer.Ordinal));

    private long _bytes, _taken;
    private volatile int _outlines;

    public Catalogue()
        : this(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory)
    {
    }

    /// <summary>Bytes of memory that it may take.</summary>
    public long MaxBytes => mostBytes;

    /// <summary>Products that are kept in outline.</summary>
    public int Outlines => _outlines;

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

    /// <summary>Takes room for a product that is about to be written. Disposed once the product is in, or will not be.</summary>
    public Room Take(long bytes)
    {
        long taken = Interlocked.Add(ref _taken, bytes);
        return new Room(this, bytes, IsEnough: Volatile.Read(ref _bytes) + taken <= mostBytes);
    }

    public void Put(IEnumerable<CatalogueEntry> entries)
    {
        List<CatalogueEntry> added = [], replaced = [];
        foreach (CatalogueEntry entry in entries)
        {
            _byId.TryGetValue(entry.Product.Id, out CatalogueEntry? old);
            long bytes = _bytes - (old?.Bytes ?? 0);
            CatalogueEntry kept = bytes + entry.Bytes <= mostBytes ? entry : entry.ToOutline();
            if (old is not null) replaced.Add(old);
            added.Add(kept);
            _byId[kept.Product.Id] = kept;
            Note(old, -1);
            Note(kept, 1);
        }

        _view = _view.With(set => replaced.Count == 0 ? set.Union(added) : set.Except(replaced).Union(added));
    }

    public void Remove(string id)
    {
        if (!_byId.TryRemove(id, out CatalogueEntry? entry)) return;
        Note(entry, -1);
        _view = _view.With(set => set.Remove(entry));
    }

    private void Note(CatalogueEntry? entry, int products)
    {
        if (entry is null) return;
        Volatile.Write(ref _bytes, _bytes + products * entry.Bytes);
        if (entry.IsOutline) _outlines += products;
    }

    /// <summary>Room that is taken in the catalogue.</summary>
    internal readonly record struct Room(Catalogue Catalogue, long Bytes, bool IsEnough) : IDisposable
    {
        /// <summary>The refusal of a product that there is no room for.</summary>
        public Problem Error => Problem.Conflict(
            $"The catalogue is full: it may take {Catalogue.MaxBytes / 1024 / 1024} MB of memory. Delete products, shorten their texts, or give the shop more memory.", "catalogue-full");

        public void Dispose() => Interlocked.Add(ref Catalogue._taken, -Bytes);
    }
}
