using System.Text;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Live;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class OrderFeedTests
{
    [Test]
    public async Task Given_changes_that_are_told_in_another_order_than_they_were_made_then_a_watcher_never_sees_an_order_go_back()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var feed = new OrderFeed(new SqliteOrderStore(files.Context.Database, files.Context.Settings), files.Context);
        Order late = Placed("late", 1), again = Placed("late", 2), soon = Placed("soon", 1);
        foreach (Order order in new[]
        {
            late.As(OrderStatus.Shipped, 3), late.As(OrderStatus.Paid, 2), late, late.As(OrderStatus.Delivered, 4), late.As(OrderStatus.Shipped, 3),
            soon, soon.As(OrderStatus.Paid, 2), soon.As(OrderStatus.Cancelled, 3),
            again, // its id was free again
        }) feed.Tell(order);
        EventFeed.Batch batch = feed.Events.Since(0)!.Value;
        string[] told = await Task.WhenAll(batch.Events.Select(async happened => Encoding.UTF8.GetString(await happened.DataAsync())));
        Assert.That(told.Select(json => json.Split('"')[11]), Is.EqualTo(new[] { "shipped", "delivered", "created", "paid", "cancelled", "created" }));
    }

    private static Order Placed(string id, long at) => new(id, "ada", OrderStatus.Created, 100, at, at, [new OrderLine("p", "P", 1, 100)]);
}
