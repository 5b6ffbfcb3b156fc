using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>
/// Keeps the stock in step with the orders. Work that can wait is collected and done together, after the answers;
/// failed work is tried again; work that a crash has left is done at the start, before a port is open. Every step may
/// be repeated.
/// </summary>
internal sealed class OrderReconciler(
    IOrderStore store, IInventory inventory, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
    : IAsyncDisposable
{
    /// <summary>The most reservations in one write, which costs no more than a full batch of orders.</summary>
    internal const int StepsPerWrite = 1024;

    /// <summary>If every try fails, the log has a line every ten seconds.</summary>
    private const int FailuresPerLine = 50;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// How long steps are collected. Each collection is one commit, which orders wait for; but the longer the time, the
    /// more work a crash leaves.
    /// </summary>
    private static readonly TimeSpan CollectTime = TimeSpan.FromMilliseconds(20);

    private readonly Channel<(Step Step, ReservationId Reservation)> _new =
        Channel.CreateUnbounded<(Step, ReservationId)>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Dictionary<Step, Queue<ReservationId>> _open =
        Enum.GetValues<Step>().ToDictionary(step => step, _ => new Queue<ReservationId>());

    private readonly ConcurrentDictionary<string, bool> _beingReleased = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;
    private PeriodicTask? _recovery;
    private volatile bool _isAtWork;
    private int _failures, _confirmed, _released;

    /// <summary>The steps, in the order in which they are done.</summary>
    private enum Step
    {
        /// <summary>The order exists: its reservation may stay.</summary>
        Confirm,

        /// <summary>The order may not exist: its reservation is confirmed if it does, and released if not.</summary>
        Resolve,

        /// <summary>The order was shipped: its units leave the stock.</summary>
        Ship,

        /// <summary>The order was cancelled: its units can be sold again.</summary>
        Release,

        /// <summary>The change is applied to the stock, and leaves the stock outbox.</summary>
        Complete,
    }

    /// <summary>
    /// Does the work that a crash has left. Its cost depends on the pending work, not on the stored orders.
    /// </summary>
    /// <exception cref="StoreException">A database can't be used.</exception>
    public async Task ReconcileAsync()
    {
        (int reservations, int changes) = await FindLeftoversAsync();
        TakeNewSteps();
        Exception? failure = null;
        await module.RetryRefusedAsync(async () =>
        {
            failure = await DoAsync();
            if (failure is StoreException) throw failure;
        });
        if (failure is not null) Warn(failure);
        if (reservations + changes == 0) return;
        module.Log.LogInformation(
            "Settled what the last run left: {Confirmed} reservations confirmed, {Released} without an order released, "
            + "{Changes} status changes carried out", _confirmed, _released, changes);
    }

    /// <summary>Starts the background work.</summary>
    public void Start()
    {
        _loop = Task.Run(RunAsync);
        if (store.RecoveryPeriod is not { } period) return;
        _recovery = new PeriodicTask(
            "Looking for what other hosts left", period, FindMoreLeftoversAsync, module.Clock, module.Log);
    }

    /// <summary>The order exists: its reservation may stay.</summary>
    public void Confirm(ReservationId reservation) => _new.Writer.TryWrite((Step.Confirm, reservation));

    /// <summary>
    /// The order could not be placed: its reservation is released, unless the order turns out to exist.
    /// </summary>
    public void ReleaseReservation(ReservationId reservation)
    {
        _beingReleased[reservation.OrderId] = true;
        _new.Writer.TryWrite((Step.Resolve, reservation));
    }

    /// <summary>Whether the reservation of an earlier try at this order is still being released.</summary>
    public bool IsBeingReleased(string orderId) => _beingReleased.ContainsKey(orderId);

    /// <summary>
    /// Applies a durable change of status to the stock: now, or later if that fails. It never throws.
    /// </summary>
    public async Task ApplyStockChangeAsync(StockChange change)
    {
        Step step = StepOf(change);
        try
        {
            await MoveStockAsync(step, [change.Reservation]);
            step = Step.Complete;
        }
        catch (Exception)
        {
            // The change is in the outbox, and is tried again in the background; if that fails, too, it is logged.
        }

        _new.Writer.TryWrite((step, change.Reservation));
    }

    /// <summary>Finishes what was collected.</summary>
    public async ValueTask DisposeAsync()
    {
        // The module disposes it while the databases are open, and the container once more after that.
        if (!_new.Writer.TryComplete()) return;
        if (_recovery is not null) await _recovery.DisposeAsync();
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private static Step StepOf(StockChange change) => change.Status == OrderStatus.Shipped ? Step.Ship : Step.Release;

    // While a round is under way, its remaining work would be found once more, each time.
    private Task FindMoreLeftoversAsync() => _isAtWork ? Task.CompletedTask : FindLeftoversAsync();

    private async Task<(int Reservations, int Changes)> FindLeftoversAsync()
    {
        IReadOnlyList<ReservationId> unconfirmed = await inventory.UnconfirmedAsync();
        foreach (ReservationId reservation in unconfirmed) _new.Writer.TryWrite((Step.Resolve, reservation));
        IReadOnlyList<StockChange> changes = await store.PendingStockChangesAsync();
        foreach (StockChange change in changes) _new.Writer.TryWrite((StepOf(change), change.Reservation));
        return (unconfirmed.Count, changes.Count);
    }

    private async Task RunAsync()
    {
        bool isDone = true;
        while (!isDone || await _new.Reader.WaitToReadAsync())
        {
            await Task.Delay(isDone ? CollectTime : RetryDelay, module.Clock, _stopping.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            bool isLast = _stopping.IsCancellationRequested;
            TakeNewSteps();
            _isAtWork = true;
            Exception? failure = await DoAsync();
            _isAtWork = false;
            isDone = failure is null;
            if (isDone) _failures = 0;
            else Warn(failure!);
            if (!isDone && isLast) return; // the next start does the rest
        }
    }

    private void TakeNewSteps()
    {
        while (_new.Reader.TryRead(out (Step Step, ReservationId Reservation) step))
            _open[step.Step].Enqueue(step.Reservation);
    }

    /// <summary>Does all open steps. A failed step stays open, and does not prevent others.</summary>
    /// <returns>A failure; null if nothing is left open.</returns>
    private async Task<Exception?> DoAsync()
    {
        using Activity? round = module.Traces.StartActivity("reconcile");
        round?.SetTag("shop.reconcile.steps", _open.Values.Sum(static steps => steps.Count));
        Exception? failure = null;
        foreach (Step step in Enum.GetValues<Step>()) failure = await DoAsync(step, _open[step]) ?? failure;
        if (failure is not null) round?.SetStatus(ActivityStatusCode.Error, failure.Message);
        return failure;
    }

    private async Task<Exception?> DoAsync(Step step, Queue<ReservationId> reservations)
    {
        Exception? failure = null;
        int width = StepsPerWrite;
        for (int left = reservations.Count; left > 0;)
        {
            ReservationId[] some = [.. reservations.Take(Math.Min(width, left))];
            try
            {
                await DoAsync(step, some);
            }
            catch (StoreException exception)
            {
                return exception; // the others would fail as well
            }
            catch (Exception) when (some.Length > 1)
            {
                width = 1; // to find the one that fails
                continue;
            }
            catch (Exception exception)
            {
                failure = exception;
                reservations.Enqueue(some[0]);
            }

            for (int i = 0; i < some.Length; i++) reservations.Dequeue();
            left -= some.Length;
        }

        return failure;
    }

    private async Task DoAsync(Step step, ReservationId[] some)
    {
        switch (step)
        {
            case Step.Confirm:
                await inventory.ConfirmAsync(some);
                break;
            case Step.Resolve:
                await ResolveAsync(some);
                break;
            case Step.Ship or Step.Release:
                await MoveStockAsync(step, some);
                foreach (ReservationId reservation in some) _open[Step.Complete].Enqueue(reservation);
                break;
            default:
                await store.CompleteStockChangesAsync(some);
                break;
        }
    }

    // A failed write may have taken effect all the same: the store decides.
    private async Task ResolveAsync(ReservationId[] some)
    {
        IReadOnlySet<ReservationId> withOrders = await store.ResolveAsync(some);
        ReservationId[] without = [.. some.Where(reservation => !withOrders.Contains(reservation))];
        await inventory.ConfirmAsync([.. withOrders]);
        await inventory.ReleaseAsync(without);
        _confirmed += withOrders.Count;
        _released += without.Length;
        foreach (ReservationId reservation in some) _beingReleased.TryRemove(reservation.OrderId, out _);
    }

    private Task MoveStockAsync(Step step, ReservationId[] some) =>
        step == Step.Ship ? inventory.ShipAsync(some) : inventory.ReleaseAsync(some);

    private void Warn(Exception failure)
    {
        if (_failures++ % FailuresPerLine != 0) return;
        module.Log.LogWarning(
            "Bringing Inventory in step with the orders failed and is tried again: {Error}", failure.Message);
    }
}
