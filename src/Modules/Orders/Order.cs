using System.Globalization;
using System.Text.Json.Serialization;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>A line of an order, with name and price as they were when it was placed.</summary>
internal readonly record struct OrderLine(string ProductId, string Name, long Quantity, long UnitPriceCents)
{
    public long TotalCents => Quantity * UnitPriceCents;

    public OrderLineBody ToBody() =>
        new(ProductId, Name, Quantity, Money.FromCents(UnitPriceCents), Money.FromCents(TotalCents));
}

/// <summary>An order. Times are milliseconds since 1970 in UTC, money is cents.</summary>
internal sealed record Order(
    string Id, string CustomerId, string Status, long TotalCents, long CreatedAt, long UpdatedAt,
    IReadOnlyList<OrderLine> Lines)
{
    /// <summary>The size of its JSON, roughly.</summary>
    public int JsonBytes
    {
        get
        {
            int bytes = 250 + Paging.Bytes(CustomerId);
            for (int i = 0; i < Lines.Count; i++) bytes += 90 + Lines[i].ProductId.Length + Paging.Bytes(Lines[i].Name);
            return bytes;
        }
    }

    /// <summary>
    /// The order as it was when it was placed. Since then only its status and its time may have changed.
    /// </summary>
    public Order AsPlaced() => this with { Status = OrderStatus.Created, UpdatedAt = CreatedAt };

    /// <summary>The order as a change of its status left it.</summary>
    public Order WithStatus(string status, long at) => this with { Status = status, UpdatedAt = at };

    /// <summary>Decides a change of status.</summary>
    /// <param name="status">The new status.</param>
    /// <param name="kept">The record of the request's idempotency key; null if there is none.</param>
    /// <param name="now">The time.</param>
    /// <param name="reservation">The reservation that the order holds.</param>
    public ChangeStatusResult Change(
        string status, IdempotencyRecord? kept, DateTime now, ReservationId reservation)
    {
        if (kept is { IsSame: false }) return new ChangeStatusResult(ChangeStatusOutcome.KeyReused);
        if (kept is not null)
        {
            return new ChangeStatusResult(ChangeStatusOutcome.Replayed,
                WithStatus(status, long.Parse(kept.Answer, CultureInfo.InvariantCulture)));
        }

        if (Status == status) return new ChangeStatusResult(ChangeStatusOutcome.Unchanged, this);
        if (!OrderStatus.Changes.Contains((Status, status)))
            return new ChangeStatusResult(ChangeStatusOutcome.NotAllowed, this);
        Order changed = WithStatus(status, now.ToMilliseconds(notBefore: UpdatedAt));
        return new ChangeStatusResult(ChangeStatusOutcome.Changed, changed, this, reservation);
    }

    public OrderBody ToBody()
    {
        var items = new OrderLineBody[Lines.Count];
        for (int i = 0; i < items.Length; i++) items[i] = Lines[i].ToBody();
        return new OrderBody(
            Id, CustomerId, Status, items, Money.FromCents(TotalCents), new UtcTime(CreatedAt), new UtcTime(UpdatedAt));
    }
}

/// <summary>An order without its lines, for lists.</summary>
internal sealed record OrderHeader
{
    public required string Id { get; init; }

    public required string CustomerId { get; init; }

    public required string Status { get; init; }

    public required long Lines { get; init; }

    public required long TotalCents { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; init; }

    public static OrderHeader Of(Order order) => new()
    {
        Id = order.Id,
        CustomerId = order.CustomerId,
        Status = order.Status,
        Lines = order.Lines.Count,
        TotalCents = order.TotalCents,
        CreatedAt = order.CreatedAt,
        UpdatedAt = order.UpdatedAt,
    };

    public OrderSummary ToBody() =>
        new(Id, CustomerId, Status, Lines, Money.FromCents(TotalCents), new UtcTime(CreatedAt), new UtcTime(UpdatedAt));
}

/// <summary>An order as clients see it.</summary>
internal sealed record OrderBody(
    string OrderId, string CustomerId, [property: OneOf<OrderStatus>] string Status, OrderLineBody[] Items,
    decimal TotalAmount, UtcTime CreatedAt, UtcTime UpdatedAt);

/// <summary>A line as clients see it.</summary>
internal sealed record OrderLineBody(
    string ProductId, string Name, long Quantity, decimal UnitPrice, decimal LineTotal);

/// <summary>A step in the life of an order as clients see it.</summary>
internal sealed record OrderEventBody([property: OneOf<OrderStatus>] string Status, UtcTime At)
{
    public static OrderEventBody Of(OrderEvent happened) => new(happened.Status, new UtcTime(happened.At));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(OrderBody))]
[JsonSerializable(typeof(OrderBody[]))]
[JsonSerializable(typeof(OrderEventBody[]))]
[JsonSerializable(typeof(OrderSummary))]
[JsonSerializable(typeof(IReadOnlyCollection<string>))]
[JsonSerializable(typeof(long[]))]
internal sealed partial class OrdersJson : JsonSerializerContext;
