using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.Faults.Tests;

/// <summary>
/// Trouble on demand that a test can't make in its own process: threads, memory, a crash; and what a crash must not
/// leave behind.
/// </summary>
[Category("CI")]
internal sealed class TroubleTests
{
    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-trouble-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Given_starved_threads_then_work_waits_while_processors_are_free_and_health_still_answers_until_it_ends()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, ShopProgram.ProfileGuided);
        await StartAsync(shop, "starved_threads", new { intensity = 64, duration_seconds = 600 });
        await Eventually.IsSoAsync(async () => await QueueAsync() > 10);
        double cpu = await ProcessAsync("process_cpu_seconds_total"), least = double.MaxValue;
        var time = Stopwatch.StartNew();
        // As the rule of ThreadPoolStarved has it: at each scrape more than ten wait, and processors have time.
        for (int scrapes = 0; scrapes < 10; scrapes++)
        {
            await shop.Orders.GetJsonAsync("/health/live");
            least = Math.Min(least, await QueueAsync());
        }

        double used = (await ProcessAsync("process_cpu_seconds_total") - cpu) / time.Elapsed.TotalSeconds;
        Assert.That(least, Is.GreaterThan(10));
        Assert.That(used, Is.LessThan(0.7 * Environment.ProcessorCount));
        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(async () => await QueueAsync() <= 10);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => shop.Products.GetJsonAsync("/products/prod_0")));

        Task<double> QueueAsync() => ProcessAsync("dotnet_thread_pool_queue_length");
        async Task<double> ProcessAsync(string metric) =>
            (await Exposition.OfAsync(shop.Products, "/metrics/process"))[metric];
    }

    [Test]
    public async Task Given_a_busy_processor_then_an_idle_shop_uses_processors_and_answers_until_it_ends()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, ShopProgram.ProfileGuided);
        await StartAsync(shop, "busy_processor", new { });
        double busy = await CoresAsync();
        await OrderAsync(shop);
        await shop.Orders.DeleteAsync("/faults");
        // How much of a processor it gets is the machine's affair.
        double idle = await CoresAsync();
        Assert.That(busy, Is.GreaterThan(2 * idle));
        // Part of a processor is no more than that, beside what the shop itself uses.
        await StartAsync(shop, "busy_processor", new { intensity = 0.3 });
        Assert.That(await CoresAsync(), Is.LessThan(0.3 + 0.3));

        // Cores over a few seconds, or over more if they are few.
        async Task<double> CoresAsync()
        {
            double start = await SecondsAsync(), used = 0;
            var time = Stopwatch.StartNew();
            await Eventually.IsSoAsync(async () =>
            {
                used = await SecondsAsync() - start;
                await Task.Delay(100);
                return used > 2 || time.Elapsed > TimeSpan.FromSeconds(5);
            });
            return used / time.Elapsed.TotalSeconds;
        }

        async Task<double> SecondsAsync() =>
            (await Exposition.OfAsync(shop.Products, "/metrics/process"))["process_cpu_seconds_total"];
    }

    [Test]
    public async Task Given_memory_that_leaks_then_it_grows_to_its_bound_and_no_further_and_is_freed_at_the_end()
    {
        // 500 MB for objects: two fifths of it are 200.
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, ("DOTNET_GCHeapHardLimit", "0x1DCD6500"));
        double before = await ManagedAsync();
        await StartAsync(shop, "memory_leak", new { intensity = 100, duration_seconds = 600 });
        await Eventually.IsSoAsync(async () => await ManagedAsync() > before + 190e6);
        for (int i = 0; i < 10; i++)
        {
            Assert.That(await ManagedAsync(), Is.LessThan(before + 230e6));
            await OrderAsync(shop);
        }

        await shop.Orders.DeleteAsync("/faults");
        await Eventually.IsSoAsync(async () => await ManagedAsync() < before + 50e6);

        async Task<double> ManagedAsync() =>
            (await Exposition.OfAsync(shop.Products, "/metrics/process"))["dotnet_total_memory_bytes"];
    }

    [Test]
    public async Task Given_a_crash_on_demand_under_load_when_started_again_then_all_that_was_acknowledged_is_there_and_other_faults_go_on()
    {
        var placed = new List<string>();
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            await StartAsync(shop, "slow_commits", new { intensity = 0.02, duration_seconds = 600 });
            Task clients = Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
            {
                while (true)
                {
                    try
                    {
                        string order = await OrderAsync(shop);
                        lock (placed) placed.Add(order);
                    }
                    catch (HttpRequestException)
                    {
                        return;
                    }
                }
            }));
            await Eventually.IsSoAsync(() =>
            {
                lock (placed) return placed.Count > 10;
            });
            await StartAsync(shop, "crash", new { });
            await clients;
            Assert.That(await shop.ExitAsync(), Is.EqualTo(128 + 9), shop.Log);
        }

        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            foreach (string order in placed) await shop.Orders.GetJsonAsync($"/orders/{order}");
            await Eventually.IsSoAsync(async () => (await ActiveAsync(shop)).SequenceEqual(["slow_commits"]));
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        }

        await AgreeAsync();
    }

    [Test]
    public async Task Given_the_first_process_of_a_container_which_can_not_kill_itself_when_it_crashes_on_demand_then_it_ends_all_the_same()
    {
        using ShopProcess shop = await ShopProcess.StartAsFirstProcessAsync(_directory);
        await StartAsync(shop, "crash", new { });
        Assert.That(await shop.ExitAsync(), Is.EqualTo(128 + 9), shop.Log);
    }

    [Test]
    public async Task Given_stock_that_runs_out_when_the_process_is_killed_while_it_is_taken_or_given_back_then_no_unit_is_lost()
    {
        Dictionary<string, long> before;
        // Slow commits of few changes, so that it is killed in the middle.
        (string, string) fewWrites = ("Shop__WriteBatchLimit", "8");
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory, fewWrites))
        {
            before = await StockAsync(shop);
            await StartAsync(shop, "slow_commits", new { intensity = 0.2, duration_seconds = 600 });
            await StartAsync(shop, "stock_runs_out", new { intensity = 1, duration_seconds = 3600 });
            await Eventually.IsSoAsync(async () =>
                (await StockAsync(shop)).Values.Count(level => level == 0) is > 1 and < 150);
            shop.Signal(9);
            await shop.ExitAsync();
        }

        using (ShopProcess shop = await ShopProcess.StartAsync(_directory, fewWrites))
        {
            await Eventually.IsSoAsync(async () => (await StockAsync(shop)).Values.All(level => level == 0));
            await shop.Orders.DeleteAsync("/faults/stock_runs_out");
            await Eventually.IsSoAsync(async () =>
                (await StockAsync(shop)).Values.Count(level => level == 0) is > 1 and < 195);
            shop.Signal(9);
            await shop.ExitAsync();
        }

        using (ShopProcess shop = await ShopProcess.StartAsync(_directory))
        {
            await Eventually.IsSoAsync(
                () => Task.FromResult(!File.Exists(Path.Combine(_directory, "stock-taken.json"))));
            Assert.That(await StockAsync(shop), Is.EqualTo(before));
            Assert.That(await ActiveAsync(shop), Is.EqualTo(new[] { "slow_commits" }));
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        }

        await AgreeAsync();
    }

    [Test]
    public async Task Given_a_running_shop_when_the_verb_is_used_then_it_lists_starts_plays_and_ends()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        string settings = $"--Shop:Inventory:Port={shop.Inventory.BaseAddress!.Port}";
        (string Words, int Code, string Said, string[] Active)[] steps =
        [
            ("", 0, "hostile_client   1 to 1000 requests a second  off", []),
            ("slow_commits 0.01 1234", 0, "\"intensity\":0.01", ["slow_commits"]),
            ("failing_answers", 0, "\"active\":true", ["slow_commits", "failing_answers"]),
            ("", 0, "slow_commits     0.001 to 10 seconds          runs with 0.01 until 2",
                ["slow_commits", "failing_answers"]),
            ("slow_commits 1 60 7", 1, "too many words", ["slow_commits", "failing_answers"]),
            ("end slow_commits", 0, "ended", ["failing_answers"]),
            ("slow_commits 99", 1, "must be from 0.001 to 10", ["failing_answers"]),
            ("nothing", 1, "There is no fault 'nothing'; GET /faults lists what there is.", ["failing_answers"]),
            ("play nothing", 1, "There is no scenario 'nothing'; GET /scenarios lists what there is.",
                ["failing_answers"]),
            ("slow_commits much", 1, "Shop.Host fault: 'much' is not a number", ["failing_answers"]),
            ("play presentation", 0, "\"started_at\":\"2", []),
            ("end", 0, "ended", []),
        ];
        foreach ((string words, int code, string part, string[] active) in steps)
        {
            (int exitCode, string output) =
                await ShopVerb.RunAsync(
                    ["fault", .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries), settings]);
            Assert.That(exitCode, Is.EqualTo(code), $"{words}: {output}");
            Assert.That(output, Does.Contain(part), words);
            Assert.That(await ActiveAsync(shop), Is.EqualTo(active), words);
            if (!words.StartsWith("slow_commits 0.01 ", StringComparison.Ordinal)) continue;
            var left = DateTimeOffset.Parse((string)JsonNode.Parse(output)!["ends_at"]!, CultureInfo.InvariantCulture)
                - DateTimeOffset.UtcNow;
            Assert.That(left, Is.InRange(TimeSpan.FromSeconds(700), TimeSpan.FromSeconds(1234)), "as long as it says");
        }

        string[] said = [.. shop.Log.Split('\n').Where(line => line.Contains("Shop.faults", StringComparison.Ordinal))];
        Assert.That(said[0], Does.Contain("Trouble on demand begins: slow_commits 0.01 seconds until "));
        Assert.That(said, Has.Some.Contains("Trouble on demand has ended: slow_commits")
            .And.Some.Contains("The scenario presentation begins").And.Some.Contains("The scenario is ended"));
    }

    private static async Task StartAsync(ShopProcess shop, string name, object body)
    {
        (HttpResponseMessage answer, JsonNode? json) =
            await shop.Products.SendJsonAsync(HttpMethod.Put, $"/faults/{name}", body);
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), json?.ToJsonString());
    }

    private static async Task<string> OrderAsync(ShopProcess shop)
    {
        (HttpResponseMessage answer, JsonNode? order) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)answer.StatusCode, Is.EqualTo(201), order?.ToJsonString());
        return (string)order!["order_id"]!;
    }

    private static async Task<string[]> ActiveAsync(ShopProcess shop) =>
        [.. (await shop.Orders.GetJsonAsync("/faults")).AsArray().Where(fault => (bool)fault!["active"]!)
            .Select(fault => (string)fault!["name"]!)];

    private static async Task<Dictionary<string, long>> StockAsync(ShopProcess shop) =>
        (await shop.Inventory.GetJsonAsync("/inventory?limit=1000")).AsArray().ToDictionary(
            stock => (string)stock!["product_id"]!, stock => (long)stock!["stock_level"]!, StringComparer.Ordinal);

    private async Task AgreeAsync()
    {
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_directory}");
        Assert.That(code, Is.Zero, output);
    }
}
