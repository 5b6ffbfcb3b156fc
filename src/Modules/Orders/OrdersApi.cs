using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>The routes of the orders service.</summary>
internal sealed class OrdersApi(
    IOrderStore store, OrderMetrics metrics, PlaceOrder placeOrder, OrderLifecycle lifecycle,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    private const string Tag = "Orders";

    /// <summary>The id of the order that the example of a request places.</summary>
    private const string ExampleId = "checkout-17";

    private const string Example = """
        {"order_id":"0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e","customer_id":"customer-1","status":"created",
        "items":[{"product_id":"prod_0","name":"Illustrated atlas","quantity":2,"unit_price":12.90,"line_total":25.80}],
        "total_amount":25.80,"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z"}
        """;

    private static readonly TextField Status = new("status", 1, 20)
    {
        Description = "Only orders in this status.",
        Example = "\"paid\"",
        Choices = OrderStatus.All,
        ChoicesSchema = nameof(OrderStatus),
    };

    private static readonly TextField CustomerId = new("customer_id", 1, 100)
    {
        Description = "Only orders of this customer.",
        Example = "\"customer-1\"",
    };

    private static readonly TextField ProductId = new("product_id", 1, 64)
    {
        Description = "Only orders with a line of this product.",
        Example = "\"prod_0\"",
    };

    private static readonly IReadOnlyList<Field> ListQuery =
        [Status, CustomerId, ProductId, Paging.Limit, Paging.After];

    public void Map(ModuleRoutes routes)
    {
        routes.Get("/orders", ListAsync).WithQuery(ListQuery).CompressResponse()
            .WithName("listOrders").WithTags(Tag).WithSummary("List the orders")
            .WithDescription("Newest first. X-Total-Count is the number of orders; for a customer or a product it ends "
                + "at 10,000, and X-Total-Count-Relation: gte says that there are more. Link is the next page. A page "
                + "has at most a megabyte, and so it may have fewer orders than limit although there are more.")
            .Produces<OrderBody[]>(200, "A page.", $"[{Example}]");
        routes.Get("/orders/{order_id}", FindAsync).WithPathExample(ExampleId)
            .WithName("getOrder").WithTags(Tag).WithSummary("Read an order")
            .WithDescription("Its lines show names and prices as they were when it was placed.")
            .Produces<OrderBody>(200, "The order.", Example)
            .ProducesProblem(404, "There is no such order.");
        routes.Post("/orders", placeOrder.HandleAsync)
            .WithBody("PlaceOrderRequest", PlaceOrderRequest.Body).WithProblemMember(PlaceOrder.Shortages)
            .OnQueueTimeout(() => metrics.Refused(OrderRefusal.Overloaded))
            .WithName("placeOrder").WithTags(Tag).WithSummary("Place an order")
            .WithDescription("Units are reserved for all of its lines, or for none. The request is safe to repeat if "
                + "it has an Idempotency-Key, or an order_id that the client chose.")
            .Produces<OrderBody>(201, "The order is placed, and on disk; Location is its address.", Example)
            .ProducesProblem(409, "There is too little stock (each product that is short is named), the order_id was "
                + "used for another order, or the order that the Idempotency-Key stands for was deleted.")
            .ProducesProblem(422, "A product is unknown, or no longer sold.");
        Change(routes, "pay", OrderStatus.Paid, "Pay an order",
            "Only an order that is created can be paid.");
        Change(routes, "ship", OrderStatus.Shipped, "Ship an order",
            "Only an order that is paid can be shipped; its units leave the stock.");
        Change(routes, "deliver", OrderStatus.Delivered, "Deliver an order",
            "Only an order that is shipped can be delivered.");
        Change(routes, "cancel", OrderStatus.Cancelled, "Cancel an order",
            "Only an order that is created or paid can be cancelled; its units can be sold again.");
        routes.Get("/orders/{order_id}/events", EventsAsync).WithPathExample(ExampleId)
            .WithName("listOrderEvents").WithTags(Tag).WithSummary("List the statuses that an order has had")
            .WithDescription("Oldest first.")
            .Produces<OrderEventBody[]>(200, "Each status, and when the order came to it.",
                """[{"status":"created","at":"2026-01-31T12:00:00Z"}]""")
            .ProducesProblem(404, "There is no such order.");
    }

    private void Change(ModuleRoutes routes, string verb, string status, string summary, string rule) =>
        routes.Post($"/orders/{{order_id}}/{verb}", lifecycle.To(status)).WithPathExample(ExampleId)
            .WithName($"{verb}Order").WithTags(Tag).WithSummary(summary)
            .WithDescription($"{rule} If it is {status} already, nothing changes.")
            .Produces<OrderBody>(200, "The order has the status, and that is on disk.",
                Example.Replace("\"created\"", $"\"{status}\"", StringComparison.Ordinal))
            .ProducesProblem(404, "There is no such order.")
            .ProducesProblem(409, "The order's status does not allow it; both statuses are named.");

    private async ValueTask<IResult> ListAsync(HttpContext http)
    {
        Query query = Query.Of(http, ListQuery);
        var filter = new OrderFilter(query.Read(Status), query.Read(CustomerId), query.Read(ProductId));
        long limit = query.Read(Paging.Limit)!.Value;
        long? cursor = query.ReadRowCursor();
        if (query.Error is { } error) return error;

        OrderPage page = await module.QueryAsync(http, end => store.ListAsync(filter, cursor, limit, end));
        Paging.Announce(http, page.Total, page.Next is { } next ? Paging.Cursor(next.ToString()) : null);
        return JsonResponse.Ok([.. page.Orders.Select(order => order.ToBody())], OrdersJson.Default.OrderBodyArray);
    }

    private async ValueTask<IResult> FindAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        return await store.FindAsync(id) is { } order
            ? JsonResponse.Ok(order.ToBody(), OrdersJson.Default.OrderBody)
            : Problem.NotFound("order", id);
    }

    private async ValueTask<IResult> EventsAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        return await store.EventsAsync(id) is { Count: > 0 } events
            ? JsonResponse.Ok([.. events.Select(OrderEventBody.Of)], OrdersJson.Default.OrderEventBodyArray)
            : Problem.NotFound("order", id);
    }
}
