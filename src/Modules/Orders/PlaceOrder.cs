using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;
using Shop.Products.Contracts;

namespace Shop.Orders;

/// <summary>
/// An order is placed: validated, priced, its units held, then written. The order of the last two is the promise: units are
/// held before the order exists, so nothing is sold twice, and what a crash leaves between them is settled at start.
/// </summary>
internal sealed class PlaceOrder(
    OrderStore store, OrderMetrics metrics, OrderFeed feed, OrderReconciler reconciler, OrderRetention retention, AsyncKeyedLock locks, IProductCatalogue products, IInventory inventory,
    [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>What a problem with too little stock has beside the others.</summary>
    public static readonly ListField Shortages = new("shortages", 1, 100,
        new TextField("product_id", 1, 64) { Description = "The product.", Example = "\"prod_3\"", IsRequired = true },
        new WholeNumberField("requested", 1, 1_000_000) { Description = "Units that the order wants.", Example = "5", IsRequired = true },
        new WholeNumberField("available", 0, long.MaxValue) { Description = "Units that can be sold.", Example = "2", IsRequired = true })
    {
        ItemSchema = "Shortage",
        Description = "If there is too little stock: each product that is short.",
        Example = """[{"product_id":"prod_3","requested":5,"available":2}]""",
    };

    public async ValueTask<IResult> HandleAsync(HttpContext http)
    {
        PlaceOrderRequest request;
        // Gone before the wait for the disk: what waits is walked over by each collection of garbage.
        using (RequestBody body = RequestBody.Read(http))
        {
            request = PlaceOrderRequest.Read(http, body);
            if (body.Error is { } error)
            {
                if (error.Status == StatusCodes.Status400BadRequest) metrics.Rejected(Rejection.Invalid);
                return error;
            }
        }

        return Answer(http, await PlaceAsync(request));
    }

    /// <summary>Places an order, or says why not.</summary>
    /// <exception cref="StoreException">A database can't take it at the moment.</exception>
    public Task<PlaceOrderResult> PlaceAsync(PlaceOrderRequest request) => request.IsRepeatable ? PlaceOnceAsync(request) : PlaceNewAsync(request);

    private static IResult Answer(HttpContext http, PlaceOrderResult placement)
    {
        if (placement.Order is not { } order) return placement.Problem!;
        IdempotencyKey.MarkReplayed(http, placement.IsReplayed);
        http.Response.Headers.Location = $"{http.Request.PathBase.ToUriComponent()}/orders/{order.Id}";
        return JsonAnswer.Of(StatusCodes.Status201Created, order.ToBody(), OrdersJson.Default.OrderBody);
    }

    private async Task<PlaceOrderResult> PlaceOnceAsync(PlaceOrderRequest request)
    {
        using IDisposable turn = await locks.LockAsync(request.LockKeys());
        try
        {
            return await FindEarlierAsync(request) ?? await PlaceNewAsync(request);
        }
        catch (KeyInUseException)
        {
            // By a change of an order: those don't wait here.
            return await FindEarlierAsync(request) ?? new PlaceOrderResult(Problem: IdempotencyKey.Reused);
        }
    }

    private async Task<PlaceOrderResult> PlaceNewAsync(PlaceOrderRequest request)
    {
        IReadOnlyList<ProductOnSale?> sold = await products.FindAsync(request.ProductIds());
        if (sold.Contains(null)) return new PlaceOrderResult(Problem: UnknownProducts(request, sold));
        if (PriceChanges(request, sold) is { } changed) return new PlaceOrderResult(Problem: changed);
        (OrderLine[] lines, long total) = Price(request.Items, sold);

        // An id of the client's own may be tried again; one of the shop's never is.
        ReservationId id = request.OrderId is { } own ? new(own, Random.Shared.NextInt64(1, long.MaxValue)) : new(Guid.CreateVersion7().ToString(), 0);
        if (reconciler.IsBeingUndone(id.OrderId)) return new PlaceOrderResult(Problem: BeingUndone(id.OrderId));
        bool isHeld = false;
        Order order;
        try
        {
            Reservation reservation = await inventory.ReserveAsync(id, request.Units());
            if (reservation.Outcome == ReservationOutcome.TooLittleStock) return new PlaceOrderResult(Problem: TooLittleStock(request, reservation.Shortages));
            if (reservation.Outcome == ReservationOutcome.HeldByAnother) return new PlaceOrderResult(Problem: Taken(request));

            isHeld = true;
            FaultPoint.Reach("reserved");
            long now = module.Now().ToMilliseconds();
            order = new Order(id.OrderId, request.CustomerId, OrderStatus.Created, total, now, now, lines);
            await store.Writes.WriteAsync(new InsertOrderCommand(this, id, order, request));
        }
        catch (Exception exception)
        {
            // A call that failed may have taken effect, unless it was refused.
            if (isHeld || exception is not WriteRefusedException) reconciler.Undo(id);
            if (exception is StoreException) metrics.Rejected(Rejection.Overloaded);
            throw;
        }

        // On disk: from here on nothing may fail.
        FaultPoint.Reach("written");
        reconciler.Confirm(id);
        return new PlaceOrderResult(order);
    }

    private static (OrderLine[] Lines, long TotalCents) Price(IReadOnlyList<StockLine> items, IReadOnlyList<ProductOnSale?> sold)
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

    private WriteResult<Order> Insert(ReservationId reservation, Order order, PlaceOrderRequest request, byte[]? fingerprint)
    {
        store.Insert(order, reservation.Number, request.OrderId is null ? null : fingerprint);
        if (!store.Keys.TryAdd(request.Bound, order.Id, Timestamp.FromMilliseconds(order.CreatedAt))) throw new KeyInUseException();
        return WriteResult.Commit(order);
    }

    private void Placed(Order order)
    {
        metrics.Placed(order);
        feed.Tell(order);
    }

    private async ValueTask<PlaceOrderResult?> FindEarlierAsync(PlaceOrderRequest request)
    {
        if (request.Bound is { } key && store.Keys.Find(key, module.Now()) is { } kept)
        {
            if (kept.IsSame && Replayed(kept.Answer) is { } replayed) return replayed;
            metrics.Rejected(Rejection.Conflict);
            return new PlaceOrderResult(Problem: kept.IsSame ? Deleted(kept.Answer) : IdempotencyKey.Reused);
        }

        if (request.OrderId is null || store.FindId(request.OrderId) is not { Exists: true } order) return null;
        if (!order.Fingerprint.AsSpan().SequenceEqual(request.Fingerprint)) return new PlaceOrderResult(Problem: Taken(request));
        if (request.Bound is { } newKey && !await TryBindAsync(newKey, request.OrderId)) return null;
        return Replayed(request.OrderId);
    }

    // Whatever way an answer took, its key stands for it from then on.
    private async Task<bool> TryBindAsync(IdempotencyKey key, string orderId)
    {
        try
        {
            return await store.Writes.WriteAsync(() =>
            {
                DateTime now = module.Now();
                if (!retention.Keep(orderId, now)) return WriteResult.Rollback(false);
                if (!store.Keys.TryAdd(key, orderId, now)) throw new KeyInUseException();
                return WriteResult.Commit(true);
            });
        }
        catch (StoreException)
        {
            metrics.Rejected(Rejection.Overloaded);
            throw;
        }
    }

    // Null if the order was deleted meanwhile.
    private PlaceOrderResult? Replayed(string orderId)
    {
        if (store.Find(orderId) is not { } order) return null;
        metrics.Replayed();
        return new PlaceOrderResult(order.AsPlaced(), IsReplayed: true);
    }

    // A key goes before its order, unless the clock was set back, or orders were kept for ever when the key was bound.
    private static Problem Deleted(string orderId) =>
        Problem.Conflict($"The order '{orderId}', which this Idempotency-Key stands for, was deleted because it was old.", "order-deleted");

    private Problem Taken(PlaceOrderRequest request)
    {
        metrics.Rejected(Rejection.Conflict);
        return Problem.Conflict($"The order_id '{request.OrderId}' was used for another order.", "order-id-reused");
    }

    private Problem BeingUndone(string id)
    {
        metrics.Rejected(Rejection.Overloaded);
        return Problem.Unavailable($"An earlier try at the order '{id}' is still being undone; try again in a second.", "order-being-undone");
    }

    private Problem UnknownProducts(PlaceOrderRequest request, IReadOnlyList<ProductOnSale?> sold)
    {
        metrics.Rejected(Rejection.UnknownProduct);
        var errors = new ValidationErrors();
        for (int i = 0; i < sold.Count; i++)
        {
            if (sold[i] is null) errors.Add($"items[{i}].product_id", $"'{request.Items[i].ProductId}' is not sold");
        }

        return new Problem(StatusCodes.Status422UnprocessableEntity, errors.Summary, "unknown-product") { Errors = errors };
    }

    // Nobody pays a price that was not on the page.
    private Problem? PriceChanges(PlaceOrderRequest request, IReadOnlyList<ProductOnSale?> sold)
    {
        if (request.SeenCents is not { } seen) return null;
        var errors = new ValidationErrors();
        for (int i = 0; i < sold.Count; i++)
        {
            if (seen[i] == sold[i]!.PriceCents) continue;
            string now = Money.Text(sold[i]!.PriceCents, module.Settings.Currency);
            errors.Add($"items[{i}].unit_price", seen[i] is { } then ? $"has changed: it was {Money.Text(then, module.Settings.Currency)}, and is {now} now" : $"is {now}");
        }

        if (!errors.Any) return null;
        metrics.Rejected(Rejection.Conflict);
        return new Problem(StatusCodes.Status409Conflict, errors.Summary, "price-changed") { Errors = errors };
    }

    private Problem TooLittleStock(PlaceOrderRequest request, IReadOnlyList<Shortage> shortages)
    {
        metrics.Rejected(Rejection.InsufficientStock);
        var errors = new ValidationErrors();
        foreach (Shortage shortage in shortages)
        {
            for (int i = 0; i < request.Items.Count; i++)
            {
                if (request.Items[i].ProductId == shortage.ProductId)
                    errors.Add($"items[{i}].quantity", $"is more than there is: {shortage.ProductId} has {shortage.Available}, {shortage.Wanted} are wanted");
            }
        }

        string inWords = string.Join("; ", shortages.Select(shortage => $"{shortage.ProductId} has {shortage.Available}, {shortage.Wanted} are wanted"));
        return new Problem(StatusCodes.Status409Conflict, $"Too little stock: {inWords}.", "insufficient-stock")
        {
            Errors = errors,
            Extensions = json => WriteShortages(json, shortages),
        };
    }

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

    private sealed class InsertOrderCommand(PlaceOrder handler, ReservationId reservation, Order order, PlaceOrderRequest request) : WriteCommand<Order>
    {
        private readonly byte[]? _fingerprint = request.IsRepeatable ? request.Fingerprint : null;

        protected override WriteResult<Order> Run() => handler.Insert(reservation, order, request, _fingerprint);

        protected override void Committed(Order answer) => handler.Placed(answer);
    }

    private sealed class KeyInUseException : Exception;

    /// <summary>How it went: an order, or a problem.</summary>
    internal readonly record struct PlaceOrderResult(Order? Order = null, bool IsReplayed = false, Problem? Problem = null);
}
