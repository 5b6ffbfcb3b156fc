using System.Collections.Concurrent;
using System.Collections.Immutable;
using Shop.Platform.Http;

namespace Shop.Products;

/// <summary>
/// All products on sale, in memory, so that reads touch no database and take no lock. The store alone changes it, one
/// change after the other, in the order of the commits.
/// </summary>
/// <param name="maxBytes">Bytes of memory that it may use. Products for which there is no memory are kept as
/// outlines.</param>
internal sealed class Catalogue(long maxBytes)
{
    /// <summary>The catalogue may use an eighth of the memory of the machine or of the container.</summary>
    private const int ShareOfMemory = 8;

    private readonly ConcurrentDictionary<string, CatalogueEntry> _byId = new(StringComparer.Ordinal);
    private volatile CatalogueView _view = new(CatalogueOrder.All.ToImmutableDictionary(
        order => order.Name, order => ImmutableSortedSet.Create<CatalogueEntry>(order), StringComparer.Ordinal));

    private long _bytes, _reserved;
    private volatile int _outlines;

    public Catalogue()
        : this(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory)
    {
    }

    /// <summary>Bytes of memory that it may use.</summary>
    public long MaxBytes => maxBytes;

    /// <summary>Products that are kept as outlines.</summary>
    public int Outlines => _outlines;

    /// <summary>Products on sale.</summary>
    public int Count => _byId.Count;

    /// <summary>The products as they are at this moment: later changes don't show in it.</summary>
    public CatalogueView View => _view;

    public CatalogueEntry? Find(string id) => _byId.GetValueOrDefault(id);

    /// <summary>Reserves memory for a product that is about to be written. Dispose the reservation once the product is
    /// in the catalogue, or will not be.</summary>
    public MemoryReservation Reserve(long bytes)
    {
        long reserved = Interlocked.Add(ref _reserved, bytes);
        return new MemoryReservation(this, bytes, IsGranted: Volatile.Read(ref _bytes) + reserved <= maxBytes);
    }

    /// <summary>Ends a reservation.</summary>
    public void Release(MemoryReservation memory) => Interlocked.Add(ref _reserved, -memory.Bytes);

    public void Put(IEnumerable<CatalogueEntry> entries)
    {
        List<CatalogueEntry> added = [], replaced = [];
        foreach (CatalogueEntry entry in entries)
        {
            _byId.TryGetValue(entry.Product.Id, out CatalogueEntry? old);
            long bytes = _bytes - (old?.Bytes ?? 0);
            CatalogueEntry kept = bytes + entry.Bytes <= maxBytes ? entry : entry.ToOutline();
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
}

/// <summary>Memory of the catalogue that is reserved for a product.</summary>
/// <param name="Catalogue">The catalogue.</param>
/// <param name="Bytes">How much.</param>
/// <param name="IsGranted">Whether the catalogue has that much.</param>
internal sealed record MemoryReservation(Catalogue Catalogue, long Bytes, bool IsGranted) : IDisposable
{
    /// <summary>The answer if there is no memory for a product.</summary>
    public Problem Refusal => Problem.Conflict(
        $"The catalogue is full: it may use {Catalogue.MaxBytes / 1024 / 1024} MB of memory. "
        + "Delete products, shorten their texts, or give the shop more memory.", "catalogue-full");

    public void Dispose() => Catalogue.Release(this);
}
