using System.Globalization;
using Shop.Platform.Data.Sqlite;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>Name and price of a product stand once in the file, for all lines that show the same.</summary>
internal sealed class ProductSnapshotStoreTests
{
    private const string LongName = "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀";

    [Test]
    public async Task Given_orders_that_repeat_a_long_name_in_every_line_then_they_take_no_more_room_than_their_quantities()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new OrderStore(files.Context.Database);
        const int Orders = 200;
        await PlaceAsync(store, [.. Enumerable.Range(0, Orders).Select(number => Of($"o{number}", [.. Enumerable.Range(0, 100).Select(_ => new OrderLine("p", string.Concat(Enumerable.Repeat(LongName, 4)), 1, 100))]))]);
        long bytes = Pages(files) * 2048;
        Assert.That(bytes / Orders, Is.LessThan(4_000), "bytes an order");
        Assert.That(store.Find("o7")!.Lines, Has.Count.EqualTo(100).And.All.EqualTo(new OrderLine("p", string.Concat(Enumerable.Repeat(LongName, 4)), 1, 100)));
    }

    [Test]
    public async Task Given_a_price_or_a_name_that_changes_between_orders_then_each_keeps_what_it_was_placed_with()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new OrderStore(files.Context.Database);
        OrderLine[] shown = [new("p", "Old", 1, 100), new("p", "Old", 2, 200), new("p", "New", 3, 200), new("p", "Old", 4, 100)];
        foreach ((OrderLine line, int number) in shown.Select((line, number) => (line, number))) await PlaceAsync(store, [Of($"o{number}", [line])]);
        Assert.That(shown.Select((_, number) => store.Find($"o{number}")!.Lines.Single()), Is.EqualTo(shown));
        Assert.That(Number(files, "SELECT count(*) FROM product_snapshots"), Is.EqualTo(3));
    }

    [Test]
    public async Task Given_a_write_that_is_undone_when_its_product_is_ordered_next_then_the_order_has_its_lines([Values] bool inTheSameBatch)
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new OrderStore(files.Context.Database);
        Order undone = Of("undone", [new OrderLine("p", "P", 1, 100)]), placed = Of("placed", [new OrderLine("p", "P", 1, 100)]);
        using var release = new ManualResetEventSlim(!inTheSameBatch);
        Task held = store.Writes.WriteAsync(() =>
        {
            release.Wait();
            return WriteResult.Commit(0);
        });
        Task first = store.Writes.WriteAsync(() =>
        {
            store.Insert(undone, 0, null);
            return WriteResult.Rollback(0);
        });
        if (!inTheSameBatch) await first;
        Task second = PlaceAsync(store, [placed]);
        release.Set();
        await Task.WhenAll(held, first, second);
        Assert.That(store.Find("undone"), Is.Null);
        Assert.That(store.Find("placed")!.Lines, Is.EqualTo(placed.Lines));
    }

    [Test]
    public async Task Given_more_products_than_are_kept_in_memory_then_each_still_stands_once()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new OrderStore(files.Context.Database);
        const int Products = ProductSnapshotStore.MaxKept + 100;
        for (int round = 0; round < 2; round++)
            await PlaceAsync(store, [.. Enumerable.Range(0, Products).Select(number => Of($"o{round}-{number}", [new OrderLine($"p{number}", "P", 1, 100)]))]);
        Assert.That(Number(files, "SELECT count(*) FROM product_snapshots"), Is.EqualTo(Products));
    }

    private static Order Of(string id, OrderLine[] lines) => new(id, "c", OrderStatus.Created, lines.Sum(line => line.TotalCents), 0, 0, lines);

    private static Task<int> PlaceAsync(OrderStore store, Order[] orders) => store.Writes.WriteAsync(() =>
    {
        foreach (Order order in orders) store.Insert(order, 0, null);
        return WriteResult.Commit(orders.Length);
    });

    private static long Pages(ModuleFiles files) => Number(files, "PRAGMA page_count");

    private static long Number(ModuleFiles files, string sql) =>
        files.Context.Database.Rows(sql, static row => Convert.ToInt64(row.GetValue(0), CultureInfo.InvariantCulture)).Single();
}
