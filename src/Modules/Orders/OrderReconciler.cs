using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>
/// Keeps Inventory in step with the orders: what can wait is collected and done in one go, off the path of the answer; what
/// failed is tried again; and what a crash left is settled at start, before a port is open. Every step may be repeated.
/// </summary>
internal sealed class OrderReconciler(OrderStore store, IInventory inventory, [FromKeyedServices(OrdersModule.Name)] ModuleContext module) : IAsyncDisposable
{
    /// <summary>Most reservations of one write: so many cost no more than a full batch of orders.</summary>
    internal const int StepsPerWrite = 1024;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>While nothing but failures come, the log has a line for every tenth second.</summary>
    private const int FailuresPerLine = 50;

    /// <summary>How long steps are collected. Each go is a commit that orders wait behind; a crash leaves so much more to settle.</summary>
    private static readonly TimeSpan CollectTime = TimeSpan.FromMilliseconds(20);

    private readonly Channel<(Kind Kind, ReservationId Reservation)> _steps =
        Channel.CreateUnbounded<(Kind, ReservationId)>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Dictionary<Kind, Queue<ReservationId>> _open = Enum.GetValues<Kind>()
        .ToDictionary(kind => kind, _ => new Queue<ReservationId>());
    private readonly ConcurrentDictionary<string, bool> _beingUndone = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;
    private int _failures;

    private enum Kind
    {
        Confirm,
        Undo,
        Ship,
        Release,
        Followed,
    }

    /// <summary>Settles what a crash left. It costs what is pending, not what is stored.</summary>
    /// <exception cref="StoreException">A database can't be used.</exception>
    public async Task ReconcileAsync()
    {
        IReadOnlyList<ReservationId> unconfirmed = await inventory.UnconfirmedAsync();
        int withOrders = store.WithOrders(unconfirmed).Count;
        foreach (ReservationId reservation in unconfirmed) _open[Kind.Undo].Enqueue(reservation);
        IReadOnlyList<(ReservationId Reservation, string Status)> pending = store.Pending();
        foreach ((ReservationId reservation, string status) in pending) _open[Following(status)].Enqueue(reservation);

        Exception? failure = await DoAsync();
        for (long start = module.Clock.GetTimestamp();
            failure is WriteRefusedException && module.Clock.GetElapsedTime(start) < module.Settings.RequestTimeout;)
        {
            await Task.Delay(RetryDelay, module.Clock);
            failure = await DoAsync();
        }

        if (failure is not null)
        {
            if (failure is StoreException) throw failure;
            Warn(failure);
        }

        if (unconfirmed.Count + pending.Count > 0)
        {
            module.Log.LogInformation(
                "Settled what the last run left: {Confirmed} reservations confirmed, {Released} without an order released, {Carried} status changes carried out",
                withOrders, unconfirmed.Count - withOrders, pending.Count);
        }
    }

    /// <summary>Starts the work behind the answers.</summary>
    public void Start() => _loop = Task.Run(RunAsync);

    /// <summary>The order exists: its reservation may stay.</summary>
    public void Confirm(ReservationId reservation) => _steps.Writer.TryWrite((Kind.Confirm, reservation));

    /// <summary>The order could not be placed: its reservation goes, unless there is the order all the same.</summary>
    public void Undo(ReservationId reservation)
    {
        _beingUndone[reservation.OrderId] = true;
        _steps.Writer.TryWrite((Kind.Undo, reservation));
    }

    /// <summary>Whether an earlier try at this order is still being undone.</summary>
    public bool IsBeingUndone(string orderId) => _beingUndone.ContainsKey(orderId);

    /// <summary>
    /// Lets Inventory follow a status that is on disk: now, or soon if it can't at the moment. It never fails.
    /// </summary>
    public async Task FollowAsync(ReservationId reservation, string status)
    {
        Kind kind = Following(status);
        try
        {
            await FollowAsync(kind, [reservation]);
            kind = Kind.Followed;
        }
        catch (Exception)
        {
            // The change is noted on disk, and tried again behind the answers: the log has it if that fails, too.
        }

        _steps.Writer.TryWrite((kind, reservation));
    }

    /// <summary>Finishes what was collected.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_steps.Writer.TryComplete()) return; // the module did, while the databases were open; the container comes later
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private static Kind Following(string status) => status == OrderStatus.Shipped ? Kind.Ship : Kind.Release;

    private async Task RunAsync()
    {
        bool isDone = true;
        while (!isDone || await _steps.Reader.WaitToReadAsync())
        {
            await Task.Delay(isDone ? CollectTime : RetryDelay, module.Clock, _stopping.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            bool isLast = _stopping.IsCancellationRequested;
            while (_steps.Reader.TryRead(out (Kind Kind, ReservationId Reservation) step))
                _open[step.Kind].Enqueue(step.Reservation);
            Exception? failure = await DoAsync();
            isDone = failure is null;
            if (isDone) _failures = 0;
            else Warn(failure!);
            if (!isDone && isLast) return; // the next start settles it
        }
    }

    /// <summary>Does what is open. What fails stays open, and keeps nothing else from being done.</summary>
    /// <returns>A failure; null if nothing is left open.</returns>
    private async Task<Exception?> DoAsync()
    {
        Exception? failure = null;
        foreach (Kind kind in Enum.GetValues<Kind>()) failure = await DoAsync(kind, _open[kind]) ?? failure;
        return failure;
    }

    private async Task<Exception?> DoAsync(Kind kind, Queue<ReservationId> steps)
    {
        Exception? failure = null;
        int width = StepsPerWrite;
        for (int left = steps.Count; left > 0;)
        {
            ReservationId[] some = [.. steps.Take(Math.Min(width, left))];
            try
            {
                await DoAsync(kind, some);
            }
            catch (StoreException exception)
            {
                return exception; // the others would fail as well
            }
            catch (Exception) when (some.Length > 1)
            {
                width = 1; // who is at fault?
                continue;
            }
            catch (Exception exception)
            {
                failure = exception;
                steps.Enqueue(some[0]);
            }

            for (int i = 0; i < some.Length; i++) steps.Dequeue();
            left -= some.Length;
        }

        return failure;
    }

    private async Task DoAsync(Kind kind, ReservationId[] some)
    {
        switch (kind)
        {
            case Kind.Confirm:
                await inventory.ConfirmAsync(some);
                break;
            case Kind.Undo:
                await UndoAsync(some);
                break;
            case Kind.Ship or Kind.Release:
                await FollowAsync(kind, some);
                foreach (ReservationId reservation in some) _open[Kind.Followed].Enqueue(reservation);
                break;
            default:
                await store.Writes.WriteAsync(() =>
                {
                    foreach (ReservationId reservation in some) store.RemovePending(reservation.OrderId);
                    return WriteResult.Commit(some.Length);
                });
                break;
        }
    }

    // A write that failed may have taken effect all the same: whether there is the order decides.
    private async Task UndoAsync(ReservationId[] some)
    {
        await store.Writes.CommitBarrierAsync();
        IReadOnlySet<ReservationId> withOrders = store.WithOrders(some);
        await inventory.ConfirmAsync([.. withOrders]);
        await inventory.ReleaseAsync([.. some.Where(reservation => !withOrders.Contains(reservation))]);
        foreach (ReservationId reservation in some) _beingUndone.TryRemove(reservation.OrderId, out _);
    }

    private Task FollowAsync(Kind kind, ReservationId[] some) =>
        kind == Kind.Ship ? inventory.ShipAsync(some) : inventory.ReleaseAsync(some);

    private void Warn(Exception failure)
    {
        if (_failures++ % FailuresPerLine == 0)
            module.Log.LogWarning("Bringing Inventory in step with the orders failed and is tried again: {Error}",
                failure.Message);
    }
}
