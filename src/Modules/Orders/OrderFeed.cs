using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Shop.Platform.Http;

namespace Shop.Orders;

/// <summary>Orders as they come and change, for those who watch. Where nobody does it costs one look.</summary>
internal sealed class OrderFeed
{
    private ImmutableArray<Channel<Order>> _watchers = [];

    /// <summary>An order is on disk, as it is now. Whoever can't keep up misses the oldest.</summary>
    public void Tell(Order order)
    {
        foreach (Channel<Order> watcher in _watchers) watcher.Writer.TryWrite(order);
    }

    /// <summary>Each order from now on, as an event.</summary>
    public async IAsyncEnumerable<(string Name, string Data)> EventsAsync([EnumeratorCancellation] CancellationToken end)
    {
        var mine = Channel.CreateBounded<Order>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropOldest });
        ImmutableInterlocked.Update(ref _watchers, watchers => watchers.Add(mine));
        try
        {
            await foreach (Order order in mine.Reader.ReadAllAsync(end)) yield return ("order", Encoding.UTF8.GetString(JsonAnswer.Bytes(order.ToBody(), OrdersJson.Default.OrderBody)));
        }
        finally
        {
            ImmutableInterlocked.Update(ref _watchers, watchers => watchers.Remove(mine));
        }
    }
}
