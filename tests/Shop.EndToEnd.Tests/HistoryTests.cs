using System.Diagnostics;
using System.Text.Json.Nodes;
using CsCheck;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Random histories of the shop against a model that fits on a page. After each: the level is on_hand less
/// reserved and not negative, the figures are the sum of the movements, what is reserved is what unshipped
/// orders hold, and no order is lost.
/// </summary>
[NonParallelizable]
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres)]
[Category("CI")]
internal sealed class HistoryTests(Engine engine) : EngineFixture(engine)
{
    private static readonly string[] Verbs = ["pay", "ship", "deliver", "cancel"];

    private static readonly Gen<Step> AnyStep = Gen.Frequency(
        (8, Gen.Select(Gen.Int[0, 2], Gen.Long[1, 6], Gen.Int[0, 2], Gen.Long[0, 6],
            Step (one, quantity, other, more) => new Place(one, quantity, other, more))),
        (10, Gen.Select(Gen.Int[0, 5], Gen.Int[0, 3].Select(verb => Verbs[verb]),
            Step (order, verb) => new Change(order, verb))),
        (3, Gen.Select(Gen.Int[0, 2], Gen.Long[1, 9], Gen.Bool,
            Step (product, quantity, isIncrease) => new Restock(product, quantity, isIncrease))),
        (2, Gen.Int[0, 5].Select(Step (order) => new Repeat(order))),
        (1, Gen.Int[0, 2].Select(Step (product) => new Delete(product))));

    private static readonly Gen<(long[] Stock, Step[] Steps)> AnyHistory =
        Gen.Select(Gen.Long[0, 12].Array[3], AnyStep.Array[1, 18]);

    [Test]
    public async Task Given_any_history_of_steps_then_the_shop_is_as_the_model_says()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:DemoData=false");
        await AnyHistory.SampleAsync(async history =>
        {
            var model = await Model.BeginAsync(shop, history.Stock);
            foreach (Step step in history.Steps) await model.DoAsync(step);
            await model.CheckAsync();
        }, iter: Current == Engine.Sqlite ? 600 : 100, threads: 1);
    }

    [Test]
    public async Task Given_a_crash_between_any_two_steps_of_any_history_when_started_again_then_everything_is_settled()
    {
        var crash = new CrashSwitch();
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        // Where other hosts may be at work, only what no request can be about to finish is
        // settled: two seconds later here.
        (int histories, string[] settings) = Current == Engine.Sqlite
            ? (100, new[] { "Shop:DemoData=false" })
            : (15, ["Shop:DemoData=false", "Shop:RequestTimeout=1"]);
        ShopUnderTest? shop = null;
        int crashes = 0;
        await Gen.Select(AnyHistory, Gen.Int[0, 12]).SampleAsync(async (history, when) =>
        {
            // There is none if the history before has failed: that failure is to be seen, not what follows from it.
            shop ??= await StartAsync();
            var model = await Model.BeginAsync(shop, history.Stock);
            crash.CrashAfter(when);
            foreach (Step step in history.Steps)
            {
                await model.DoAsync(step, canCrash: true);
                if (crash.HasCrashed) break;
            }

            crashes += crash.HasCrashed ? 1 : 0;
            ShopUnderTest crashed = shop;
            shop = null;
            await crashed.StopAsync();
            crash.Reset();
            shop = await StartAsync();
            await model.ResumeAsync(shop);
            if (Current == Engine.Postgres) await model.SettledAsync();
            await model.CheckAsync();
        }, iter: histories, threads: 1);
        await shop!.StopAsync();
        Directory.Delete(directory, recursive: true);
        Assert.That(crashes, Is.GreaterThan(histories / 8), "the crashes were hit");

        Task<ShopUnderTest> StartAsync() => ShopUnderTest.StartAsync(crash.Contracts, directory, settings);
    }

    private abstract record Step;

    private sealed record Place(int One, long Quantity, int Other, long More) : Step;

    private sealed record Change(int Order, string Verb) : Step;

    private sealed record Restock(int Product, long Quantity, bool IsIncrease) : Step;

    private sealed record Repeat(int Order) : Step;

    private sealed record Delete(int Product) : Step;

    /// <summary>What the shop should be like, kept with the simplest means.</summary>
    private sealed class Model(string[] products, long[] onHand)
    {
        private readonly List<ModelOrder> _orders = [];
        private readonly bool[] _deleted = new bool[products.Length];
        private readonly string _name = Guid.NewGuid().ToString("N");
        private ShopUnderTest _shop = null!;
        private (Step Step, ModelOrder? Order)? _unknown;

        public static async Task<Model> BeginAsync(ShopUnderTest shop, long[] stock) =>
            new(
                [
                    await shop.ProductAsync(stock[0], 1.25m), await shop.ProductAsync(stock[1], 0.99m),
                    await shop.ProductAsync(stock[2], 100m),
                ],
                [.. stock])
            {
                _shop = shop,
            };

        public async Task DoAsync(Step step, bool canCrash = false)
        {
            switch (step)
            {
                case Place place:
                    await PlaceAsync(place, canCrash);
                    break;
                case Change change when _orders.Count > 0:
                    await ChangeAsync(_orders[change.Order % _orders.Count], change, canCrash);
                    break;
                case Restock restock:
                    await RestockAsync(restock);
                    break;
                case Repeat repeat when _orders.Count > 0:
                    ModelOrder order = _orders[repeat.Order % _orders.Count];
                    (HttpResponseMessage again, JsonNode? answer) = await _shop.Orders.PostAsync(
                        "/orders", order.Body(products));
                    Assert.That(
                        ((int)again.StatusCode, again.Header("Idempotency-Replayed"), (string)answer!["status"]!),
                        Is.EqualTo((201, "true", "created")));
                    break;
                case Delete delete:
                    using (HttpResponseMessage gone =
                        await _shop.Products.DeleteAsync($"/products/{products[delete.Product]}"))
                    {
                        Assert.That((int)gone.StatusCode, Is.EqualTo(_deleted[delete.Product] ? 404 : 204));
                    }

                    _deleted[delete.Product] = true;
                    break;
                default:
                    break;
            }
        }

        /// <summary>
        /// After a crash the step under way may have happened or not: the shop says which, and must then be whole.
        /// </summary>
        public async Task ResumeAsync(ShopUnderTest shop)
        {
            _shop = shop;
            if (_unknown is not ({ } step, { } order)) return;
            using HttpResponseMessage read = await shop.Orders.GetAsync($"/orders/{order.Id}");
            if (step is Place)
            {
                if ((int)read.StatusCode == 200) _orders.Add(order);
                return;
            }

            JsonNode now = await shop.Orders.GetJsonAsync($"/orders/{order.Id}");
            string target = Target(((Change)step).Verb);
            Assert.That((string)now["status"]!, Is.EqualTo(order.Status).Or.EqualTo(target));
            if ((string)now["status"]! != order.Status) Apply(order, target);
        }

        /// <summary>Waits until the shop holds no more than its orders do.</summary>
        public async Task SettledAsync()
        {
            var time = Stopwatch.StartNew();
            for (int i = 0; i < products.Length; i++)
            {
                long reserved = _orders.Where(order => order.Status is "created" or "paid").Sum(order => order.Of(i));
                while ((await _shop.StockAsync(products[i])).Reserved != reserved
                    && time.Elapsed < TimeSpan.FromSeconds(30))
                {
                    await Task.Delay(20);
                }
            }
        }

        public async Task CheckAsync()
        {
            for (int i = 0; i < products.Length; i++)
            {
                long reserved = _orders.Where(order => order.Status is "created" or "paid").Sum(order => order.Of(i));
                Assert.That(await _shop.StockAsync(products[i]),
                    Is.EqualTo((onHand[i] - reserved, onHand[i], reserved)), products[i]);
                Assert.That(onHand[i] - reserved, Is.Not.Negative);
                await CheckMovementsAsync(i, reserved);
            }

            JsonArray stored = (await _shop.Orders.GetJsonAsync($"/orders?customer_id={_name}&limit=1000")).AsArray();
            Assert.That(stored.Select(
                    order => ((string)order!["order_id"]!, (string)order["status"]!, (decimal)order["total_amount"]!)),
                Is.EquivalentTo(_orders.Select(order => (order.Id, order.Status, order.Total))));
        }

        private async Task CheckMovementsAsync(int product, long reserved)
        {
            JsonArray movements =
                (await _shop.Inventory.GetJsonAsync($"/inventory/{products[product]}/movements?limit=1000")).AsArray();
            long Sum(string kind) => movements.Where(movement => (string)movement!["kind"]! == kind)
                .Sum(movement => (long)movement!["quantity"]!);
            Assert.That(Sum("received") - Sum("removed") - Sum("shipped"), Is.EqualTo(onHand[product]));
            Assert.That(Sum("reserved") - Sum("released") - Sum("shipped"), Is.EqualTo(reserved));
        }

        private async Task PlaceAsync(Place place, bool canCrash)
        {
            long[] quantities = new long[products.Length];
            quantities[place.One] += place.Quantity;
            quantities[place.Other] += place.More;
            var order = new ModelOrder($"{_name}-{Guid.NewGuid():N}"[..60], _name, place, quantities);
            (HttpResponseMessage response, JsonNode? answer) = await _shop.Orders.PostAsync(
                "/orders", order.Body(products));
            int code = (int)response.StatusCode;
            bool isSold = quantities.Select((quantity, i) => quantity == 0 || !_deleted[i]).All(isRight => isRight);
            bool isEnough = quantities.Select((quantity, i) => quantity <= Level(i)).All(isRight => isRight);
            int expected = !isSold ? 422 : !isEnough ? 409 : 201;
            if (canCrash && code == 500)
            {
                _unknown = (place, order);
                return;
            }

            Assert.That(code, Is.EqualTo(expected), answer?.ToJsonString());
            if (code != 201) return;
            _orders.Add(order);
            Assert.That((decimal)answer!["total_amount"]!, Is.EqualTo(order.Total));
        }

        private async Task ChangeAsync(ModelOrder order, Change change, bool canCrash)
        {
            string target = Target(change.Verb);
            (HttpResponseMessage response, _) = await _shop.Orders.PostAsync($"/orders/{order.Id}/{change.Verb}");
            int code = (int)response.StatusCode;
            if (canCrash && code == 500)
            {
                _unknown = (change, order);
                return;
            }

            bool isAllowed = (order.Status, target) is ("created", "paid") or ("paid", "shipped")
                or ("shipped", "delivered") or ("created" or "paid", "cancelled");
            Assert.That(code, Is.EqualTo(isAllowed || order.Status == target ? 200 : 409));
            if (isAllowed) Apply(order, target);
        }

        private async Task RestockAsync(Restock restock)
        {
            (HttpResponseMessage response, _) = await _shop.Inventory.PostAsync(
                $"/inventory/{(restock.IsIncrease ? "increase" : "decrease")}",
                new { product_id = products[restock.Product], quantity = restock.Quantity });
            bool isDone = restock.IsIncrease || restock.Quantity <= Level(restock.Product);
            Assert.That((int)response.StatusCode, Is.EqualTo(isDone ? 200 : 409));
            if (isDone) onHand[restock.Product] += restock.IsIncrease ? restock.Quantity : -restock.Quantity;
        }

        private void Apply(ModelOrder order, string status)
        {
            order.Status = status;
            if (status != "shipped") return;
            for (int i = 0; i < onHand.Length; i++) onHand[i] -= order.Of(i);
        }

        private long Level(int product) => onHand[product]
            - _orders.Where(order => order.Status is "created" or "paid").Sum(order => order.Of(product));

        private static string Target(string verb) =>
            verb switch { "pay" => "paid", "ship" => "shipped", "deliver" => "delivered", _ => "cancelled" };
    }

    private sealed class ModelOrder(string id, string customer, Place place, long[] quantities)
    {
        private static readonly decimal[] Prices = [1.25m, 0.99m, 100m];

        public string Id { get; } = id;

        public string Status { get; set; } = "created";

        public decimal Total { get; } = quantities.Select((quantity, i) => quantity * Prices[i]).Sum();

        public long Of(int product) => quantities[product];

        public object Body(string[] products) => new
        {
            customer_id = customer,
            order_id = Id,
            items = new[]
            {
                new { product_id = products[place.One], quantity = place.Quantity },
                new { product_id = products[place.Other], quantity = place.More },
            }
                .Where(item => item.quantity > 0),
        };
    }
}
