using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;
using Shop.Products.Contracts;

namespace Shop.Orders;

/// <summary>The pages of the orders service: the board, an order, the checkout.</summary>
internal sealed class OrderPages(OrderStore store, PlaceOrder placeOrder, OrderLifecycle lifecycle, OrderFeed feed, IProductCatalogue products,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    private const int BoardRows = 50;

    private readonly string _currency = module.Settings.Currency;

    private static readonly (string Verb, string Status)[] Steps =
        [("pay", OrderStatus.Paid), ("ship", OrderStatus.Shipped), ("deliver", OrderStatus.Delivered), ("cancel", OrderStatus.Cancelled)];

    public void Map(ModuleRoutes routes)
    {
        routes.Home(Board);
        routes.Page("/order/{order_id}", http => ValueTask.FromResult(Show(http, (string)http.GetRouteValue("order_id")!, null)));
        routes.Form("/order/{order_id}", ChangeAsync);
        routes.Form("/checkout", CheckoutAsync);
        routes.Stream("/board/events", feed.Events);
    }

    private async ValueTask<IResult> Board(HttpContext http)
    {
        string? status = http.Request.Query["status"], customer = http.Request.Query["customer_id"];
        var filter = new OrderFilter(OrderStatus.All.Contains(status) ? status : null, string.IsNullOrEmpty(customer) ? null : customer, null);
        string position = feed.Events.Position; // before the orders are read: none comes in between
        IReadOnlyList<OrderHead> orders = await module.QueryAsync(http, end => store.Newest(filter, BoardRows, end));
        return new Page("Orders", new Pages_Board { Model = new BoardModel(orders, filter, position, _currency) });
    }

    private IResult Show(HttpContext http, string id, string? refusal)
    {
        string position = feed.Events.Position;
        if (store.Find(id) is not { } order) return Problem.NotFound("order", id);
        bool takesForms = Site.Of(http).TakesForms;
        (string Verb, string Status)[] possible = [.. Steps.Where(step => takesForms && OrderStatus.Changes.Contains((order.Status, step.Status)))];
        return new Page($"Order {order.Id}", new Pages_Order { Model = new OrderModel(order, store.Events(id), [.. possible.Select(step => step.Verb)], refusal, position, _currency) })
        {
            Status = refusal is null ? StatusCodes.Status200OK : StatusCodes.Status409Conflict,
        };
    }

    private async ValueTask<IResult> ChangeAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        IFormCollection form = await http.Request.ReadFormAsync();
        string? status = Steps.FirstOrDefault(step => step.Verb == form["step"]).Status;
        if (status is null) return Show(http, id, "There is no such step.");
        Reply<OrderLifecycle.Change> reply = await lifecycle.ChangeAsync(id, status);
        return reply.Problem is { } problem ? Show(http, id, problem.Error) : Page.SeeOther($"/order/{id}");
    }

    private async ValueTask<IResult> CheckoutAsync(HttpContext http)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        string customer = form["customer_id"].ToString(), key = form["key"].ToString();
        long?[] seen = [.. form["unit_price_cents"].Select(cents => long.TryParse(cents, NumberStyles.None, CultureInfo.InvariantCulture, out long price) ? price : (long?)null)];
        (string ProductId, string Quantity)[] typed = [.. form["product_id"].Zip(form["quantity"], (product, quantity) => (product ?? "", (quantity ?? "").Trim()))];
        var errors = new ValidationErrors();
        if (!IdempotencyKey.IsKey(key)) key = Guid.NewGuid().ToString();
        PlaceOrderRequest request = PlaceOrderRequest.Read(customer, typed, key, errors) with { SeenCents = [.. typed.Select((_, i) => seen.ElementAtOrDefault(i))] };
        if (!errors.Any)
        {
            PlaceOrder.PlaceOrderResult placement = await placeOrder.PlaceAsync(request);
            if (placement.Order is { } order)
            {
                http.Response.Cookies.Delete("basket");
                return Page.SeeOther($"/order/{order.Id}");
            }

            errors = placement.Problem!.Errors ?? errors;
            if (!errors.Any) errors.Add("items", placement.Problem.Error);
        }

        // A new try is a new request: what was refused must not be answered from the old key.
        IReadOnlyList<ProductOnSale?> sold = await products.FindAsync([.. typed.Select(line => line.ProductId)]);
        CheckoutLine[] lines = [.. typed.Select((line, i) => new CheckoutLine(line.ProductId, sold[i], seen.ElementAtOrDefault(i), line.Quantity, errors.Of($"items[{i}]")))];
        return new Page("Checkout", new Pages_Checkout { Model = new CheckoutModel(customer, Guid.NewGuid().ToString(), lines, errors.Of("customer_id"), errors.Of("items", exactly: true), Site.Of(http), _currency) })
        {
            Status = StatusCodes.Status409Conflict,
        };
    }
}

/// <summary>The newest orders, as a filter has them.</summary>
internal sealed record BoardModel(IReadOnlyList<OrderHead> Orders, OrderFilter Filter, string Position, string Currency);

/// <summary>An order, what happened to it, and what can be done with it.</summary>
internal sealed record OrderModel(Order Order, IReadOnlyList<(string Status, long At)> Events, IReadOnlyList<string> Steps, string? Error, string Position, string Currency);

/// <summary>An order that was not taken: all that was typed, and what is wrong with it.</summary>
internal sealed record CheckoutModel(string Customer, string Key, IReadOnlyList<CheckoutLine> Lines, string? CustomerError, string? Error, Site Site, string Currency);

/// <summary>A line of it.</summary>
internal sealed record CheckoutLine(string ProductId, ProductOnSale? Product, long? SeenCents, string Quantity, string? Error)
{
    /// <summary>The price that the customer saw, if it is another now.</summary>
    public long? OldCents => Product is not null && SeenCents != Product.PriceCents ? SeenCents : null;
}
