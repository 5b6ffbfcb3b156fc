using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>The routes of the orders service.</summary>
internal sealed class OrdersApi(
    IOrderStore store, OrderMetrics metrics, PlaceOrder placeOrder, OrderLifecycle lifecycle,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    private const string Tag = "Orders";

    /// <summary>The order that the example of placing an order places.</summary>
    private const string ExampleId = "checkout-17";

    private const string Example = """
        {"order_id":"0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e","customer_id":"customer-1","status":"created","items":[{"product_id":"prod_0","name":"Illustrated atlas","quantity":2,"unit_price":12.90,"line_total":25.80}],"total_amount":25.80,"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z"}
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

    private static readonly IReadOnlyList<Field> ListQuery = [Status, CustomerId, ProductId, Paging.Limit, Paging.After];

    public void Map(ModuleRoutes routes)
    {
        routes.Get("/orders", List).WithQuery(ListQuery).CompressResponse()
            .WithName("listOrders").WithTags(Tag).WithSummary("List the orders")
            .WithDescription("Newest first. X-Total-Count is the number of orders; for a customer or a product it ends at 10,000, and X-Total-Count-Relation: gte says that there are more. Link is the next page. A page has a megabyte at most, and so may have fewer orders than limit while there are more.")
            .Produces<OrderBody[]>(200, "A page.", $"[{Example}]");
        routes.Get("/orders/{order_id}", Find).WithPathExample(ExampleId)
            .WithName("getOrder").WithTags(Tag).WithSummary("Read an order")
            .WithDescription("Its lines have name and price as they were when it was placed.")
            .Produces<OrderBody>(200, "The order.", Example)
            .ProducesProblem(404, "There is no such order.");
        routes.Post("/orders", placeOrder.HandleAsync).WithBody("PlaceOrderRequest", PlaceOrderRequest.Body).WithProblemMember(PlaceOrder.Shortages)
            .OnQueueTimeout(() => metrics.Rejected(Rejection.Overloaded))
            .WithName("placeOrder").WithTags(Tag).WithSummary("Place an order")
            .WithDescription("Every line is held, or none. Safe to repeat with an Idempotency-Key or an order_id of the client's own.")
            .Produces<OrderBody>(201, "Placed, and on disk; Location says where.", Example)
            .ProducesProblem(409, "Too little stock (each short line is named), the order_id was used for another order, or the order that the Idempotency-Key stands for was deleted.")
            .ProducesProblem(422, "A product is unknown, or no longer sold.");
        Change(routes, "pay", OrderStatus.Paid, "Only an order that is created can be paid.");
        Change(routes, "ship", OrderStatus.Shipped, "Only an order that is paid can be shipped; its units leave the stock.");
        Change(routes, "deliver", OrderStatus.Delivered, "Only an order that is shipped can be delivered.");
        Change(routes, "cancel", OrderStatus.Cancelled, "Only an order that is created or paid can be cancelled; its units can be sold again.");
        routes.Get("/orders/{order_id}/events", Events).WithPathExample(ExampleId)
            .WithName("listOrderEvents").WithTags(Tag).WithSummary("List what happened to an order")
            .WithDescription("Oldest first.")
            .Produces<OrderEventBody[]>(200, "All of it.", """[{"status":"created","at":"2026-01-31T12:00:00Z"}]""")
            .ProducesProblem(404, "There is no such order.");
    }

    private ModuleRouteBuilder Change(ModuleRoutes routes, string verb, string status, string rule) =>
        routes.Post($"/orders/{{order_id}}/{verb}", lifecycle.To(status)).WithPathExample(ExampleId)
            .WithName($"{verb}Order").WithTags(Tag).WithSummary($"Bring an order to {status}")
            .WithDescription($"{rule} If it is {status} already, nothing changes.")
            .Produces<OrderBody>(200, "Done, and on disk.", Example.Replace("\"created\"", $"\"{status}\"", StringComparison.Ordinal))
            .ProducesProblem(404, "There is no such order.")
            .ProducesProblem(409, "The order's status does not allow it; both statuses are named.");

    private async ValueTask<IResult> List(HttpContext http)
    {
        Query query = Query.Of(http, ListQuery);
        var filter = new OrderFilter(query.Read(Status), query.Read(CustomerId), query.Read(ProductId));
        long limit = query.Read(Paging.Limit)!.Value;
        long? cursor = query.ReadRowCursor();
        if (query.Error is { } error) return error;

        OrderPage page = await module.QueryAsync(http, end => store.ListAsync(filter, cursor, limit, end));
        Paging.Announce(http, page.Total, page.Next is { } next ? Paging.Cursor(next.ToString()) : null);
        return JsonAnswer.Ok([.. page.Orders.Select(order => order.ToBody())], OrdersJson.Default.OrderBodyArray);
    }

    private async ValueTask<IResult> Find(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        return await store.FindAsync(id) is { } order
            ? JsonAnswer.Ok(order.ToBody(), OrdersJson.Default.OrderBody)
            : Problem.NotFound("order", id);
    }

    private async ValueTask<IResult> Events(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        return await store.EventsAsync(id) is { Count: > 0 } events
            ? JsonAnswer.Ok([.. events.Select(OrderEventBody.Of)], OrdersJson.Default.OrderEventBodyArray)
            : Problem.NotFound("order", id);
    }
}
