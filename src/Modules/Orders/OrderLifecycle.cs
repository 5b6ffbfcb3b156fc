using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>
/// An order goes on in its life. The status is written first, with a note where the stock has to follow; so the stock side
/// happens once, whatever falls between.
/// </summary>
internal sealed class OrderLifecycle(
    OrderStore store, OrderMetrics metrics, OrderFeed feed, Settlement settlement, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>The handler that brings an order into a status.</summary>
    public Handler To(string status) => http => ChangeAsync(http, status);

    private async ValueTask<IResult> ChangeAsync(HttpContext http, string status)
    {
        (Order? order, Problem? problem) = await ChangeAsync((string)http.GetRouteValue("order_id")!, status);
        return problem is null ? JsonAnswer.Ok(order!.ToBody(), OrdersJson.Default.OrderBody) : problem;
    }

    /// <summary>Brings an order into a status, or says why not.</summary>
    public async Task<(Order? Order, Problem? Problem)> ChangeAsync(string id, string status)
    {
        Change change = await store.Writes.WriteAsync(() => Apply(id, status), made =>
        {
            if (!made.IsNew) return;
            metrics.Changed(made.From!, made.Order!);
            feed.Tell(made.Order!);
        });
        if (change.Problem is not null) return (null, change.Problem);
        FaultPoint.Reach("status-changed");
        if (change.IsNew && OrderStatus.MovesStock(status)) await settlement.FollowAsync(id, status);
        return (change.Order, null);
    }

    private Outcome<Change> Apply(string id, string status)
    {
        if (store.FindForChange(id) is not { } found) return Outcome.Undo(new Change(Problem: Problem.NotFound("order", id)));
        (long seq, Order order) = found;
        if (order.Status == status) return Outcome.Keep(new Change(order));
        if (!OrderStatus.Changes.Contains((order.Status, status)))
            return Outcome.Undo(new Change(Problem: Problem.Conflict($"An order that is {order.Status} can't become {status}.", "status-change-not-allowed")));

        long now = module.Now().ToMilliseconds();
        store.SetStatus(seq, status, now);
        if (OrderStatus.MovesStock(status)) store.AddPending(id, status);
        return Outcome.Keep(new Change(order with { Status = status, UpdatedAt = now }, order.Status));
    }

    private sealed record Change(Order? Order = null, string? From = null, Problem? Problem = null)
    {
        public bool IsNew => From is not null;
    }
}
