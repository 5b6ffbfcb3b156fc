using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>
/// Pays, ships, delivers and cancels orders. The status is written first, in one write with an entry in the stock
/// outbox. So the change is applied to the stock once, whenever the shop is killed.
/// </summary>
internal sealed class OrderLifecycle(
    IOrderStore store, OrderMetrics metrics, OrderFeed feed, OrderReconciler reconciler,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>The handler that changes an order's status to this one.</summary>
    public Handler To(string status) => http => HandleAsync(http, status);

    /// <summary>Changes an order's status.</summary>
    /// <exception cref="Shop.Platform.Data.StoreException">The database can't be used at the moment.</exception>
    public async Task<OrderResult> ChangeAsync(string id, string status, string? keyText = null)
    {
        // The first part has a space, so it differs from the content of a new order, which begins with an order_id.
        var key = IdempotencyKey.Of(keyText, $"order {status}", id);
        ChangeStatusResult result = await store.ChangeStatusAsync(id, status, key, module.Now());
        FaultPoint.Reach("status-changed");
        switch (result.Outcome)
        {
            case ChangeStatusOutcome.Changed:
                metrics.Changed(result.Before!.Status, result.Order!);
                feed.Publish(result.Order!, result.Before);
                if (OrderStatus.MovesStock(status))
                    await reconciler.ApplyStockChangeAsync(new StockChange(result.Reservation, status));
                return new OrderResult(result.Order);
            case ChangeStatusOutcome.Unchanged:
                return new OrderResult(result.Order);
            case ChangeStatusOutcome.Replayed:
                return new OrderResult(result.Order, IsReplayed: true);
            case ChangeStatusOutcome.NotAllowed:
                return new OrderResult(Problem: Problem.Conflict(
                    $"An order that is {result.Order!.Status} can't become {status}.", "status-change-not-allowed"));
            case ChangeStatusOutcome.KeyReused:
                return new OrderResult(Problem: IdempotencyKey.Reused);
            default:
                return new OrderResult(Problem: Problem.NotFound("order", id));
        }
    }

    private async ValueTask<IResult> HandleAsync(HttpContext http, string status)
    {
        var errors = new ValidationErrors();
        string? key = IdempotencyKey.Read(http, errors);
        if (errors.Any) return Problem.Invalid(errors);
        OrderResult result = await ChangeAsync((string)http.GetRouteValue("order_id")!, status, key);
        if (result.Order is not { } order) return result.Problem!;
        IdempotencyKey.MarkReplayed(http, result.IsReplayed);
        return JsonResponse.Ok(order.ToBody(), OrdersJson.Default.OrderBody);
    }
}
