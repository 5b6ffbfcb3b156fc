using System.Collections.Concurrent;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory;

/// <summary>
/// The stock of every product, in memory. Writes work on what they have made of it so far; everybody else reads what is on disk. The rows of
/// <c>stock</c> come after, by <see cref="StockCheckpoint"/>: what is missing there is in the movements.
/// </summary>
internal sealed class StockLevels : ITransactionParticipant
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly List<(Entry Entry, StockRow? Before)> _changes = [];
    private int _changesAtSavepoint;
    private List<string> _dirty = [];

    public StockLevels(IEnumerable<StockRow> rows, IEnumerable<StockRow> moved)
    {
        foreach (StockRow row in rows) _entries[row.ProductId] = new Entry { Committed = row, Uncommitted = row };
        foreach (StockRow row in moved)
        {
            // A movement does not say whether its product is still sold: its row does.
            Set(row with { IsRetired = FindUncommitted(row.ProductId) is { IsRetired: true } });
            _changesAtSavepoint = _changes.Count;
            Commit();
        }
    }

    /// <summary>The stock of the products that are sold.</summary>
    public IEnumerable<StockRow> Sold => All.Where(static stock => !stock.IsRetired);

    /// <summary>Every product's stock.</summary>
    public IEnumerable<StockRow> All
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

    public StockRow? Find(string productId) => _entries.TryGetValue(productId, out Entry? entry) ? entry.Committed : null;

    // On the writer's thread.

    public StockRow? FindUncommitted(string productId) => _entries.TryGetValue(productId, out Entry? entry) ? entry.Uncommitted : null;

    public void Set(StockRow row)
    {
        Entry entry = _entries.GetOrAdd(row.ProductId, static _ => new Entry());
        _changes.Add((entry, entry.Uncommitted));
        entry.Uncommitted = row;
        if (entry.IsDirty) return;
        entry.IsDirty = true;
        _dirty.Add(row.ProductId);
    }

    /// <summary>The products whose rows have been behind since this was last asked.</summary>
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

    // Changed in place: rows that live on and then go are what the garbage collector is worst at.
    private sealed class Entry
    {
        private readonly Lock _lock = new();
        private StockRow? _committed;

        public StockRow? Uncommitted { get; set; }

        /// <summary>Null for a product whose first write is not on disk.</summary>
        public StockRow? Committed
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
