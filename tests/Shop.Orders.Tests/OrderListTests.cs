using CsCheck;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Postgres;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>
/// Lists by customer and product: out of the indexes of runs that are complete, and out of the rows of the one that is
/// not.
/// </summary>
internal sealed class OrderListTests
{
    [Test]
    public async Task Given_orders_of_several_runs_then_every_list_and_count_is_what_a_model_says()
    {
        using var files = new ModuleFiles(new OrdersModule());
        await ListsAreRightAsync(new SqliteOrderStore(files.Context.Database, files.Context.Settings));
    }

    [Test]
    public async Task Given_orders_in_PostgreSQL_then_every_list_and_count_is_what_a_model_says()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new OrdersModule());
        await ListsAreRightAsync(new PostgresOrderStore(schema.Context.Postgres, schema.Context.Log));
    }

    private static async Task ListsAreRightAsync(IOrderStore store)
    {
        Assert.That(await store.ListNewestAsync(new OrderFilter(), 10, default), Is.Empty);
        List<Order> placed = [];
        // Around the ends of runs, and far from them.
        foreach (int orders in new[] { 1, 1022, 1, 1, 1500, 547 })
        {
            await PlaceAsync(store, placed, orders);
            Check(store, placed);
        }
    }

    [Test]
    public async Task Given_a_file_of_a_version_with_indexes_over_all_orders_when_opened_then_every_list_and_count_is_what_a_model_says()
    {
        const string Rows = """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at)
            SELECT 'o' || i, 'c' || (i % 7), 'created', 300, 0, 0 FROM n;
            INSERT INTO order_lines (order_seq, line, product_id, name, quantity, unit_price_cents)
            SELECT seq, 0, 'p' || ((seq - 1) % 5), 'P', 1, 100 FROM orders;
            INSERT INTO order_lines (order_seq, line, product_id, name, quantity, unit_price_cents)
            SELECT seq, 1, 'p' || ((seq - 1) % 3), 'P', 2, 100 FROM orders;
            """;
        using var files = new ModuleFiles(new OrdersModule(),
            directory => ModuleFiles.WriteOlder(directory, new OrdersModule(),
                ["001_orders.sql", "002_runs.sql", "003_events.sql"], Rows));
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        List<Order> placed = [.. Enumerable.Range(0, 2500).Select(Numbered)];
        Check(store, placed);
        await PlaceAsync(store, placed, 1000);
        Check(store, placed);
    }

    // Some have a product in both of their lines.
    private static Order Numbered(int number) => new($"o{number}", $"c{number % 7}", OrderStatus.Created, 300, 0, 0,
        [new OrderLine($"p{number % 5}", "P", 1, 100), new OrderLine($"p{number % 3}", "P", 2, 100)]);

    private static async Task PlaceAsync(IOrderStore store, List<Order> placed, int orders)
    {
        Order[] next = [.. Enumerable.Range(placed.Count, orders).Select(Numbered)];
        await Task.WhenAll(
            next.Select(order => store.PlaceAsync(order, new ReservationId(order.Id, 0), null, null).AsTask()));
        placed.AddRange(next);
    }

    private static void Check(IOrderStore store, List<Order> placed)
    {
        Gen<string?> customers = Gen.Int[-3, 7].Select(n => n < 0 ? null : $"c{n}");
        Gen<string?> products = Gen.Int[-3, 5].Select(n => n < 0 ? null : $"p{n}");
        Gen<string?> statuses =
            Gen.Int[0, 2].Select(n => n switch { 0 => null, 1 => OrderStatus.Created, _ => OrderStatus.Paid });
        Gen<int> limits = Gen.OneOf(Gen.Int[1, 30], Gen.Const(1000));
        Gen.Select(customers, products, statuses, Gen.Int[1, placed.Count + 1], limits)
            .Sample((customer, product, status, before, limit) =>
            {
                var filter = new OrderFilter(status, customer, product);
                (long Seq, Order Order)[] wanted =
                    [.. placed.Select((order, index) => (Seq: index + 1L, Order: order)).Reverse().Where(each =>
                        (customer is null || each.Order.CustomerId == customer)
                        && (status is null || each.Order.Status == status)
                        && (product is null || each.Order.Lines.Any(line => line.ProductId == product)))];
                IReadOnlyList<OrderHeader> newest = store.ListNewestAsync(filter, limit, default).AsTask().GetAwaiter()
                    .GetResult();
                return IsPage(store, filter, null, limit, wanted, wanted.Length)
                    && IsPage(store, filter, before, limit, [.. wanted.Where(each => each.Seq < before)], wanted.Length)
                    && newest.SequenceEqual(wanted.Take(limit).Select(each => OrderHeader.Of(each.Order)));
            }, iter: 60, threads: 1);
    }

    private static bool IsPage(
        IOrderStore store, OrderFilter filter, long? cursor, int limit, (long Seq, Order Order)[] wanted, int total)
    {
        OrderPage page = store.ListAsync(filter, cursor, limit, default).AsTask().GetAwaiter().GetResult();
        return page.Orders.Select(order => order.Id).SequenceEqual(wanted.Take(limit).Select(each => each.Order.Id))
            && page.Next == (wanted.Length > limit ? wanted[limit - 1].Seq : null)
            && page.Total == new RowTotal(total);
    }
}
