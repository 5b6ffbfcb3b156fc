using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>
/// Keeps Inventory in step with the orders: what can wait is collected and done in one go, off the path of the answer; what
/// failed is tried again; and what a crash left is settled at start, before a port is open. Every step may be repeated.
/// </summary>
internal sealed class Settlement(OrderStore store, IInventory inventory, [FromKeyedServices(OrdersModule.Name)] ModuleContext module) : IAsyncDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>How long steps are collected. Each go is a commit that orders wait behind; a crash leaves so much more to settle.</summary>
    private static readonly TimeSpan CollectTime = TimeSpan.FromMilliseconds(20);

    /// <summary>Most steps of one go: more than come in while one waits for its commit behind a full queue, so that they never pile up.</summary>
    private const int StepsPerGo = 8192;

    private readonly Channel<Step> _steps = Channel.CreateUnbounded<Step>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentDictionary<string, bool> _abandoned = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    private enum Kind
    {
        Confirm,
        Abandon,
        Carry,
        Done,
    }

    /// <summary>Settles what a crash left. It costs what is pending, not what is stored.</summary>
    public async Task SettleAsync()
    {
        IReadOnlyList<string> unconfirmed = await inventory.UnconfirmedAsync();
        IReadOnlySet<string> existing = store.Existing(unconfirmed);
        string[] orphans = [.. unconfirmed.Where(orderId => !existing.Contains(orderId))];
        await inventory.ConfirmAsync([.. existing]);
        await Task.WhenAll(orphans.Select(inventory.ReleaseAsync));

        IReadOnlyList<(string OrderId, string Status)> pending = store.Pending();
        foreach ((string orderId, string status) in pending) await CarryOutAsync(orderId, status);
        await RemovePendingAsync([.. pending.Select(order => order.OrderId)]);
        if (unconfirmed.Count + pending.Count > 0)
        {
            module.Log.LogInformation(
                "Settled what the last run left: {Confirmed} reservations confirmed, {Released} without an order released, {Carried} status changes carried out",
                existing.Count, orphans.Length, pending.Count);
        }
    }

    /// <summary>Starts the work behind the answers.</summary>
    public void Start() => _loop = Task.Run(RunAsync);

    /// <summary>The order exists: its reservation may stay.</summary>
    public void Confirm(string orderId) => _steps.Writer.TryWrite(new Step(Kind.Confirm, orderId));

    /// <summary>The order was not written: its reservation goes.</summary>
    public void Abandon(string orderId)
    {
        _abandoned[orderId] = true;
        _steps.Writer.TryWrite(new Step(Kind.Abandon, orderId));
    }

    /// <summary>Whether an earlier try at this order is still being undone: a new one would hold what is about to go.</summary>
    public bool IsAbandoned(string orderId) => _abandoned.ContainsKey(orderId);

    /// <summary>Lets Inventory follow a status that is on disk: now, or soon where it can't at the moment.</summary>
    public async Task FollowAsync(string orderId, string status)
    {
        try
        {
            await CarryOutAsync(orderId, status);
            _steps.Writer.TryWrite(new Step(Kind.Done, orderId));
        }
        catch (StoreException)
        {
            _steps.Writer.TryWrite(new Step(Kind.Carry, orderId, status));
        }
    }

    /// <summary>Finishes what was collected.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_steps.Writer.TryComplete()) return; // the module did, while the databases were open; the container comes later
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var batch = new List<Step>();
        while (await _steps.Reader.WaitToReadAsync())
        {
            await Task.Delay(CollectTime, module.Clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (batch.Count < StepsPerGo && _steps.Reader.TryRead(out Step step)) batch.Add(step);
            await UntilDoneAsync(() => DoAsync(batch));
            batch.Clear();
        }
    }

    private async Task DoAsync(List<Step> batch)
    {
        string[] placed = Of(batch, Kind.Confirm);
        if (placed.Length > 0) await inventory.ConfirmAsync(placed);
        string[] abandoned = Of(batch, Kind.Abandon);
        if (abandoned.Length > 0) await store.Writes.FenceAsync();
        foreach (string orderId in abandoned)
        {
            await inventory.ReleaseAsync(orderId);
            _abandoned.TryRemove(orderId, out _);
        }

        foreach (Step step in batch.Where(step => step.Kind == Kind.Carry)) await CarryOutAsync(step.OrderId, step.Status!);
        await RemovePendingAsync([.. Of(batch, Kind.Done), .. Of(batch, Kind.Carry)]);
    }

    private async Task UntilDoneAsync(Func<Task> work)
    {
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception exception)
            {
                module.Log.LogWarning("Bringing Inventory in step with the orders failed and is tried again: {Error}", exception.Message);
                if (_stopping.IsCancellationRequested) return; // the next start settles it
                await Task.Delay(RetryDelay, module.Clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private Task CarryOutAsync(string orderId, string status) =>
        status == OrderStatus.Shipped ? inventory.ShipAsync(orderId) : inventory.ReleaseAsync(orderId);

    private async Task RemovePendingAsync(string[] orderIds)
    {
        if (orderIds.Length == 0) return;
        await store.Writes.WriteAsync(() =>
        {
            foreach (string orderId in orderIds) store.RemovePending(orderId);
            return Outcome.Keep(orderIds.Length);
        });
    }

    private static string[] Of(List<Step> batch, Kind kind) => [.. batch.Where(step => step.Kind == kind).Select(step => step.OrderId)];

    private readonly record struct Step(Kind Kind, string OrderId, string? Status = null);
}
