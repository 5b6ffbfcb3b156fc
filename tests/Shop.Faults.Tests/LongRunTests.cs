using System.Diagnostics;
using System.Net;

namespace Shop.Faults.Tests;

/// <summary>
/// Mixed load for a while: what must not grow does not. SHOP_LONG_RUN_MINUTES says how long; half a minute without it.
/// </summary>
[NonParallelizable]
[Category("Slow")]
internal sealed class LongRunTests
{
    private const int Samples = 30;

    [Test]
    public async Task Given_mixed_load_for_long_then_memory_handles_threads_WAL_and_series_are_flat_after_warm_up()
    {
        var time = TimeSpan.FromMinutes(double.Parse(Environment.GetEnvironmentVariable("SHOP_LONG_RUN_MINUTES")
            ?? "0.5", System.Globalization.CultureInfo.InvariantCulture));
        string directory = Directory.CreateTempSubdirectory("shop-long-").FullName;
        var samples = new List<Sample>();
        EveryRoute every = await EveryRoute.OfAsync();
        using (ShopProcess shop = await ShopProcess.StartAsync(directory, ShopProgram.ProfileGuided))
        {
            bool goesOn = true;
            Func<bool> runs = () => Volatile.Read(ref goesOn);
            Task<long>[] clients =
            [
                .. Enumerable.Range(0, 8).Select(client => LoadAsync(shop, new Random(client), runs)),
                AskEveryRouteAsync(shop, every, runs),
            ];
            Task[] viewers =
            [
                WatchAsync(shop.Products, "/live/events", runs),
                WatchAsync(shop.Orders, "/live/events", runs),
                WatchAsync(shop.Orders, "/board/events", runs),
            ];
            long start = Stopwatch.GetTimestamp();
            for (int i = 1; i <= Samples; i++)
            {
                TimeSpan left = (time / Samples * i) - Stopwatch.GetElapsedTime(start);
                if (left > TimeSpan.Zero) await Task.Delay(left); // how long is the point of it
                samples.Add(await Sample.OfAsync(shop));
            }

            Volatile.Write(ref goesOn, false);
            long requests = (await Task.WhenAll(clients)).Sum();
            await Task.WhenAll(viewers);
            TestContext.Out.WriteLine(
                $"{time.TotalMinutes:0.#} minutes, {requests} requests, {requests / time.TotalSeconds:0} a second.");
            foreach (Sample sample in samples.Where((_, i) => i % 5 == 4)) TestContext.Out.WriteLine(sample);
        }

        Directory.Delete(directory, recursive: true);
        Sample[] early = [.. samples.Skip(Samples / 3).Take(Samples / 3)], late = [.. samples.Skip(2 * Samples / 3)];
        Assert.Multiple(() =>
        {
            Assert.That(late.Max(sample => sample.Megabytes),
                Is.LessThan((early.Max(sample => sample.Megabytes) * 1.25) + 20));
            Assert.That(late.Max(sample => sample.NativeMegabytes),
                Is.LessThan((early.Max(sample => sample.NativeMegabytes) * 1.1) + 10));
            Assert.That(late.Max(sample => sample.Handles), Is.LessThan(early.Max(sample => sample.Handles) + 40));
            Assert.That(late.Max(sample => sample.Threads), Is.LessThan(early.Max(sample => sample.Threads) + 8));
            // it is moved into the file at 4 MB each, when no reader is in the way
            Assert.That(samples.Max(sample => sample.WalMegabytes), Is.LessThan(16));
            // with each of 200 products viewed, and each page
            Assert.That(late.Max(sample => sample.Series), Is.LessThan(2000));
        });
    }

    [Test]
    public async Task Given_6000_probes_of_readiness_after_a_warm_up_then_they_add_3_MB_at_most()
    {
        const int Probes = 6000;
        string directory = Directory.CreateTempSubdirectory("shop-probes-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory, ShopProgram.ProfileGuided))
        {
            // The warm-up is as long: code is compiled anew, and the youngest generation takes
            // the room that it may have.
            double[] megabytes = new double[2];
            for (int i = 0; i < megabytes.Length; i++)
            {
                var inParallel = new ParallelOptions { MaxDegreeOfParallelism = 8 };
                await Parallel.ForAsync(0, Probes, inParallel, async (_, cancel) =>
                {
                    using HttpResponseMessage answer = await shop.Orders.GetAsync("/health/ready", cancel);
                    Assert.That((int)answer.StatusCode, Is.EqualTo(200));
                });
                Exposition process = await Exposition.OfAsync(shop.Orders, "/metrics/process");
                megabytes[i] = process["process_working_set_bytes"] / 1e6;
            }

            TestContext.Out.WriteLine($"{megabytes[0]:0.0} MB, and {megabytes[1]:0.0} MB after {Probes} probes more");
            Assert.That(megabytes[1] - megabytes[0], Is.LessThan(3));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static async Task<long> LoadAsync(ShopProcess shop, Random random, Func<bool> goesOn)
    {
        long requests = 0;
        string? order = null;
        while (goesOn())
        {
            int what = random.Next(20);
            string product = $"prod_{random.Next(190)}";
            HttpResponseMessage answer = what switch
            {
                < 10 => await shop.Products.GetAsync($"/products/{product}"),
                < 12 => await shop.Products.GetAsync($"/products?q=lamp&sort=-price&limit={random.Next(1, 50)}"),
                12 => await shop.Products.GetAsync($"/products/{Guid.NewGuid()}"),
                13 => await shop.Orders.GetAsync($"/orders?limit=20&customer_id=customer-{random.Next(1000)}"),
                14 => await shop.Inventory.GetAsync("/inventory?max_level=10"),
                15 => (await shop.Inventory.PostAsync("/inventory/increase",
                    new { product_id = product, quantity = 1 })).Response,
                16 when order is not null => (await shop.Orders
                    .PostAsync($"/orders/{order}/{(random.Next(2) == 0 ? "pay" : "cancel")}")).Response,
                _ => await PlaceAsync(shop, product, random, id => order = id),
            };
            using (answer) Assert.That(answer.StatusCode, Is.LessThan(HttpStatusCode.InternalServerError));
            requests++;
        }

        return requests;
    }

    private static async Task<long> AskEveryRouteAsync(ShopProcess shop, EveryRoute every, Func<bool> goesOn)
    {
        var random = new Random(1);
        long requests = 0;
        for (bool asBrowser = false; goesOn(); asBrowser = !asBrowser)
        {
            string? order = null;
            using HttpResponseMessage placed = await PlaceAsync(shop, "prod_0", random, id => order = id);
            requests += 1 + await every.AskAsync(shop, random, order, asBrowser);
        }

        return requests;
    }

    private static async Task WatchAsync(HttpClient client, string path, Func<bool> goesOn)
    {
        using EventReader stream = await EventReader.OpenAsync(client, path);
        while (goesOn()) await stream.NextAsync();
    }

    private static async Task<HttpResponseMessage> PlaceAsync(
        ShopProcess shop, string product, Random random, Action<string> placed)
    {
        (HttpResponseMessage answer, var json) = await shop.Orders.PostAsync("/orders",
            Http.Order(product, 1, $"customer-{random.Next(1000)}"), ("Idempotency-Key", $"{Guid.NewGuid()}"));
        if (answer.StatusCode == HttpStatusCode.Created) placed((string)json!["order_id"]!);
        return answer;
    }

    private sealed record Sample(
        double Megabytes, double NativeMegabytes, double Handles, double Threads, double WalMegabytes,
        int Series, double Orders)
    {
        public static async Task<Sample> OfAsync(ShopProcess shop)
        {
            Exposition process = await Exposition.OfAsync(shop.Orders, "/metrics/process");
            Exposition[] modules = await Task.WhenAll(
                new[] { shop.Products, shop.Orders, shop.Inventory }.Select(client => Exposition.OfAsync(client)));
            double resident = process["process_working_set_bytes"], managed = process["dotnet_gc_committed_bytes"];
            return new Sample(resident / 1e6, (resident - managed) / 1e6, process["process_open_handles"],
                process["process_num_threads"],
                modules.Max(module => module["""db_file_bytes{file="wal"}"""]) / 1e6,
                modules.Sum(module => module.Series.Count), modules[1]["orders_created_total"]);
        }

        public override string ToString() =>
            $"{Megabytes:0} MB, {NativeMegabytes:0.0} MB of it native, {Handles:0} handles, {Threads:0} threads, "
            + $"largest WAL {WalMegabytes:0.0} MB, {Series} series, {Orders:0} orders";
    }
}
