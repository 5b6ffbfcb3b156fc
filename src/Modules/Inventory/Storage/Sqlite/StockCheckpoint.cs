using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>
/// Writes the levels in memory to the rows of <c>stock</c>. A movement is appended to its table, but the row of its
/// product is on one of thousands of pages, so each order line would change one more page. So the rows are written
/// together, every few seconds, and a start reads the movements since.
/// </summary>
internal sealed class StockCheckpoint(StockLedger ledger, GroupCommitWriter writes)
{
    private const int RowsPerWrite = 500;

    // If a round fails, the next call continues with its rest.
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
            await writes.WriteAsync(() =>
            {
                foreach (string productId in rows) ledger.WriteLevel(productId);
                if (isLast) ledger.WriteCheckpoint(_newestMovement);
                return WriteResult.Commit(rows.Length);
            });
            for (int i = 0; i < rows.Length; i++) _round.Dequeue();
        }
    }

    // Every movement up to the newest belongs to a product of this round or of an earlier one; a start reads the later
    // movements.
    private async Task<bool> BeginAsync()
    {
        if (!ledger.Levels.IsDirty) return false;
        IReadOnlyList<string> dirty = [];
        _newestMovement = await writes.WriteAsync(
            () => WriteResult.Commit(ledger.NewestMovement), _ => dirty = ledger.Levels.TakeDirty());
        foreach (string productId in dirty.Order(StringComparer.Ordinal)) _round.Enqueue(productId);
        return true;
    }
}
