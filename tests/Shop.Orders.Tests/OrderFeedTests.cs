using System.Text.Json;
using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform;
using Shop.Platform.Live;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class OrderFeedTests
{
    [Test]
    public async Task Given_changes_that_are_told_in_another_order_than_they_were_made_then_a_watcher_sees_each_order_go_on_as_it_went_on()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var feed = new OrderFeed(new SqliteOrderStore(files.Context.Database, files.Context.Settings), files.Context);
        long now = files.Context.Now().ToMilliseconds() + 1;
        Order one = Placed("one", now), two = Placed("two", now),
            again = Placed("one", now + 9), old = Placed("old", 0);
        Order paid = one.WithStatus(OrderStatus.Paid, now + 1), shipped = one.WithStatus(OrderStatus.Shipped, now + 2);
        feed.Publish(one);
        feed.Publish(shipped, paid);
        feed.Publish(paid, one);
        feed.Publish(two.WithStatus(OrderStatus.Cancelled, now + 1), two);
        feed.Publish(two);
        feed.Publish(again); // its id was free again
        feed.Publish(
            old.WithStatus(OrderStatus.Cancelled, now), old.WithStatus(OrderStatus.Paid, 1)); // of before the start
        Assert.That(await ToldAsync(feed), Is.EqualTo(new[]
        {
            ("one", "created"), ("one", "paid"), ("one", "shipped"), ("two", "created"), ("two", "cancelled"),
            ("one", "created"), ("old", "cancelled"),
        }));
    }

    [Test]
    public async Task Given_more_orders_than_are_remembered_when_they_change_then_what_was_told_of_them_is_not_told_again()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var feed = new OrderFeed(new SqliteOrderStore(files.Context.Database, files.Context.Settings), files.Context);
        long now = files.Context.Now().ToMilliseconds();
        Order[] orders = [.. Enumerable.Range(1, OrderFeed.Kept + 2).Select(n => Placed($"o{n}", now + n))];
        foreach (Order order in orders) feed.Publish(order);
        foreach (Order order in new[] { orders[^1], orders[0], orders[1], orders[^1] })
            feed.Publish(order.WithStatus(OrderStatus.Paid, now), order);
        Assert.That((await ToldAsync(feed)).TakeLast(4), Is.EqualTo(new[]
        {
            ($"o{OrderFeed.Kept + 2}", "created"), ($"o{OrderFeed.Kept + 2}", "paid"), ("o1", "paid"), ("o2", "paid"),
        }));
    }

    [Test]
    public async Task Given_a_change_that_is_on_disk_and_not_told_yet_when_the_order_changes_again_then_a_watcher_sees_both()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        var feed = new OrderFeed(store, files.Context);
        await using var reconciler = new OrderReconciler(store, Substitute.For<IInventory>(), files.Context);
        var lifecycle = new OrderLifecycle(
            store, new OrderMetrics(store, files.Context), feed, reconciler, files.Context);
        Order placed = Placed("one", files.Context.Now().ToMilliseconds() + 1);
        await store.PlaceAsync(placed, new ReservationId("one", 1), null, null);
        feed.Publish(placed);
        await store.ChangeStatusAsync("one", OrderStatus.Paid, null, files.Context.Now());
        await lifecycle.ChangeAsync("one", OrderStatus.Shipped);
        Assert.That(await ToldAsync(feed),
            Is.EqualTo(new[] { ("one", "created"), ("one", "paid"), ("one", "shipped") }));
    }

    private static async Task<(string, string)[]> ToldAsync(OrderFeed feed)
    {
        long first = Math.Max(0, Number(feed.Events.Position) - OrderFeed.Kept);
        IReadOnlyList<FeedEvent> events = feed.Events.Since(first)!.Value.Events;
        var told = new List<(string, string)>();
        foreach (FeedEvent happened in events)
        {
            using var json = JsonDocument.Parse(await happened.DataAsync());
            told.Add((json.RootElement.GetProperty("order_id").GetString()!,
                json.RootElement.GetProperty("status").GetString()!));
        }

        return [.. told];
    }

    private static long Number(string position) => long.Parse(position[(position.IndexOf('-') + 1)..]);

    private static Order Placed(string id, long at) =>
        new(id, "ada", OrderStatus.Created, 100, at, at, [new OrderLine("p", "P", 1, 100)]);
}
