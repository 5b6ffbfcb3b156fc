using Shop.Platform;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory;

/// <summary>
/// Old movements go into the opening balances of their products. What an order reserved goes in one write with what became of it, so that the movements of
/// each order come to nothing at any time.
/// </summary>
internal sealed class MovementFolding(
    InventoryStore store, InventoryMetrics metrics, DateTime upTo, Func<IReadOnlyCollection<string>, IReadOnlySet<string>> existing)
{
    internal const int MovementsAtOnce = 250;
    private const int MovementsPerRead = 1000;

    /// <summary>Reserved lines whose end is yet to be read are remembered. Of any more, the next round takes care.</summary>
    private const int MaxOpen = 50_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Dictionary<(string OrderId, string ProductId), OldMovement> _open = [];
    private readonly List<OldMovement> _ready = [];

    public async Task RunAsync(CancellationToken end)
    {
        long after = 0, newest = store.Checkpoint(), latest = upTo.ToMilliseconds();
        while (!end.IsCancellationRequested)
        {
            // Times hardly ever go back from one movement to the next: all after these are too young as well.
            IReadOnlyList<OldMovement> next = store.MovementsAfter(after, newest, MovementsPerRead);
            if (next.All(movement => movement.At > latest)) break;
            after = next[^1].Id;
            Take([.. next.Where(movement => movement.At <= latest)]);
            if (_ready.Count >= MovementsAtOnce) await FoldAsync(end);
        }

        if (!end.IsCancellationRequested) await FoldAsync(end);
        await store.GiveBackSpaceAsync(end);
    }

    private void Take(OldMovement[] movements)
    {
        IReadOnlySet<string> orders = existing([.. movements.Where(IsReserved).Select(movement => movement.OrderId!).Distinct(StringComparer.Ordinal)]);
        foreach (OldMovement movement in movements)
        {
            if (movement.OrderId is not { } orderId)
            {
                _ready.Add(movement);
            }
            else if (IsReserved(movement))
            {
                if (!orders.Contains(orderId) && _open.Count < MaxOpen) _open[(orderId, movement.ProductId)] = movement;
            }
            else if (_open.Remove((orderId, movement.ProductId), out OldMovement? reserved) && reserved.Quantity == movement.Quantity)
            {
                _ready.Add(reserved);
                _ready.Add(movement);
            }
        }
    }

    private async Task FoldAsync(CancellationToken end)
    {
        // Two that belong together stay together.
        foreach (OldMovement[] some in Parts())
        {
            await store.Writes.WriteAsync(() => WriteResult.Commit(store.Fold(some)), metrics.Deleted);
            await Task.Delay(Pause, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (end.IsCancellationRequested) return;
        }

        _ready.Clear();
    }

    private IEnumerable<OldMovement[]> Parts()
    {
        var part = new List<OldMovement>();
        for (int i = 0; i < _ready.Count; i++)
        {
            part.Add(_ready[i]);
            bool isHalf = IsReserved(_ready[i]);
            if (isHalf || part.Count < MovementsAtOnce) continue;
            yield return [.. part];
            part.Clear();
        }

        if (part.Count > 0) yield return [.. part];
    }

    private static bool IsReserved(OldMovement movement) => movement.Kind == MovementKind.Reserved.Name;
}
