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
/// An order is placed: validated, priced, its units held, then written. The order of the last two is the promise: units are
/// held before the order exists, so nothing is sold twice, and what a crash leaves between them is settled at start.
/// </summary>
internal sealed class PlaceOrder(
    OrderStore store, OrderMetrics metrics, OrderFeed feed, Settlement settlement, OrderRetention retention, KeyedGate gate, IProductCatalogue products, IInventory inventory,
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
        Wish wish;
        // Gone before the wait for the disk: what waits is walked over by each collection of garbage.
        using (RequestBody body = RequestBody.Read(http))
        {
            wish = Wish.Read(http, body);
            if (body.Refusal is { } refusal)
            {
                if (refusal.Status == StatusCodes.Status400BadRequest) metrics.Rejected(Rejection.Invalid);
                return refusal;
            }
        }

        return Answer(http, await PlaceAsync(wish));
    }

    /// <summary>Places an order, or says why not.</summary>
    /// <exception cref="StoreException">A database can't take it at the moment.</exception>
    public Task<Placement> PlaceAsync(Wish wish) => wish.IsRepeatable ? PlaceOnceAsync(wish) : PlaceNewAsync(wish);

    private static IResult Answer(HttpContext http, Placement placement)
    {
        if (placement.Order is not { } order) return placement.Problem!;
        IdempotencyKey.MarkReplayed(http, placement.IsReplayed);
        http.Response.Headers.Location = $"{http.Request.PathBase.ToUriComponent()}/orders/{order.Id}";
        return JsonAnswer.Of(StatusCodes.Status201Created, order.ToBody(), OrdersJson.Default.OrderBody);
    }

    private async Task<Placement> PlaceOnceAsync(Wish wish)
    {
        using IDisposable turn = await gate.EnterAsync(wish.GateKeys());
        try
        {
            return await FindEarlierAsync(wish) ?? await PlaceNewAsync(wish);
        }
        catch (IdempotencyKeyInUseException)
        {
            // By a change of an order: those don't wait here.
            return await FindEarlierAsync(wish) ?? new Placement(Problem: IdempotencyKey.Reused);
        }
    }

    private async Task<Placement> PlaceNewAsync(Wish wish)
    {
        IReadOnlyList<ProductOnSale?> sold = await products.FindAsync(wish.ProductIds());
        if (sold.Contains(null)) return new Placement(Problem: UnknownProducts(wish, sold));
        if (PriceChanges(wish, sold) is { } changed) return new Placement(Problem: changed);
        (OrderLine[] lines, long total) = Price(wish.Items, sold);

        // An id of the client's own may be tried again; one of the shop's never is.
        ReservationId id = wish.OrderId is { } own ? new(own, Random.Shared.NextInt64(1, long.MaxValue)) : new(Guid.CreateVersion7().ToString(), 0);
        if (settlement.IsBeingUndone(id.OrderId)) return new Placement(Problem: BeingUndone(id.OrderId));
        bool isHeld = false;
        Order order;
        try
        {
            Reservation reservation = await inventory.ReserveAsync(id, wish.Units());
            if (reservation.Outcome == ReservationOutcome.TooLittleStock) return new Placement(Problem: TooLittleStock(wish, reservation.Shortages));
            if (reservation.Outcome == ReservationOutcome.HeldByAnother) return new Placement(Problem: Taken(wish));

            isHeld = true;
            FaultPoint.Reach("reserved");
            long now = module.Now().ToMilliseconds();
            order = new Order(id.OrderId, wish.CustomerId, OrderStatus.Created, total, now, now, lines);
            await store.Writes.WriteAsync(new Placing(this, id, order, wish));
        }
        catch (Exception exception)
        {
            // A call that failed may have taken effect, unless it was refused.
            if (isHeld || exception is not WriteRefusedException) settlement.Undo(id);
            if (exception is StoreException) metrics.Rejected(Rejection.Overloaded);
            throw;
        }

        // On disk: from here on nothing may fail.
        FaultPoint.Reach("written");
        settlement.Confirm(id);
        return new Placement(order);
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

    private Outcome<Order> Insert(ReservationId reservation, Order order, Wish wish, byte[]? fingerprint)
    {
        store.Insert(order, reservation.Number, wish.OrderId is null ? null : fingerprint);
        if (wish.Bound is { } key) store.Keys.Add(key, order.Id, Timestamp.FromMilliseconds(order.CreatedAt));
        return Outcome.Keep(order);
    }

    private void Placed(Order order)
    {
        metrics.Placed(order);
        feed.Tell(order);
    }

    private async ValueTask<Placement?> FindEarlierAsync(Wish wish)
    {
        if (wish.Bound is { } key && store.Keys.Find(key, module.Now()) is { } kept)
        {
            if (kept.IsSame && Replayed(kept.Answer) is { } replayed) return replayed;
            metrics.Rejected(Rejection.Conflict);
            return new Placement(Problem: kept.IsSame ? Deleted(kept.Answer) : IdempotencyKey.Reused);
        }

        if (wish.OrderId is null || store.FindId(wish.OrderId) is not { Exists: true } order) return null;
        if (!order.Fingerprint.AsSpan().SequenceEqual(wish.Fingerprint)) return new Placement(Problem: Taken(wish));
        if (wish.Bound is { } newKey && !await TryBindAsync(newKey, wish.OrderId)) return null;
        return Replayed(wish.OrderId);
    }

    // Whatever way an answer took, its key stands for it from then on.
    private async Task<bool> TryBindAsync(IdempotencyKey key, string orderId)
    {
        try
        {
            return await store.Writes.WriteAsync(() =>
            {
                DateTime now = module.Now();
                if (!retention.Keep(orderId, now)) return Outcome.Undo(false);
                store.Keys.Add(key, orderId, now);
                return Outcome.Keep(true);
            });
        }
        catch (StoreException)
        {
            metrics.Rejected(Rejection.Overloaded);
            throw;
        }
    }

    // Null if the order was deleted meanwhile.
    private Placement? Replayed(string orderId)
    {
        if (store.Find(orderId) is not { } order) return null;
        metrics.Replayed();
        return new Placement(order.AsPlaced(), IsReplayed: true);
    }

    // A key goes before its order, unless the clock was set back, or orders were kept for ever when the key was bound.
    private static Problem Deleted(string orderId) =>
        Problem.Conflict($"The order '{orderId}', which this Idempotency-Key stands for, was deleted because it was old.", "order-deleted");

    private Problem Taken(Wish wish)
    {
        metrics.Rejected(Rejection.Conflict);
        return Problem.Conflict($"The order_id '{wish.OrderId}' was used for another order.", "order-id-reused");
    }

    private Problem BeingUndone(string id)
    {
        metrics.Rejected(Rejection.Overloaded);
        return Problem.Unavailable($"An earlier try at the order '{id}' is still being undone; try again in a second.", "order-being-undone");
    }

    private Problem UnknownProducts(Wish wish, IReadOnlyList<ProductOnSale?> sold)
    {
        metrics.Rejected(Rejection.UnknownProduct);
        var faults = new Faults();
        for (int i = 0; i < sold.Count; i++)
        {
            if (sold[i] is null) faults.Add($"items[{i}].product_id", $"'{wish.Items[i].ProductId}' is not sold");
        }

        return new Problem(StatusCodes.Status422UnprocessableEntity, faults.Summary, "unknown-product") { Faults = faults };
    }

    // Nobody pays a price that was not on the page.
    private Problem? PriceChanges(Wish wish, IReadOnlyList<ProductOnSale?> sold)
    {
        if (wish.SeenCents is not { } seen) return null;
        var faults = new Faults();
        for (int i = 0; i < sold.Count; i++)
        {
            if (seen[i] == sold[i]!.PriceCents) continue;
            string now = Money.Text(sold[i]!.PriceCents, module.Settings.Currency);
            faults.Add($"items[{i}].unit_price", seen[i] is { } then ? $"has changed: it was {Money.Text(then, module.Settings.Currency)}, and is {now} now" : $"is {now}");
        }

        if (!faults.Any) return null;
        metrics.Rejected(Rejection.Conflict);
        return new Problem(StatusCodes.Status409Conflict, faults.Summary, "price-changed") { Faults = faults };
    }

    private Problem TooLittleStock(Wish wish, IReadOnlyList<Shortage> shortages)
    {
        metrics.Rejected(Rejection.InsufficientStock);
        var faults = new Faults();
        foreach (Shortage shortage in shortages)
        {
            for (int i = 0; i < wish.Items.Count; i++)
            {
                if (wish.Items[i].ProductId == shortage.ProductId)
                    faults.Add($"items[{i}].quantity", $"is more than there is: {shortage.ProductId} has {shortage.Available}, {shortage.Wanted} are wanted");
            }
        }

        string inWords = string.Join("; ", shortages.Select(shortage => $"{shortage.ProductId} has {shortage.Available}, {shortage.Wanted} are wanted"));
        return new Problem(StatusCodes.Status409Conflict, $"Too little stock: {inWords}.", "insufficient-stock")
        {
            Faults = faults,
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

    private sealed class Placing(PlaceOrder handler, ReservationId reservation, Order order, Wish wish) : PendingWrite<Order>
    {
        private readonly byte[]? _fingerprint = wish.IsRepeatable ? wish.Fingerprint : null;

        protected override Outcome<Order> Run() => handler.Insert(reservation, order, wish, _fingerprint);

        protected override void Committed(Order answer) => handler.Placed(answer);
    }

    /// <summary>How it went: an order, or a problem.</summary>
    internal readonly record struct Placement(Order? Order = null, bool IsReplayed = false, Problem? Problem = null);
}
