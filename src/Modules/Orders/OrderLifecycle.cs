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
    OrderStore store, OrderMetrics metrics, Settlement settlement, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>The handler that brings an order into a status.</summary>
    public Handler To(string status) => http => ChangeAsync(http, status);

    private async ValueTask<IResult> ChangeAsync(HttpContext http, string status)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        Change change = await store.Writes.WriteAsync(() => Apply(id, status), made =>
        {
            if (made.IsNew) metrics.Changed(made.From!, made.Order!);
        });
        if (change.Problem is not null) return change.Problem;
        FaultPoint.Reach("status-changed");
        if (change.IsNew && OrderStatus.MovesStock(status)) await settlement.FollowAsync(id, status);
        return JsonAnswer.Ok(change.Order!.ToBody(), OrdersJson.Wire.OrderBody);
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
