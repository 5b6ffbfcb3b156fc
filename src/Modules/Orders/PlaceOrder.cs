using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;
using Shop.Products.Contracts;

namespace Shop.Orders;

/// <summary>
/// Places an order: reads the request, looks up names and prices, reserves the units, writes the order. Units are
/// reserved before the order exists, so none is sold twice; if a crash falls between the two, the reconciler releases
/// them.
/// </summary>
internal sealed class PlaceOrder(
    IOrderStore store, OrderMetrics metrics, OrderFeed feed, OrderReconciler reconciler, AsyncKeyedLock locks,
    IProductCatalogue products, IInventory inventory, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>A further member of the problem <c>insufficient-stock</c>.</summary>
    public static readonly ListField Shortages = new("shortages", 1, 100,
        new TextField("product_id", 1, 64) { Description = "The product.", Example = "\"prod_3\"", IsRequired = true },
        new WholeNumberField("requested", 1, 1_000_000)
        {
            Description = "Units that the order asks for.",
            Example = "5",
            IsRequired = true,
        },
        new WholeNumberField("available", 0, long.MaxValue)
        {
            Description = "Units that can be sold.",
            Example = "2",
            IsRequired = true,
        })
    {
        ItemSchema = "Shortage",
        Description = "If there is too little stock: each product that is short.",
        Example = """[{"product_id":"prod_3","requested":5,"available":2}]""",
    };

    private static readonly TimeSpan WaitForOther = TimeSpan.FromMilliseconds(20);

    public async ValueTask<IResult> HandleAsync(HttpContext http)
    {
        PlaceOrderRequest request;
        // The body is returned before the wait for the disk: each garbage collection traverses what a waiting request
        // holds.
        using (RequestBody body = RequestBody.Read(http))
        {
            request = PlaceOrderRequest.Read(http, body);
            if (body.Error is { } error)
            {
                if (error.Status == StatusCodes.Status400BadRequest) metrics.Refused(OrderRefusal.Invalid);
                return error;
            }
        }

        OrderResult result = await PlaceAsync(request);
        if (result.Order is not { } order) return result.Problem!;
        IdempotencyKey.MarkReplayed(http, result.IsReplayed);
        http.Response.Headers.Location = $"{http.Request.PathBase.ToUriComponent()}/orders/{order.Id}";
        return JsonResponse.Of(StatusCodes.Status201Created, order.ToBody(), OrdersJson.Default.OrderBody);
    }

    /// <summary>Places an order, once for each idempotency key and each id that a client chose.</summary>
    /// <exception cref="StoreException">A database can't be used at the moment.</exception>
    // Not asynchronous itself, as ReserveAsync is not: each asynchronous method allocates some 200 bytes an order.
    public Task<OrderResult> PlaceAsync(PlaceOrderRequest request) =>
        request.IsRepeatable ? PlaceOnceAsync(request) : PlaceNewAsync(request);

    private async Task<OrderResult> PlaceOnceAsync(PlaceOrderRequest request)
    {
        // An equal request at the same time waits, and is then answered from this one.
        using IDisposable turn = await locks.LockAsync(request.LockKeys());
        return await ReplayAsync(request) ?? await PlaceNewAsync(request);
    }

    private async Task<OrderResult> PlaceNewAsync(PlaceOrderRequest request)
    {
        // An id that a client chose may be tried again, so each try has a number. An id that the shop made never is.
        ReservationId reservation = request.OrderId is { } chosen
            ? new(chosen, Random.Shared.NextInt64(1, long.MaxValue))
            : new(Guid.CreateVersion7().ToString(), 0);
        bool isTried = false, isReserved = false;
        try
        {
            // 1. Names and prices as they are now.
            IReadOnlyList<ProductOnSale?> sold = await products.FindAsync(request.ProductIds());
            if (sold.Contains(null)) return Refuse(OrderRefusal.UnknownProduct, UnknownProducts(request, sold));
            if (PriceChanges(request, sold) is { } changed) return Refuse(OrderRefusal.Conflict, changed);
            (OrderLine[] lines, long total) = Price(request.Items, sold);

            // 2. All units of all lines, in one durable write, or none.
            if (reconciler.IsBeingReleased(reservation.OrderId)) return UnderWay(reservation);
            isTried = true;
            Reservation reserved = await ReserveAsync(request, reservation);
            if (reserved.Outcome == ReservationOutcome.TooLittleStock)
            {
                return Refuse(OrderRefusal.InsufficientStock, TooLittleStock(request, reserved.Shortages)) with
                {
                    Shortages = reserved.Shortages,
                };
            }

            isReserved = reserved.Outcome == ReservationOutcome.Held;
            if (isReserved)
            {
                FaultPoint.Reach("reserved");

                // 3. The order and its idempotency key, in one durable write.
                long now = module.Now().ToMilliseconds();
                var order = new Order(
                    reservation.OrderId, request.CustomerId, OrderStatus.Created, total, now, now, lines);
                byte[]? fingerprint = request.OrderId is null ? null : request.Fingerprint;
                PlaceResult result = await store.PlaceAsync(order, reservation, fingerprint, request.Key);
                if (result == PlaceResult.Placed)
                {
                    // The order is on disk: from here on nothing may fail.
                    FaultPoint.Reach("written");
                    metrics.Placed(order);
                    feed.Publish(order);
                    reconciler.Confirm(reservation);
                    return new OrderResult(order);
                }
            }
        }
        catch (Exception exception)
        {
            if (exception is StoreException) metrics.Refused(OrderRefusal.Overloaded);
            // A call that failed may have taken effect, unless it was refused.
            if (isReserved || (isTried && exception is not WriteRefusedException))
                reconciler.ReleaseReservation(reservation);
            throw;
        }

        // Another request used the key or the id in between.
        if (isReserved) reconciler.ReleaseReservation(reservation);
        return await ReplayAsync(request) ?? UnderWay(reservation);
    }

    private ValueTask<Reservation> ReserveAsync(PlaceOrderRequest request, ReservationId reservation) =>
        store.RecoveryPeriod is null ? inventory.ReserveAsync(reservation, request.Units())
            : ReserveAmongHostsAsync(request, reservation);

    private async ValueTask<Reservation> ReserveAmongHostsAsync(PlaceOrderRequest request, ReservationId reservation)
    {
        for (long start = module.Clock.GetTimestamp(); ;)
        {
            Reservation reserved = await inventory.ReserveAsync(reservation, request.Units());
            if (reserved.Outcome != ReservationOutcome.HeldByAnother
                || module.Clock.GetElapsedTime(start) > module.Settings.RequestTimeout) return reserved;
            // Another host is about to place this order; or it has crashed, and its units are released soon.
            ReplayResult found = await store.ReplayAsync(
                request.Key, request.OrderId, request.Fingerprint, module.Now());
            if (found.Outcome != ReplayOutcome.New) return reserved;
            await Task.Delay(WaitForOther, module.Clock);
        }
    }

    /// <summary>The answer to an earlier, equal request; null if there was none.</summary>
    private async Task<OrderResult?> ReplayAsync(PlaceOrderRequest request)
    {
        ReplayResult found;
        try
        {
            found = await store.ReplayAsync(request.Key, request.OrderId, request.Fingerprint, module.Now());
        }
        catch (StoreException)
        {
            metrics.Refused(OrderRefusal.Overloaded);
            throw;
        }

        switch (found.Outcome)
        {
            case ReplayOutcome.Replayed:
                metrics.Replayed();
                return new OrderResult(found.Order!.AsPlaced(), IsReplayed: true);
            case ReplayOutcome.KeyReused:
                return Refuse(OrderRefusal.Conflict, IdempotencyKey.Reused);
            case ReplayOutcome.OrderIdReused:
                return Refuse(OrderRefusal.Conflict, Problem.Conflict(
                    $"The order_id '{request.OrderId}' was used for another order.", "order-id-reused"));
            case ReplayOutcome.OrderDeleted:
                // A key expires before its order is deleted, unless the clock was set back, or orders were kept for
                // ever when the key came.
                return Refuse(OrderRefusal.Conflict, Problem.Conflict(
                    $"The order '{found.OrderId}', which this Idempotency-Key stands for, "
                    + "was deleted because it was old.", "order-deleted"));
            default:
                return null;
        }
    }

    private OrderResult Refuse(string reason, Problem problem)
    {
        metrics.Refused(reason);
        return new OrderResult(Problem: problem);
    }

    private static (OrderLine[] Lines, long TotalCents) Price(
        IReadOnlyList<StockLine> items, IReadOnlyList<ProductOnSale?> sold)
    {
        var lines = new OrderLine[items.Count];
        long total = 0;
        for (int i = 0; i < lines.Length; i++)
        {
            ProductOnSale product = sold[i]!;
            lines[i] = new OrderLine(product.Id, product.Name, items[i].Quantity, product.PriceCents);
            total += lines[i].TotalCents;
        }

        return (lines, total);
    }

    private OrderResult UnderWay(ReservationId reservation) => Refuse(OrderRefusal.Overloaded, Problem.Unavailable(
        $"An earlier try at the order '{reservation.OrderId}' is still being undone; try again in a second.",
        "order-being-undone"));

    private static Problem UnknownProducts(PlaceOrderRequest request, IReadOnlyList<ProductOnSale?> sold)
    {
        var errors = new ValidationErrors();
        for (int i = 0; i < sold.Count; i++)
        {
            if (sold[i] is null) errors.Add($"items[{i}].product_id", $"'{request.Items[i].ProductId}' is not sold");
        }

        return new Problem(StatusCodes.Status422UnprocessableEntity, errors.Summary, "unknown-product")
        {
            Errors = errors,
        };
    }

    // Nobody pays a price that was not on the page.
    private Problem? PriceChanges(PlaceOrderRequest request, IReadOnlyList<ProductOnSale?> sold)
    {
        if (request.SeenCents is not { } seen) return null;
        string currency = module.Settings.Currency;
        var errors = new ValidationErrors();
        for (int i = 0; i < sold.Count; i++)
        {
            if (seen[i] == sold[i]!.PriceCents) continue;
            string now = Money.Text(sold[i]!.PriceCents, currency);
            errors.Add($"items[{i}].unit_price", seen[i] is { } then
                ? $"has changed: it was {Money.Text(then, currency)}, and is {now} now"
                : $"is {now}");
        }

        if (!errors.Any) return null;
        return new Problem(StatusCodes.Status409Conflict, errors.Summary, "price-changed") { Errors = errors };
    }

    private static Problem TooLittleStock(PlaceOrderRequest request, IReadOnlyList<Shortage> shortages)
    {
        var errors = new ValidationErrors();
        foreach (Shortage shortage in shortages)
        {
            for (int i = 0; i < request.Items.Count; i++)
            {
                if (request.Items[i].ProductId == shortage.ProductId)
                    errors.Add($"items[{i}].quantity", $"is more than there is: {InWords(shortage)}");
            }
        }

        string inWords = string.Join("; ", shortages.Select(InWords));
        return new Problem(StatusCodes.Status409Conflict, $"Too little stock: {inWords}.", "insufficient-stock")
        {
            Errors = errors,
            Extensions = json => WriteShortages(json, shortages),
        };
    }

    private static string InWords(Shortage shortage) =>
        $"{shortage.ProductId} has {shortage.Available}, {shortage.Wanted} are wanted";

    private static void WriteShortages(Utf8JsonWriter json, IReadOnlyList<Shortage> shortages)
    {
        json.WriteStartArray(Shortages.Name);
        foreach (Shortage shortage in shortages)
        {
            json.WriteStartObject();
            json.WriteString("product_id", shortage.ProductId);
            json.WriteNumber("requested", shortage.Wanted);
            json.WriteNumber("available", shortage.Available);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}

/// <summary>The result of a request for an order: the order, or a problem.</summary>
/// <param name="Order">The order as this request, or an earlier, equal one, has left it.</param>
/// <param name="IsReplayed">Whether it was an earlier request.</param>
/// <param name="Problem">Why nothing was done.</param>
internal readonly record struct OrderResult(Order? Order = null, bool IsReplayed = false, Problem? Problem = null)
{
    /// <summary>The products whose stock is too little, if that is the problem.</summary>
    public IReadOnlyList<Shortage> Shortages { get; init; } = [];
}
