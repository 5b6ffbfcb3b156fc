using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>Orders as they are placed and changed, for pages that show them.</summary>
internal sealed class OrderFeed(IOrderStore store, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>A client that has missed no more orders than this continues from its last event.</summary>
    public const int Kept = 1024;

    /// <summary>How many of the newest orders a client gets if it has missed more.</summary>
    private const int Newest = 200;

    private static readonly IReadOnlyList<FeedEvent> Nothing = [];

    // The last published status of the orders that were published last. After their commits, requests continue in any
    // order, so of two changes of an order the later may be published first.
    private readonly Dictionary<string, (long CreatedAt, int Status)> _published = new(StringComparer.Ordinal);
    private readonly Queue<string> _oldestPublished = new();
    private readonly Lock _publishing = new();

    // Orders that are not in memory were published if they were created until then.
    private long _publishedUntil = module.Now().ToMilliseconds();

    /// <summary>Each order from now on, as an event.</summary>
    public EventFeed Events { get; } = new(
        Kept, isLost => isLost ? NewestAsync(store, module) : ValueTask.FromResult(Nothing));

    /// <summary>
    /// Publishes an order that was placed or changed. Watchers see the statuses of each order in the right order.
    /// </summary>
    /// <param name="order">The order as it is now.</param>
    /// <param name="before">The order before the change; null if it was placed.</param>
    public void Publish(Order order, Order? before = null) =>
        Publish(OrderHeader.Of(order), before is null ? null : OrderHeader.Of(before));

    /// <summary>From now on also publishes the orders of other hosts.</summary>
    public ValueTask StartAsync() =>
        store.SubscribeToOtherHostsAsync(() => Events.IsWatched, order => Publish(order, null));

    private void Publish(OrderHeader order, OrderHeader? before)
    {
        int status = OrderStatus.IndexOf(order.Status);
        lock (_publishing)
        {
            bool isRemembered = _published.TryGetValue(order.Id, out (long CreatedAt, int Status) last);
            bool isKnown = isRemembered && last.CreatedAt == order.CreatedAt; // otherwise the id was used again
            if (isKnown && last.Status >= status) return; // it was published with a later change
            bool lacksBefore = before is not null
                && (isKnown ? last.Status < OrderStatus.IndexOf(before.Status) : order.CreatedAt > _publishedUntil);
            if (lacksBefore) Events.Publish(new OrderEvent(before!));
            Events.Publish(new OrderEvent(order));

            if (!isRemembered) _oldestPublished.Enqueue(order.Id);
            _published[order.Id] = (order.CreatedAt, status);
            if (_published.Count <= Kept) return;
            _published.Remove(_oldestPublished.Dequeue(), out last);
            _publishedUntil = Math.Max(_publishedUntil, last.CreatedAt);
        }
    }

    private static async ValueTask<IReadOnlyList<FeedEvent>> NewestAsync(IOrderStore store, ModuleContext module)
    {
        IReadOnlyList<OrderHeader> newest = await module.Queries.RunAsync("watchers of the orders",
            end => store.ListNewestAsync(new OrderFilter(), Newest, end), CancellationToken.None);
        return [new ResetEvent(), .. newest.Reverse().Select(order => new OrderEvent(order))];
    }

    /// <summary>Tells a client that the orders that it shows may be outdated.</summary>
    private sealed class ResetEvent() : FeedEvent("reset")
    {
        public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult("{}"u8.ToArray());
    }

    // Without the lines: a thousand orders of a hundred lines each would be much memory for a list.
    private sealed class OrderEvent(OrderHeader order) : FeedEvent("order")
    {
        private byte[]? _data;

        public override ValueTask<byte[]> DataAsync() =>
            ValueTask.FromResult(_data ??= JsonResponse.Bytes(order.ToBody(), OrdersJson.Default.OrderSummary));
    }
}

/// <summary>An order as lists of orders show it.</summary>
internal sealed record OrderSummary(
    string OrderId, string CustomerId, string Status, long Lines, decimal TotalAmount,
    UtcTime CreatedAt, UtcTime UpdatedAt);
