using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory;

/// <summary>
/// Brings the rows of <c>stock</c> up to what is in memory. A movement is one more row at the end of a table; the row of its product is one of
/// thousands of pages, and would cost each order a page for each line. So rows are written together, now and then, and a start takes the movements
/// since from <see cref="InventoryStore"/>.
/// </summary>
internal sealed class StockCheckpoint(InventoryStore store)
{
    /// <summary>How long rows may be behind. A start after a crash reads the movements of two such times at most.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(3);

    private const int RowsPerWrite = 500;

    // What a failure leaves of a round is gone on with.
    private readonly Queue<string> _round = new();
    private long _newestMovement;

    /// <summary>Writes the rows that are behind.</summary>
    public async Task RunAsync()
    {
        if (_round.Count == 0 && !await BeginAsync()) return;
        while (_round.Count > 0)
        {
            // Neighbours share pages, so each write changes few.
            string[] rows = [.. _round.Take(RowsPerWrite)];
            bool isLast = rows.Length == _round.Count;
            await store.Writes.WriteAsync(() =>
            {
                foreach (string productId in rows) store.WriteStockRow(productId);
                if (isLast) store.NoteCheckpoint(_newestMovement);
                return WriteResult.Commit(rows.Length);
            });
            for (int i = 0; i < rows.Length; i++) _round.Dequeue();
        }
    }

    // Every movement up to the newest belongs to a product of this round or of one before: later ones are read again at a start.
    private async Task<bool> BeginAsync()
    {
        if (!store.Levels.IsDirty) return false;
        IReadOnlyList<string> ahead = [];
        _newestMovement = await store.Writes.WriteAsync(() => WriteResult.Commit(store.NewestMovement()), _ => ahead = store.Levels.TakeDirty());
        foreach (string productId in ahead.Order(StringComparer.Ordinal)) _round.Enqueue(productId);
        return true;
    }
}
