using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Requests;
using Shop.Products.Contracts;

namespace Shop.Orders;

/// <summary>The pages of the orders service: the board, an order, the checkout.</summary>
internal sealed class OrderPages(
    IOrderStore store, PlaceOrder placeOrder, OrderLifecycle lifecycle, OrderFeed feed, IProductCatalogue products,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    private const int BoardRows = 50;

    private readonly string _currency = module.Settings.Currency;

    private static readonly (string Verb, string Status)[] Steps =
    [
        ("pay", OrderStatus.Paid),
        ("ship", OrderStatus.Shipped),
        ("deliver", OrderStatus.Delivered),
        ("cancel", OrderStatus.Cancelled),
    ];

    public void Map(ModuleRoutes routes)
    {
        routes.Home(BoardAsync);
        routes.Page("/order/{order_id}", http => ShowAsync(http, (string)http.GetRouteValue("order_id")!));
        routes.Page("/order/{order_id}/thanks", ThankAsync);
        routes.Form("/order/{order_id}", ChangeAsync);
        routes.Form("/checkout", CheckoutAsync);
        routes.Stream("/board/events", feed.Events);
    }

    private async ValueTask<IResult> BoardAsync(HttpContext http)
    {
        string? status = http.Request.Query["status"], customer = http.Request.Query["customer_id"];
        var filter = new OrderFilter(
            OrderStatus.All.Contains(status) ? status : null, string.IsNullOrEmpty(customer) ? null : customer);
        string position = feed.Events.Position; // read before the orders, so that none is missed in between
        IReadOnlyList<OrderHeader> orders = await module.QueryAsync(
            http, end => store.ListNewestAsync(filter, BoardRows, end));
        var model = new BoardModel(orders, filter, position, Site.Of(http), _currency);
        return new Page("Orders", new Pages_Board { Model = model });
    }

    private async ValueTask<IResult> ShowAsync(HttpContext http, string id, string? error = null)
    {
        string position = feed.Events.Position;
        if (await store.FindAsync(id) is not { } order) return Problem.NotFound("order", id);
        var site = Site.Of(http);
        string[] possible =
        [
            .. Steps.Where(step => site.AcceptsForms && OrderStatus.Changes.Contains((order.Status, step.Status)))
                .Select(step => step.Verb),
        ];
        var model = new OrderModel(order, await store.EventsAsync(id), possible, error, position, site, _currency);
        return new Page($"Order {ShortId.Of(order.Id)}", new Pages_Order { Model = model })
        {
            Status = error is null ? StatusCodes.Status200OK : StatusCodes.Status409Conflict,
        };
    }

    private async ValueTask<IResult> ThankAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        return await store.FindAsync(id) is { } order
            ? new Page("Thank you", new Pages_Thanks { Model = new LinesModel(order, Site.Of(http), _currency) })
            : Problem.NotFound("order", id);
    }

    private async ValueTask<IResult> ChangeAsync(HttpContext http)
    {
        string id = (string)http.GetRouteValue("order_id")!;
        IFormCollection form = await http.Request.ReadFormAsync();
        string? status = Steps.FirstOrDefault(step => step.Verb == form["step"]).Status;
        if (status is null) return await ShowAsync(http, id, "An order has no such step.");
        OrderResult result = await lifecycle.ChangeAsync(id, status);
        return result.Problem is { } problem ? await ShowAsync(http, id, problem.Error) : Page.SeeOther($"/order/{id}");
    }

    private async ValueTask<IResult> CheckoutAsync(HttpContext http)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        string customer = form["customer_id"].ToString();
        string key = IdempotencyKey.OfClient(http, form["key"]) ?? Guid.NewGuid().ToString();
        long?[] seen = [.. form["unit_price_cents"].Select(WholeNumberField.ParseDigits)];
        (string ProductId, string Quantity)[] typed =
        [
            .. form["product_id"].Zip(
                form["quantity"], (product, quantity) => (product ?? "", (quantity ?? "").Trim())),
        ];
        var errors = new ValidationErrors();
        IReadOnlyList<Shortage> shortages = [];
        PlaceOrderRequest request = PlaceOrderRequest.Read(customer, typed, key, errors) with
        {
            SeenCents = [.. typed.Select((_, i) => seen.ElementAtOrDefault(i))],
        };
        if (!errors.Any)
        {
            OrderResult result = await placeOrder.PlaceAsync(request);
            if (result.Order is { } order)
            {
                http.Response.Cookies.Delete("basket");
                return Page.SeeOther($"/order/{order.Id}/thanks");
            }

            errors = result.Problem!.Errors ?? errors;
            if (!errors.Any) errors.Add("items", result.Problem.Error);
            shortages = result.Shortages;
        }

        IReadOnlyList<ProductOnSale?> sold = await products.FindAsync([.. typed.Select(line => line.ProductId)]);
        CheckoutLine[] lines =
        [
            .. typed.Select((line, i) => new CheckoutLine(
                line.ProductId, sold[i], seen.ElementAtOrDefault(i), line.Quantity,
                TooFew(shortages, line.ProductId, sold[i]) ?? errors.Of($"items[{i}]"))),
        ];
        // The next try is another request, so it needs another key.
        var model = new CheckoutModel(customer, Guid.NewGuid().ToString(), lines,
            errors.Of("customer_id"), errors.Of("items", exactly: true), Site.Of(http), _currency);
        return new Page("Checkout", new Pages_Checkout { Model = model }) { Status = StatusCodes.Status409Conflict };
    }

    private static string? TooFew(IReadOnlyList<Shortage> shortages, string productId, ProductOnSale? product)
    {
        if (shortages.FirstOrDefault(shortage => shortage.ProductId == productId) is not { } shortage) return null;
        string name = product?.Name ?? productId;
        return shortage.Available switch
        {
            0 => $"None of \"{name}\" are left.",
            1 => $"Only 1 of \"{name}\" is left.",
            _ => $"Only {shortage.Available} of \"{name}\" are left.",
        };
    }
}

/// <summary>The newest orders that a filter lets through.</summary>
internal sealed record BoardModel(
    IReadOnlyList<OrderHeader> Orders, OrderFilter Filter, string Position, Site Site, string Currency);

/// <summary>An order, for a table of its lines.</summary>
internal sealed record LinesModel(Order Order, Site Site, string Currency);

/// <summary>An order, the statuses it has had, and the steps that are possible now.</summary>
internal sealed record OrderModel(
    Order Order, IReadOnlyList<OrderEvent> Events, IReadOnlyList<string> Steps, string? Error,
    string Position, Site Site, string Currency)
{
    /// <summary>The statuses of an order that is not cancelled.</summary>
    public static readonly IReadOnlyList<string> HappyPath =
        [.. OrderStatus.All.Where(status => status != OrderStatus.Cancelled)];

    /// <summary>Whether the order has had a status, has it now, or will have it.</summary>
    public string? StageOf(string status) => status == Order.Status ? "now"
        : Events.Any(happened => happened.Status == status) ? "done" : null;
}

/// <summary>An order that was not placed: the customer's input, and its errors.</summary>
internal sealed record CheckoutModel(
    string Customer, string Key, IReadOnlyList<CheckoutLine> Lines, string? CustomerError, string? Error,
    Site Site, string Currency);

/// <summary>A line of an order that was not placed.</summary>
internal sealed record CheckoutLine(
    string ProductId, ProductOnSale? Product, long? SeenCents, string Quantity, string? Error)
{
    /// <summary>The price that the customer saw, if it has changed since.</summary>
    public long? OldCents => Product is not null && SeenCents != Product.PriceCents ? SeenCents : null;
}
