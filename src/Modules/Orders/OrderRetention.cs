using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>
/// Deletes orders that ended longer ago than <see cref="ShopSettings.OrderRetention"/>, and then their movements: a few
/// in each write, with a pause between two writes, so that no request waits long.
/// </summary>
internal sealed class OrderRetention(
    IOrderStore store, OrderMetrics metrics, IInventory inventory,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module) : IAsyncDisposable
{
    /// <summary>
    /// Time between two rounds. A round reads the index of the orders that are over, and the movements of those that
    /// are not.
    /// </summary>
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stopping = new();
    private PeriodicTask? _rounds;

    /// <summary>Starts the rounds, unless orders are kept for ever.</summary>
    public void Start()
    {
        if (module.Settings.OrderRetention > TimeSpan.Zero)
            _rounds = new PeriodicTask("Deleting old orders", Period, RunAsync, module.Clock, module.Log);
    }

    /// <summary>One round.</summary>
    public async Task RunAsync()
    {
        CancellationToken end = _stopping.Token;
        DateTime now = module.Now();
        // A key that came with an order's last change is answered from the order for as long as the key is kept. A
        // key that expires in this very millisecond is still kept.
        DateTime retained = now - module.Settings.OrderRetention;
        DateTime answered = now - IdempotencyKey.Retention - TimeSpan.FromMilliseconds(1);
        DateTime endedBy = retained < answered ? retained : answered;
        foreach (string status in OrderStatus.Final) await DeleteAsync(status, endedBy, now, end);
        if (IsToStop(end)) return;
        await inventory.CompactMovementsAsync(endedBy, store.FindExistingAsync, end);
        await store.ReclaimSpaceAsync(end);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested) return; // the module disposes it first, then the container
        await _stopping.CancelAsync();
        if (_rounds is not null) await _rounds.DisposeAsync();
        _stopping.Dispose();
    }

    private bool IsToStop(CancellationToken end) => end.IsCancellationRequested || !module.Consistency.Holds;

    private async Task DeleteAsync(string status, DateTime endedBy, DateTime now, CancellationToken end)
    {
        for (long? cursor = 0; cursor is { } from && !IsToStop(end);)
        {
            DeletedOrders deleted = await store.DeleteAsync(status, endedBy, from, now);
            metrics.Deleted(deleted.Orders);
            cursor = deleted.Next;
            if (deleted.Orders == 0) continue;
            await Task.Delay(Pause, module.Clock, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
