using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using CsCheck;
using Microsoft.Data.Sqlite;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Clients that try the same few orders at once, repeat their ids as soon as something fails, and change what is there,
/// while any call of any contract fails, before it took effect or after, and the database of the orders refuses.
/// Afterwards each order holds its units, and nothing else does.
/// </summary>
[NonParallelizable]
[Category("CI")]
internal sealed class FailureHistoryTests
{
    private const int Orders = 4;
    private static readonly string[] Verbs = ["pay", "ship", "cancel"];
    private static readonly string[] Life = ["created", "paid", "shipped", "delivered"];

    private static readonly Gen<Step> AnyStep = Gen.Frequency(
        (6, Gen.Int[0, Orders - 1].Select(order => new Step(order, null))),
        (4, Gen.Select(Gen.Int[0, Orders - 1], Gen.Int[0, Verbs.Length - 1],
            (order, verb) => new Step(order, Verbs[verb]))),
        (1, Gen.Bool.Select(isRefusing => new Step(-1, isRefusing ? "refuse" : "take"))));

    [Test]
    public async Task Given_calls_that_fail_before_or_after_they_took_effect_when_clients_repeat_their_ids_at_once_then_each_order_holds_its_units_and_nothing_else_does()
    {
        var failures = new Failures();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(failures.Contracts,
            null, "Shop:DemoData=false");
        using var disk = new RefusingOrders(shop.DataDirectory);
        await Gen.Select(Gen.Long[3, 12].Array[2], AnyStep.Array[3, 8].Array[3], Gen.Int[10, 50], Gen.Int)
            .SampleAsync(async (stock, clients, percent, seed) =>
            {
                string[] products = [await shop.ProductAsync(stock[0]), await shop.ProductAsync(stock[1])];
                var history = new History(shop, products, stock, disk);
                failures.Begin(percent, seed);
                await Task.WhenAll(clients.Select(history.RunAsync));
                failures.End();
                disk.Take();
                await history.BalancesAsync();
                await history.AcknowledgedIsThereAsync();
                for (int order = 0; order < Orders; order++) await history.DoAsync(new Step(order, null));
                await history.BalancesAsync();
            }, iter: 60, threads: 1);
        Assert.That(failures.Made, Is.GreaterThan(100), "the failures were hit");
    }

    private sealed record Step(int Order, string? Verb);

    private sealed class History(ShopUnderTest shop, string[] products, long[] stock, RefusingOrders disk)
    {
        private readonly string _name = Guid.NewGuid().ToString("N");
        private readonly ConcurrentDictionary<string, string> _acknowledged = new(StringComparer.Ordinal);

        public async Task RunAsync(Step[] steps)
        {
            foreach (Step step in steps) await DoAsync(step);
        }

        public async Task DoAsync(Step step)
        {
            if (step.Order < 0)
            {
                if (step.Verb == "refuse") disk.Refuse();
                else disk.Take();
                return;
            }

            string id = $"{_name}-{step.Order}";
            // At once, without a pause; then it has had enough.
            for (int tries = 0; tries < 20; tries++)
            {
                (HttpResponseMessage response, JsonNode? answer) = step.Verb is null
                    ? await shop.Orders.PostAsync("/orders",
                        new { customer_id = _name, order_id = id, items = Items(step.Order) })
                    : await shop.Orders.PostAsync($"/orders/{id}/{step.Verb}");
                int code = (int)response.StatusCode;
                if (code >= 500) continue;
                Assert.That(code, Is.AnyOf(200, 201, 404, 409), answer?.ToJsonString());
                if (code == 409)
                {
                    Assert.That((string)answer!["type"]!,
                        Is.AnyOf("urn:shop:problem:insufficient-stock", "urn:shop:problem:status-change-not-allowed"));
                }

                if (code is 200 or 201)
                {
                    _acknowledged.AddOrUpdate(id, (string)answer!["status"]!,
                        (_, before) => Later(before, (string)answer["status"]!));
                }

                return;
            }
        }

        public async Task AcknowledgedIsThereAsync()
        {
            foreach ((string id, string status) in _acknowledged)
            {
                string now = (string)(await shop.Orders.GetJsonAsync($"/orders/{id}"))["status"]!;
                Assert.That(Later(status, now), Is.EqualTo(now), $"{id} was acknowledged as {status}");
            }
        }

        public async Task BalancesAsync()
        {
            for (long start = Stopwatch.GetTimestamp(); ; await Task.Yield())
            {
                JsonArray orders =
                    (await shop.Orders.GetJsonAsync($"/orders?customer_id={_name}&limit=1000")).AsArray();
                var expected = products.Select((product, n) => (stock[n] - Units(orders, product, "shipped"),
                    Units(orders, product, "created", "paid"))).ToArray();
                var found = new List<(long, long)>();
                foreach (string product in products)
                {
                    found.Add(
                        await shop.StockAsync(product) is var (_, onHand, reserved) ? (onHand, reserved) : default);
                }

                if (found.SequenceEqual(expected)) return;
                if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(30))
                    Assert.That(found, Is.EqualTo(expected), "(on hand, reserved) of each product");
            }
        }

        private static long Units(JsonArray orders, string product, params string[] statuses) =>
            orders.Where(order => statuses.Contains((string)order!["status"]!))
                .SelectMany(order => order!["items"]!.AsArray()).Where(item => (string)item!["product_id"]! == product)
                .Sum(item => (long)item!["quantity"]!);

        private static string Later(string one, string other) =>
            one == "cancelled" || other == "cancelled"
                ? "cancelled"
                : Life[Math.Max(Array.IndexOf(Life, one), Array.IndexOf(Life, other))];

        private object[] Items(int order) => order % 2 == 0
            ? [new { product_id = products[0], quantity = order + 1 }, new { product_id = products[1], quantity = 1 }]
            : [new { product_id = products[1], quantity = order }];
    }

    /// <summary>The database of the orders, which takes no new order and no change while it is told so.</summary>
    private sealed class RefusingOrders : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly SqliteConnection _connection;

        public RefusingOrders(string directory)
        {
            _connection = new SqliteConnection($"Data Source={Path.Combine(directory, "orders.db")};Pooling=false");
            _connection.Open();
            Run("""
                CREATE TABLE refusing (is_on INTEGER NOT NULL);
                INSERT INTO refusing VALUES (0);
                CREATE TRIGGER refuse_orders BEFORE INSERT ON orders WHEN (SELECT is_on FROM refusing)
                    BEGIN SELECT raise(ABORT, 'refused'); END;
                CREATE TRIGGER refuse_changes BEFORE UPDATE ON orders WHEN (SELECT is_on FROM refusing)
                    BEGIN SELECT raise(ABORT, 'refused'); END;
                CREATE TRIGGER refuse_notes BEFORE DELETE ON pending_stock WHEN (SELECT is_on FROM refusing)
                    BEGIN SELECT raise(ABORT, 'refused'); END;
                """);
        }

        public void Refuse() => Run("UPDATE refusing SET is_on = 1");

        public void Take() => Run("UPDATE refusing SET is_on = 0");

        public void Dispose() => _connection.Dispose();

        private void Run(string sql)
        {
            lock (_lock)
            {
                using SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // constants of this class
                command.CommandText = sql;
#pragma warning restore CA2100
                command.ExecuteNonQuery();
            }
        }
    }
}
