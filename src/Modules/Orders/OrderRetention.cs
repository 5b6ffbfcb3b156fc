using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>
/// Deletes orders that came to their end so long ago that <see cref="ShopSettings.OrderRetention"/> lets them go, and then their movements: a few in each
/// write, with a pause between two writes, so that it holds up no answer.
/// </summary>
internal sealed class OrderRetention(
    OrderStore store, OrderMetrics metrics, IInventory inventory, [FromKeyedServices(OrdersModule.Name)] ModuleContext module) : IAsyncDisposable
{
    /// <summary>Orders of one write.</summary>
    internal const int OrdersAtOnce = 100;

    /// <summary>Time between two rounds. A round reads the index of the orders that are over, and the movements of those that are not.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stopping = new();
    private Periodic? _rounds;

    private bool IsOn => module.Settings.OrderRetention > TimeSpan.Zero;

    /// <summary>Starts the rounds, unless orders are kept for ever.</summary>
    public void Start()
    {
        if (IsOn) _rounds = new Periodic("Deleting old orders", Period, RunAsync, module.Clock, module.Log);
    }

    /// <summary>Inside a write: an order stays while a key stands for it that is bound to it now.</summary>
    /// <returns>Whether the order is there.</returns>
    public bool Keep(string orderId, DateTime now) => !IsOn || store.KeepUntil(orderId, now + IdempotencyKeys.Retention);

    /// <summary>One round.</summary>
    public async Task RunAsync()
    {
        CancellationToken end = _stopping.Token;
        DateTime now = module.Now();
        foreach (string status in OrderStatus.Final) await DeleteAsync(status, now, end);
        if (IsToStop(end)) return;
        await inventory.FoldMovementsAsync(LatestEnd(now), store.Existing, end);
        await module.Database.GiveBackSpaceAsync(end);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested) return; // the module did, before the container
        await _stopping.CancelAsync();
        if (_rounds is not null) await _rounds.DisposeAsync();
        _stopping.Dispose();
    }

    private bool IsToStop(CancellationToken end) => end.IsCancellationRequested || !module.Books.Agree;

    // A key that came with an order's last change is answered from the order for as long as it is kept, and once more at the edge.
    private DateTime LatestEnd(DateTime now)
    {
        DateTime kept = now - module.Settings.OrderRetention, answered = now - IdempotencyKeys.Retention - TimeSpan.FromMilliseconds(1);
        return kept < answered ? kept : answered;
    }

    private async Task DeleteAsync(string status, DateTime now, CancellationToken end)
    {
        DateTime latestEnd = LatestEnd(now);
        long after = 0;
        while (!IsToStop(end))
        {
            // None ends before it is created, and so all after these are too young as well.
            IReadOnlyList<OrderAge> next = store.InStatus(status, after, OrdersAtOnce);
            if (next.All(order => order.CreatedAt > latestEnd.ToMilliseconds())) return;
            after = next[^1].Seq;
            long[] old = [.. next.Where(order => order.UpdatedAt <= latestEnd.ToMilliseconds()).Select(order => order.Seq)];
            if (old.Length == 0) continue;
            await store.Writes.WriteAsync(() => WriteResult.Commit(store.Delete(old, now)), deleted => metrics.Deleted(status, deleted));
            await Task.Delay(Pause, module.Clock, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}

/// <summary>When an order was created and when it last changed, in milliseconds since 1970.</summary>
internal sealed record OrderAge(long Seq, long CreatedAt, long UpdatedAt);
