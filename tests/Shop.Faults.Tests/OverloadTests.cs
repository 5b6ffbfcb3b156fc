using System.Diagnostics;

namespace Shop.Faults.Tests;

/// <summary>
/// More than the shop can do. SHOP_OVERLOAD_SECONDS=60 runs it for a minute, with narrow limits; without
/// it the run is short, and its limits leave room for a machine that has other work. Client and shop
/// share the machine's cores either way.
/// </summary>
[NonParallelizable]
[Category("CI")]
internal sealed class OverloadTests
{
    private const string Order =
        """{"customer_id":"someone","items":[{"product_id":"prod_0","quantity":1},"""
        + """{"product_id":"prod_1","quantity":1}]}""";

    private const int Connections = 6000;

    /// <summary>Between two requests of a client that only looks how the shop is, and is no load itself.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    [TestCase(8192,
        TestName = "Given_ten_times_the_orders_that_can_be_served_"
            + "then_most_of_the_peak_is_served_and_neighbours_are_well")]
    [TestCase(5500,
        TestName = "Given_ten_times_the_orders_that_can_be_served_"
            + "when_not_all_may_wait_then_the_rest_are_refused_at_once")]
    public async Task Overload(int atOnce)
    {
        string? seconds = Environment.GetEnvironmentVariable("SHOP_OVERLOAD_SECONDS");
        (TimeSpan time, double leastGoodput, double slack) = seconds is null
            ? (TimeSpan.FromSeconds(5), 0.3, 8.0)
            : (TimeSpan.FromSeconds(int.Parse(seconds)), 0.8, 2.0);
        string directory = Directory.CreateTempSubdirectory("shop-overload-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(
            directory, ShopProgram.ProfileGuided, ("Shop__MaxConcurrentRequests", $"{atOnce}")))
        {
            foreach (string product in new[] { "prod_0", "prod_1" })
                // enough for a minute
                await shop.Inventory.PostAsync("/inventory/increase",
                    new { product_id = product, quantity = 1_000_000_000 });
            await PeakAsync(shop, time / 2); // warm-up
            double peak = await PeakAsync(shop, time / 6);
            await using OpenLoad load = await new OpenLoad(shop.Orders.BaseAddress!, "/orders", Order)
                .ConnectAsync(Connections);
            using var done = new CancellationTokenSource();
            await using var reads = new OpenLoad(shop.Products.BaseAddress!, "/products/prod_0");
            Task<OpenLoad.Tally> neighbours = reads.AskFromThreadsAsync(2, Pause, done.Token);
            Task<OpenLoad.Tally> bystanders = load.AskFromThreadsAsync(8, Pause, done.Token);
            OpenLoad.Tally overload = await load.RunAsync(10 * peak, time);
            await done.CancelAsync();
            OpenLoad.Tally others = await bystanders, read = await neighbours;
            long start = Stopwatch.GetTimestamp();
            OpenLoad.Tally after = await load.RunAsync(peak / 4, TimeSpan.FromSeconds(2));
            TimeSpan back = Stopwatch.GetElapsedTime(start);
            // The machine is not as fast in every minute: the peak is that before and after.
            peak = (peak + await PeakAsync(shop, time / 6)) / 2;
            using var process = Process.GetProcessById(shop.Id);
            double megabytes = process.WorkingSet64 / 1e6;
            TestContext.Out.WriteLine($"Peak {peak:0} orders a second. At ten times that: {overload}. "
                + $"Goodput {overload.PerSecond / peak:0.00} of the peak. Eight clients beside it: {others}. "
                + $"Two that read a product: {read}. Afterwards: {after}. {megabytes:0} MB.");
            Exposition metrics = await Exposition.OfAsync(shop.Orders);
            Assert.Multiple(() =>
            {
                Assert.That(
                    (overload.Other + others.Other + read.Other, overload.WithoutRetryAfter + others.WithoutRetryAfter),
                    Is.EqualTo((0, 0)), "answers other than 201, 429 and 503; refusals without Retry-After");
                Assert.That(overload.AcceptedAt(99),
                    Is.LessThan(slack * TimeSpan.FromSeconds(1)), "p99 of what was accepted");
                Assert.That((read.Accepted > 0, read.Refused), Is.EqualTo((true, 0)), "a neighbour is served");
                Assert.That(read.AcceptedAt(50),
                    Is.LessThan(overload.AcceptedAt(50)), "a neighbour's read does not wait behind the orders");
                Assert.That((after.Refused, after.Other), Is.EqualTo((0, 0)), "it is back to normal");
                Assert.That(back, Is.LessThan(slack * TimeSpan.FromSeconds(5)));
                Assert.That(megabytes, Is.LessThan(400));
                Assert.That(metrics["""http_requests_by_status_code_total{code="429"}"""]
                        + metrics["""http_requests_by_status_code_total{code="503"}"""],
                    Is.GreaterThanOrEqualTo(overload.Refused + others.Refused));
                Assert.That(metrics["app_requests_in_progress"], Is.Zero);
                if (atOnce >= Connections)
                {
                    Assert.That(overload.PerSecond / peak, Is.GreaterThanOrEqualTo(leastGoodput), "goodput");
                    return;
                }

                Assert.That(overload.Refused, Is.Positive);
                Assert.That(overload.RefusedAt(50),
                    Is.LessThan(overload.AcceptedAt(50)), "a refusal is faster than an order");
                Assert.That(others.Refused, Is.Positive);
                if (seconds is not null)
                {
                    Assert.That(others.RefusedAt(99), Is.LessThan(slack * TimeSpan.FromMilliseconds(50)),
                        "p99 of the refusals of clients that are not busy themselves");
                }
            });
        }

        Directory.Delete(directory, recursive: true);
    }

    // What is served to a thousand clients that never pause: to fewer, or to more, it is less.
    private static async Task<double> PeakAsync(ShopProcess shop, TimeSpan time)
    {
        await using OpenLoad load = await new OpenLoad(shop.Orders.BaseAddress!, "/orders", Order).ConnectAsync(1000);
        return (await load.SaturateAsync(time)).PerSecond;
    }
}
