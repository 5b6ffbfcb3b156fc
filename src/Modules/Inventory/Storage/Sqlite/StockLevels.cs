using System.Collections.Concurrent;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>
/// The stock of every product, in memory. Writes see uncommitted changes; all others read what is on disk. The rows of
/// <c>stock</c> are written later, by <see cref="StockCheckpoint"/>: until then a start reads the changes from the
/// movements.
/// </summary>
internal sealed class StockLevels : ITransactionParticipant
{
    private static readonly Comparer<StockLevel> HighestFirst = Comparer<StockLevel>.Create(static (one, other) =>
        one.Available != other.Available
            ? other.Available.CompareTo(one.Available)
            : string.CompareOrdinal(other.ProductId, one.ProductId));

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly List<(Entry Entry, StockLevel? Before)> _changes = [];
    private int _changesAtSavepoint;
    private List<string> _dirty = [];

    /// <param name="rows">The rows of <c>stock</c>.</param>
    /// <param name="moved">The levels after each movement since they were written.</param>
    public StockLevels(IEnumerable<StockLevel> rows, IEnumerable<StockLevel> moved)
    {
        foreach (StockLevel row in rows) _entries[row.ProductId] = new Entry { Committed = row, Uncommitted = row };
        foreach (StockLevel after in moved)
        {
            // A movement does not say whether its product is still sold: its row does.
            Set(after with { IsRetired = FindUncommitted(after.ProductId) is { IsRetired: true } });
            _changesAtSavepoint = _changes.Count;
            Commit();
        }
    }

    /// <summary>The stock of the products on sale.</summary>
    public IEnumerable<StockLevel> OnSale => All.Where(static stock => !stock.IsRetired);

    /// <summary>Every product's stock.</summary>
    public IEnumerable<StockLevel> All
    {
        get
        {
            foreach ((_, Entry entry) in _entries)
            {
                if (entry.Committed is { } stock) yield return stock;
            }
        }
    }

    /// <summary>Whether the rows of some products are behind.</summary>
    public bool IsDirty => Volatile.Read(ref _dirty).Count > 0;

    public StockLevel? Find(string productId) =>
        _entries.TryGetValue(productId, out Entry? entry) ? entry.Committed : null;

    /// <summary>The products on sale with the lowest stock, lowest first; the id decides between equals.</summary>
    public IReadOnlyList<StockLevel> Lowest(int count)
    {
        var lowest = new PriorityQueue<StockLevel, StockLevel>(count + 1, HighestFirst);
        foreach (StockLevel stock in OnSale)
        {
            if (lowest.Count < count) lowest.Enqueue(stock, stock);
            else lowest.EnqueueDequeue(stock, stock);
        }

        var ordered = new StockLevel[lowest.Count];
        for (int i = ordered.Length - 1; i >= 0; i--) ordered[i] = lowest.Dequeue();
        return ordered;
    }

    // On the writer's thread.

    public StockLevel? FindUncommitted(string productId) =>
        _entries.TryGetValue(productId, out Entry? entry) ? entry.Uncommitted : null;

    public void Set(StockLevel stock)
    {
        Entry entry = _entries.GetOrAdd(stock.ProductId, static _ => new Entry());
        _changes.Add((entry, entry.Uncommitted));
        entry.Uncommitted = stock;
        if (entry.IsDirty) return;
        entry.IsDirty = true;
        _dirty.Add(stock.ProductId);
    }

    /// <summary>The products that were changed since the last call.</summary>
    public IReadOnlyList<string> TakeDirty()
    {
        List<string> taken = _dirty;
        foreach (string productId in taken) _entries[productId].IsDirty = false;
        Volatile.Write(ref _dirty, []);
        return taken;
    }

    public void ReleaseSavepoint() => _changesAtSavepoint = _changes.Count;

    public void RollBackToSavepoint() => RollBackTo(_changesAtSavepoint);

    public void Commit()
    {
        foreach ((Entry entry, _) in _changes) entry.Committed = entry.Uncommitted;
        _changes.Clear();
        _changesAtSavepoint = 0;
    }

    public void RollBack()
    {
        RollBackTo(0);
        _changesAtSavepoint = 0;
    }

    private void RollBackTo(int count)
    {
        for (int i = _changes.Count - 1; i >= count; i--) _changes[i].Entry.Uncommitted = _changes[i].Before;
        _changes.RemoveRange(count, _changes.Count - count);
    }

    // Changed in place: objects that live long and then die cost the garbage collector most.
    private sealed class Entry
    {
        private readonly Lock _lock = new();
        private StockLevel? _committed;

        public StockLevel? Uncommitted { get; set; }

        /// <summary>Null if the product's first write is not on disk.</summary>
        public StockLevel? Committed
        {
            get
            {
                lock (_lock) return _committed;
            }

            set
            {
                lock (_lock) _committed = value;
            }
        }

        public bool IsDirty { get; set; }
    }
}
