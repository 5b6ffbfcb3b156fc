using System.Globalization;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>Name and price of a product stand once in the file, for all lines that show the same.</summary>
internal sealed class ProductSnapshotsTests
{
    private const string LongName =
        "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀";

    [Test]
    public async Task Given_orders_that_repeat_a_long_name_in_every_line_then_they_take_no_more_room_than_their_quantities()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        const int Orders = 200;
        await PlaceAsync(store,
            [.. Enumerable.Range(0, Orders).Select(number => Of($"o{number}", [.. Enumerable.Range(0, 100)
                .Select(_ => new OrderLine("p", string.Concat(Enumerable.Repeat(LongName, 4)), 1, 100))]))]);
        long bytes = Pages(files) * 2048;
        Assert.That(bytes / Orders, Is.LessThan(4_000), "bytes an order");
        Assert.That((await store.FindAsync("o7"))!.Lines, Has.Count.EqualTo(100)
            .And.All.EqualTo(new OrderLine("p", string.Concat(Enumerable.Repeat(LongName, 4)), 1, 100)));
    }

    [Test]
    public async Task Given_a_price_or_a_name_that_changes_between_orders_then_each_keeps_what_it_was_placed_with()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        OrderLine[] shown =
        [
            new("p", "Old", 1, 100), new("p", "Old", 2, 200), new("p", "New", 3, 200), new("p", "Old", 4, 100),
        ];
        foreach ((OrderLine line, int number) in shown.Select((line, number) => (line, number)))
            await PlaceAsync(store, [Of($"o{number}", [line])]);
        for (int number = 0; number < shown.Length; number++)
            Assert.That((await store.FindAsync($"o{number}"))!.Lines, Is.EqualTo(new[] { shown[number] }));
        Assert.That(Number(files, "SELECT count(*) FROM product_snapshots"), Is.EqualTo(3));
    }

    [Test]
    public async Task Given_a_write_that_is_undone_when_its_product_is_ordered_next_then_the_order_has_its_lines(
        [Values] bool inTheSameBatch)
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        Order undone = Of("undone", [new OrderLine("p", "P", 1, 100)]),
            placed = Of("placed", [new OrderLine("p", "P", 1, 100)]);
        var key = IdempotencyKey.Of("key", "content");
        await store.PlaceAsync(Of("other", [new OrderLine("q", "Q", 1, 100)]),
            new ReservationId("other", 0), null, key);
        using var release = new ManualResetEventSlim(!inTheSameBatch);
        Task held = files.Context.Database.Writes.WriteAsync(() =>
        {
            release.Wait();
            return WriteResult.Commit(0);
        });
        Task<PlaceResult> first = store.PlaceAsync(undone, new ReservationId("undone", 0), null, key).AsTask();
        if (!inTheSameBatch) await first;
        Task second = PlaceAsync(store, [placed]);
        release.Set();
        await Task.WhenAll(held, first, second);
        Assert.That(await first, Is.EqualTo(PlaceResult.KeyInUse));
        Assert.That(await store.FindAsync("undone"), Is.Null);
        Assert.That((await store.FindAsync("placed"))!.Lines, Is.EqualTo(placed.Lines));
    }

    [Test]
    public async Task Given_more_products_than_are_kept_in_memory_then_each_still_stands_once()
    {
        using var files = new ModuleFiles(new OrdersModule());
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        const int Products = ProductSnapshots.MaxKept + 100;
        for (int round = 0; round < 2; round++)
            await PlaceAsync(store, [.. Enumerable.Range(0, Products)
                .Select(number => Of($"o{round}-{number}", [new OrderLine($"p{number}", "P", 1, 100)]))]);
        Assert.That(Number(files, "SELECT count(*) FROM product_snapshots"), Is.EqualTo(Products));
    }

    private static Order Of(string id, OrderLine[] lines) =>
        new(id, "c", OrderStatus.Created, lines.Sum(line => line.TotalCents), 0, 0, lines);

    private static Task<PlaceResult[]> PlaceAsync(SqliteOrderStore store, Order[] orders) =>
        Task.WhenAll(
            orders.Select(order => store.PlaceAsync(order, new ReservationId(order.Id, 0), null, null).AsTask()));

    private static long Pages(ModuleFiles files) => Number(files, "PRAGMA page_count");

    private static long Number(ModuleFiles files, string sql) =>
        files.Context.Database.Rows(sql,
            static row => Convert.ToInt64(row.GetValue(0), CultureInfo.InvariantCulture)).Single();
}
