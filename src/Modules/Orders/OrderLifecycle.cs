using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>
/// An order goes on in its life. The status is written first, with a note where the stock has to follow; so the stock side
/// happens once, whatever falls between.
/// </summary>
internal sealed class OrderLifecycle(
    OrderStore store, OrderMetrics metrics, OrderFeed feed, OrderReconciler reconciler, OrderRetention retention, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>The handler that brings an order into a status.</summary>
    public Handler To(string status) => http => ChangeAsync(http, status);

    private async ValueTask<IResult> ChangeAsync(HttpContext http, string status)
    {
        var errors = new ValidationErrors();
        string? keyText = IdempotencyKey.Read(http, errors);
        if (errors.Any) return Problem.Invalid(errors);
        Reply<Change> reply = await ChangeAsync((string)http.GetRouteValue("order_id")!, status, keyText);
        if (reply.Value is not { } change) return reply.Problem!;
        IdempotencyKey.MarkReplayed(http, reply.IsReplayed);
        return JsonAnswer.Ok(change.Order.ToBody(), OrdersJson.Default.OrderBody);
    }

    /// <summary>Brings an order into a status, or says why not.</summary>
    public async Task<Reply<Change>> ChangeAsync(string id, string status, string? keyText = null)
    {
        // Its first part has a space, and so is no order_id, which a wish's content begins with.
        var key = IdempotencyKey.Of(keyText, $"order {status}", id);
        Reply<Change> reply = await store.Writes.WriteAsync(
            () => key is not null && store.FindForChange(id) is null
                ? Refused(Problem.NotFound("order", id)) // whatever the key stood for, it was deleted
                : store.Keys.Once(key, module.Now(), () => Apply(id, status, isKept: key is not null),
                    static change => Kept(change.Order), kept => new Change(Again(id, status, kept))),
            made =>
            {
                if (made.Value!.From is not { } from) return;
                metrics.Changed(from, made.Value.Order);
                feed.Tell(made.Value.Order);
            });
        if (reply.Value is null) return reply;
        FaultPoint.Reach("status-changed");
        if (reply.Value.From is not null && OrderStatus.MovesStock(status)) await reconciler.FollowAsync(reply.Value.Reservation, status);
        return reply;
    }

    private WriteResult<Reply<Change>> Apply(string id, string status, bool isKept)
    {
        if (store.FindForChange(id) is not { } found) return Refused(Problem.NotFound("order", id));
        (long seq, Order order, ReservationId reservation) = found;
        if (order.Status == status)
        {
            if (isKept) retention.Keep(id, module.Now());
            return WriteResult.Commit(Reply.Done(new Change(order)));
        }

        if (!OrderStatus.Changes.Contains((order.Status, status)))
            return Refused(Problem.Conflict($"An order that is {order.Status} can't become {status}.", "status-change-not-allowed"));

        long now = module.Now().ToMilliseconds(notBefore: order.UpdatedAt);
        store.SetStatus(seq, status, now);
        if (OrderStatus.MovesStock(status)) store.AddPending(id, status);
        return WriteResult.Commit(Reply.Done(new Change(order.As(status, now), order.Status, reservation)));
    }

    private static WriteResult<Reply<Change>> Refused(Problem problem) => WriteResult.Rollback(Reply.Refused<Change>(problem));

    // The status is known from the request, and the rest of an order never changes: the time alone is kept.
    private static string Kept(Order order) => order.UpdatedAt.ToString(CultureInfo.InvariantCulture);

    private Order Again(string id, string status, string kept) =>
        store.FindForChange(id)!.Value.Order.As(status, long.Parse(kept, CultureInfo.InvariantCulture));

    /// <summary>An order that has come into a status.</summary>
    /// <param name="Order">The order.</param>
    /// <param name="From">The status before; null if it had this status already.</param>
    /// <param name="Reservation">What it holds, if it has come from another status.</param>
    internal sealed record Change(Order Order, string? From = null, ReservationId Reservation = default);
}
