using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>Orders as they come and change, for those who watch.</summary>
internal sealed class OrderFeed(OrderStore store, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>Orders that a client can have missed and still goes on from where it was.</summary>
    public const int Kept = 1024;

    /// <summary>The newest orders, which a client gets that has missed more.</summary>
    private const int Newest = 200;

    private static readonly IReadOnlyList<FeedEvent> Nothing = [];

    /// <summary>Each order from now on, as an event.</summary>
    public EventFeed Events { get; } = new(Kept, isLost => isLost ? NewestAsync(store, module) : ValueTask.FromResult(Nothing));

    /// <summary>An order is on disk, as it is now.</summary>
    public void Tell(Order order) => Events.Publish(new OrderEvent(OrderHead.Of(order)));

    private static async ValueTask<IReadOnlyList<FeedEvent>> NewestAsync(OrderStore store, ModuleContext module)
    {
        IReadOnlyList<OrderHead> newest = await module.Queries.RunAsync("watchers of the orders",
            end => store.Newest(new OrderFilter(null, null, null), Newest, end), CancellationToken.None);
        return [new ResetEvent(), .. newest.Reverse().Select(order => new OrderEvent(order))];
    }

    /// <summary>What a client shows may be of long ago.</summary>
    private sealed class ResetEvent() : FeedEvent("reset")
    {
        public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult("{}"u8.ToArray());
    }

    // It keeps what is shown of an order, and not its lines: a thousand orders of a hundred lines each would be much memory for a list.
    private sealed class OrderEvent(OrderHead order) : FeedEvent("order")
    {
        private byte[]? _data;

        public override ValueTask<byte[]> DataAsync() =>
            ValueTask.FromResult(_data ??= JsonAnswer.Bytes(order.ToBody(), OrdersJson.Default.OrderSummary));
    }
}

/// <summary>What the board shows of an order.</summary>
internal sealed record OrderSummary(string OrderId, string CustomerId, string Status, long Lines, decimal TotalAmount, UtcTime CreatedAt, UtcTime UpdatedAt);
