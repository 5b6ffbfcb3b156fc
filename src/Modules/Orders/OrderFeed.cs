using Microsoft.Extensions.DependencyInjection;
using Shop.Platform;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;

namespace Shop.Orders;

/// <summary>Orders as they are placed and changed, for pages that show them.</summary>
internal sealed class OrderFeed(IOrderStore store, [FromKeyedServices(OrdersModule.Name)] ModuleContext module)
{
    /// <summary>A client that has missed no more orders than this goes on from where it was.</summary>
    public const int Kept = 1024;

    /// <summary>How many of the newest orders a client gets that has missed more.</summary>
    private const int Newest = 200;

    private static readonly IReadOnlyList<FeedEvent> Nothing = [];

    // The orders that changed last. After their commits requests go on in any order, so a later change may be told first.
    private readonly Dictionary<string, (int Status, long CreatedAt)> _changed = new(StringComparer.Ordinal);
    private readonly Queue<string> _changedFirst = new();
    private readonly Lock _telling = new();

    /// <summary>Each order from now on, as an event.</summary>
    public EventFeed Events { get; } = new(Kept, isLost => isLost ? NewestAsync(store, module) : ValueTask.FromResult(Nothing));

    /// <summary>Tells of an order that has come to its status. It is passed over if a later status of it was told already.</summary>
    public void Tell(Order order)
    {
        int status = OrderStatus.IndexOf(order.Status);
        var told = new OrderEvent(OrderHead.Of(order));
        lock (_telling)
        {
            bool isKnown = _changed.TryGetValue(order.Id, out (int Status, long CreatedAt) newest);
            if (isKnown && newest.CreatedAt == order.CreatedAt && newest.Status >= status) return;
            if (order.Status != OrderStatus.Created)
            {
                if (!isKnown) _changedFirst.Enqueue(order.Id);
                _changed[order.Id] = (status, order.CreatedAt);
                if (_changed.Count > Kept) _changed.Remove(_changedFirst.Dequeue());
            }

            Events.Publish(told);
        }
    }

    private static async ValueTask<IReadOnlyList<FeedEvent>> NewestAsync(IOrderStore store, ModuleContext module)
    {
        IReadOnlyList<OrderHead> newest = await module.Queries.RunAsync("watchers of the orders",
            end => store.ListNewestAsync(new OrderFilter(), Newest, end), CancellationToken.None);
        return [new ResetEvent(), .. newest.Reverse().Select(order => new OrderEvent(order))];
    }

    /// <summary>Tells a client that what it shows may be old.</summary>
    private sealed class ResetEvent() : FeedEvent("reset")
    {
        public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult("{}"u8.ToArray());
    }

    // Without the lines: a thousand orders of a hundred lines each would be much memory for a list.
    private sealed class OrderEvent(OrderHead order) : FeedEvent("order")
    {
        private byte[]? _data;

        public override ValueTask<byte[]> DataAsync() =>
            ValueTask.FromResult(_data ??= JsonAnswer.Bytes(order.ToBody(), OrdersJson.Default.OrderSummary));
    }
}

/// <summary>An order as lists of orders show it.</summary>
internal sealed record OrderSummary(
    string OrderId, string CustomerId, string Status, long Lines, decimal TotalAmount, UtcTime CreatedAt, UtcTime UpdatedAt);
