using System.Collections.Concurrent;
using Shop.Platform.Data;

namespace Shop.Inventory;

/// <summary>
/// The stock of every product, in memory. Writes work on what they have made of it so far; everybody else reads what is on disk. The rows of
/// <c>stock</c> come after, by <see cref="StockCheckpoint"/>: what is missing there is in the movements.
/// </summary>
internal sealed class StockLevels : IWriteFollower
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly List<(Entry Entry, StockRow? Before)> _changes = [];
    private int _keptChanges;
    private List<string> _ahead = [];

    public StockLevels(IEnumerable<StockRow> rows, IEnumerable<StockRow> moved)
    {
        foreach (StockRow row in rows) _entries[row.ProductId] = new Entry { OnDisk = row, Working = row };
        foreach (StockRow row in moved)
        {
            // A movement does not say whether its product is still sold: its row does.
            Set(row with { IsRetired = FindInWrite(row.ProductId) is { IsRetired: true } });
            _keptChanges = _changes.Count;
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
                if (entry.OnDisk is { } stock) yield return stock;
            }
        }
    }

    /// <summary>Whether the rows of some products are behind.</summary>
    public bool IsAhead => Volatile.Read(ref _ahead).Count > 0;

    public StockRow? Find(string productId) => _entries.TryGetValue(productId, out Entry? entry) ? entry.OnDisk : null;

    // On the writer's thread.

    public StockRow? FindInWrite(string productId) => _entries.TryGetValue(productId, out Entry? entry) ? entry.Working : null;

    public void Set(StockRow row)
    {
        Entry entry = _entries.GetOrAdd(row.ProductId, static _ => new Entry());
        _changes.Add((entry, entry.Working));
        entry.Working = row;
        if (entry.IsAhead) return;
        entry.IsAhead = true;
        _ahead.Add(row.ProductId);
    }

    /// <summary>The products whose rows have been behind since this was last asked.</summary>
    public IReadOnlyList<string> TakeAhead()
    {
        List<string> taken = _ahead;
        foreach (string productId in taken) _entries[productId].IsAhead = false;
        Volatile.Write(ref _ahead, []);
        return taken;
    }

    public void Keep() => _keptChanges = _changes.Count;

    public void Undo() => UndoDownTo(_keptChanges);

    public void Commit()
    {
        foreach ((Entry entry, _) in _changes) entry.OnDisk = entry.Working;
        _changes.Clear();
        _keptChanges = 0;
    }

    public void RollBack()
    {
        UndoDownTo(0);
        _keptChanges = 0;
    }

    private void UndoDownTo(int count)
    {
        for (int i = _changes.Count - 1; i >= count; i--) _changes[i].Entry.Working = _changes[i].Before;
        _changes.RemoveRange(count, _changes.Count - count);
    }

    // Changed in place: rows that live on and then go are what the garbage collector is worst at.
    private sealed class Entry
    {
        private readonly Lock _lock = new();
        private StockRow? _onDisk;

        public StockRow? Working { get; set; }

        /// <summary>Null for a product whose first write is not on disk.</summary>
        public StockRow? OnDisk
        {
            get
            {
                lock (_lock) return _onDisk;
            }

            set
            {
                lock (_lock) _onDisk = value;
            }
        }

        public bool IsAhead { get; set; }
    }
}
