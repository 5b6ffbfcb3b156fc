using Shop.Platform;

namespace Shop.Inventory;

/// <summary>
/// Deletes old movements, and adds them to the opening balances of their products. The movement that reserved units
/// goes in one write with the movement that released or shipped them, so that the sums are right at any time.
/// </summary>
/// <param name="store">The stock.</param>
/// <param name="metrics">Counts what is deleted.</param>
/// <param name="upTo">Movements of this time and before are old.</param>
/// <param name="existing">Finds out which of some orders exist: their movements stay.</param>
internal sealed class MovementCompaction(
    IStockStore store, InventoryMetrics metrics, DateTime upTo,
    Func<IReadOnlyCollection<string>, ValueTask<IReadOnlySet<string>>> existing)
{
    internal const int MovementsPerWrite = 250;
    private const int MovementsPerRead = 1000;

    /// <summary>
    /// Reserving movements that are kept in memory until the movement that ends them is read. Others are left to the
    /// next round.
    /// </summary>
    private const int MaxUnpaired = 50_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Dictionary<(string OrderId, string ProductId), OldMovement> _unpaired = [];
    private readonly List<OldMovement> _ready = [];

    public async Task RunAsync(CancellationToken end)
    {
        long after = 0, latest = upTo.ToMilliseconds();
        while (!end.IsCancellationRequested)
        {
            // The times of movements hardly ever go back: if all of these are too young, so are those after them.
            IReadOnlyList<OldMovement> next =
                await store.OldestMovementsAsync(after, MovementsPerRead, CancellationToken.None);
            if (next.All(movement => movement.At > latest)) break;
            after = next[^1].Id;
            await CollectAsync([.. next.Where(movement => movement.At <= latest)]);
            if (_ready.Count >= MovementsPerWrite) await CompactAsync(end);
        }

        if (!end.IsCancellationRequested) await CompactAsync(end);
        await store.ReclaimSpaceAsync(end);
    }

    private async Task CollectAsync(OldMovement[] movements)
    {
        IReadOnlySet<string> orders = await existing([.. movements.Where(IsReserving)
            .Select(movement => movement.OrderId!).Distinct(StringComparer.Ordinal)]);
        foreach (OldMovement movement in movements)
        {
            if (movement.OrderId is not { } orderId)
            {
                _ready.Add(movement);
            }
            else if (IsReserving(movement))
            {
                if (!orders.Contains(orderId) && _unpaired.Count < MaxUnpaired)
                    _unpaired[(orderId, movement.ProductId)] = movement;
            }
            else if (_unpaired.Remove((orderId, movement.ProductId), out OldMovement? reserving)
                && reserving.Quantity == movement.Quantity)
            {
                _ready.Add(reserving);
                _ready.Add(movement);
            }
        }
    }

    private async Task CompactAsync(CancellationToken end)
    {
        foreach (OldMovement[] batch in Batches())
        {
            metrics.Deleted(await store.CompactAsync(batch));
            await Task.Delay(Pause, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (end.IsCancellationRequested) return;
        }

        _ready.Clear();
    }

    // The two movements of a pair are neighbours, and stay in one batch.
    private IEnumerable<OldMovement[]> Batches()
    {
        var batch = new List<OldMovement>();
        foreach (OldMovement movement in _ready)
        {
            batch.Add(movement);
            if (IsReserving(movement) || batch.Count < MovementsPerWrite) continue;
            yield return [.. batch];
            batch.Clear();
        }

        if (batch.Count > 0) yield return [.. batch];
    }

    private static bool IsReserving(OldMovement movement) => movement.Kind == MovementKind.Reserved.Name;
}
