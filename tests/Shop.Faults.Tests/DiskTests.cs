using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Shop.Platform.Http;

namespace Shop.Faults.Tests;

/// <summary>What clients see when the disk fails, and what is left afterwards.</summary>
[Platform("Linux", Reason = "Disks are made to fail by mount and strace.")]
internal sealed class DiskTests
{
    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-disk-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Given_a_full_disk_then_writes_are_503_reads_go_on_ready_says_why_and_all_works_again_when_there_is_space()
    {
        using var disk = SmallDisk.Mount();
        await FailAndMendAsync(disk.Path, _ =>
        {
            disk.Fill();
            return Task.FromResult<IAsyncDisposable>(new Mend(disk.Free));
        });
    }

    [TestCase("fsync,fdatasync", "EIO", Description = "the disk does not take what was written")]
    [TestCase("pwrite64", "EROFS", Description = "the file system has turned read-only")]
    public async Task Given_a_disk_that_fails_then_writes_are_503_reads_go_on_ready_says_why_and_all_works_again_when_it_is_well(
        string call, string error) =>
        await FailAndMendAsync(_directory, async shop => await FailingCalls.OfAsync(shop.Id, call, error));

    [Test]
    public async Task Given_commits_that_fail_at_the_disk_when_the_process_is_killed_before_the_next_then_no_unit_leaks_and_none_is_sold_twice()
    {
        for (int round = 0; round < 3; round++)
        {
            using ShopProcess shop = await ShopProcess.StartAsync(_directory);
            await shop.Orders.PostAsync("/orders", Http.Order("prod_0", 3));
            // An order's units are held; then its own commit fails.
            await using FailingCalls failing = await FailingCalls.OfThreadAsync(shop.Id, "orders writer",
                "fsync,fdatasync", "EIO");
            (HttpResponseMessage Response, JsonNode?)[] replies = await Task.WhenAll(
                Enumerable.Range(0, 20).Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0", 3))));
            Assert.That(replies.Select(reply => (int)reply.Response.StatusCode), Is.All.EqualTo(503));
            // Until the shop has come to the point where it would release the units.
            await Eventually.IsSoAsync(async () => shop.Log.Contains("is tried again", StringComparison.Ordinal)
                || (long)(await shop.Inventory.GetJsonAsync("/inventory/prod_0"))["reserved"]! == (round + 1) * 3);
            shop.Signal(9);
            await shop.ExitAsync();
        }

        using ShopProcess again = await ShopProcess.StartAsync(_directory);
        await BalancesAsync(again);
    }

    [Test]
    public async Task Given_a_data_directory_that_is_read_only_when_started_then_one_line_names_it_and_the_exit_code_is_1()
    {
        using var disk = SmallDisk.Mount();
        await using (await ShopUnderTest.StartAsync(replace: null, disk.Path))
        {
            // There is data now.
        }

        Assert.That(SmallDisk.Run("mount", "-o", "remount,ro", disk.Path), Is.Zero);
        await RefusesToStartAsync(disk.Path, "can't be written");
    }

    [TestCase("orders.db")]
    [TestCase("inventory.db")]
    public async Task Given_a_file_that_is_no_database_when_started_then_one_line_names_it_and_the_exit_code_is_1(
        string file)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, file), new string('x', 8192));
        await RefusesToStartAsync(_directory, file);
    }

    [Test]
    public async Task Given_a_database_with_damaged_pages_then_what_they_hold_is_503_ready_says_why_and_the_rest_works()
    {
        await OrderAndEndAsync(orders: 300, signal: 15);
        // lines of orders
        Damage(Path.Combine(_directory, "orders.db"), page => page.AsSpan().IndexOf("Illustrated atlas"u8) >= 0);
        using ShopProcess again = await ShopProcess.StartAsync(_directory);
        (HttpResponseMessage list, JsonNode? problem) = await again.Orders.SendJsonAsync(
            HttpMethod.Get, "/orders?limit=1000");
        (HttpResponseMessage ready, JsonNode? health) = await again.Orders.SendJsonAsync(
            HttpMethod.Get, "/health/ready");
        Assert.Multiple(() =>
        {
            Assert.That(((int)list.StatusCode, (string)problem!["type"]!),
                Is.EqualTo((503, "urn:shop:problem:store-unavailable")));
            Assert.That(((int)ready.StatusCode, (string)health!["checks"]!["database"]!["description"]!),
                Is.EqualTo((503, "The database file is damaged: restore a copy.")));
        });
        await again.Products.GetJsonAsync("/products/prod_0");
        await again.Inventory.GetJsonAsync("/health/ready");
    }

    [Test]
    public async Task Given_a_database_with_damage_that_shows_at_start_then_one_line_names_it_and_the_exit_code_is_1()
    {
        await using (await ShopUnderTest.StartAsync(replace: null, _directory))
        {
            // There is data now.
        }

        Damage(Path.Combine(_directory, "inventory.db"), page => page.AsSpan().IndexOf("prod_1"u8) >= 0);
        await RefusesToStartAsync(_directory, "inventory.db");
    }

    [Test]
    public async Task Given_a_WAL_with_a_torn_end_when_started_then_all_that_was_acknowledged_is_there()
    {
        string[] ids = await OrderAndEndAsync(orders: 50, signal: 9);
        // Half a frame of a commit that never ended.
        foreach (string file in Directory.GetFiles(_directory, "*.db-wal"))
            await File.AppendAllTextAsync(file, new string('?', 1000));
        using ShopProcess again = await ShopProcess.StartAsync(_directory);
        foreach (string id in ids) await again.Orders.GetJsonAsync($"/orders/{id}");
        await BalancesAsync(again);
    }

    [Test]
    public async Task Given_a_WAL_that_was_cut_short_when_started_then_the_shop_works_with_what_is_left()
    {
        await OrderAndEndAsync(orders: 50, signal: 9);
        await using (var wal = new FileStream(Path.Combine(_directory, "inventory.db-wal"), FileMode.Open))
            wal.SetLength(wal.Length - 100);
        using ShopProcess again = await ShopProcess.StartAsync(_directory);
        JsonNode stock = await again.Inventory.GetJsonAsync("/inventory/prod_0");
        JsonArray movements = (await again.Inventory.GetJsonAsync("/inventory/prod_0/movements?limit=1000")).AsArray();
        Assert.That(((long)stock["on_hand"]!, (long)stock["reserved"]!),
            Is.EqualTo(((long)movements[0]!["on_hand"]!, (long)movements[0]!["reserved"]!)),
            "each commit is there whole, or not at all");
        await again.Inventory.GetJsonAsync("/health/ready");
        (HttpResponseMessage order, _) = await again.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)order.StatusCode, Is.EqualTo(201));
    }

    [Test]
    public async Task Given_a_database_that_another_program_has_locked_then_writes_are_503_and_work_again_once_it_lets_go()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        using (StuckDatabase.OfOrders(_directory))
        {
            (HttpResponseMessage refused, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
            Assert.That(((int)refused.StatusCode, refused.Header("Retry-After")), Is.EqualTo((503, "1")));
            await shop.Orders.GetJsonAsync("/orders");
        }

        (HttpResponseMessage order, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)order.StatusCode, Is.EqualTo(201));
        await Eventually.IsSoAsync(async () =>
            (long)(await shop.Inventory.GetJsonAsync("/inventory/prod_0"))["reserved"]! == 1);
    }

    [Test]
    public async Task Given_a_database_that_is_stuck_when_more_wait_than_may_write_then_who_comes_later_is_told_at_once_and_the_neighbours_are_well()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        List<Task<(HttpResponseMessage Response, JsonNode? Json)>> asked;
        using (StuckDatabase.OfOrders(_directory))
        {
            asked = [.. Enumerable.Range(0, 1100).Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0")))];
            await Eventually.IsSoAsync(async () =>
            {
                asked.Add(shop.Orders.PostAsync("/orders", Http.Order("prod_0")));
                await shop.Products.GetJsonAsync("/products/prod_0");
                return asked.Exists(one =>
                    one.IsCompletedSuccessfully && one.Result.Response.StatusCode == HttpStatusCode.TooManyRequests);
            });
        }

        (HttpResponseMessage Response, JsonNode? Json)[] answers = await Task.WhenAll(asked);
        Assert.That(answers.Select(answer => (int)answer.Response.StatusCode).Distinct(),
            Is.SubsetOf(new[] { 201, 429, 503 }));
        Assert.That(answers.Where(answer => (int)answer.Response.StatusCode != 201)
            .Select(answer => answer.Response.Header("Retry-After")), Is.All.EqualTo("1"));
        (HttpResponseMessage order, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)order.StatusCode, Is.EqualTo(201));
    }

    [Test]
    public async Task Given_a_database_that_is_stuck_for_longer_than_a_request_may_wait_then_each_503_counts_as_an_order_refused_whether_it_wrote_or_stood_in_line()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory, ("Shop__RequestTimeout", "1"));
        int refused = 0;
        using (StuckDatabase.OfOrders(_directory))
        {
            // Those beyond the turns there are stand in line. On a slow machine the first may be
            // answered before the last has come.
            await Eventually.IsSoAsync(async () =>
            {
                (HttpResponseMessage Response, JsonNode?)[] answers =
                    await Task.WhenAll(Enumerable.Range(0, WriteConcurrencyLimiter.PermitLimit + 100)
                        .Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0"))));
                int unavailable =
                    answers.Count(answer => answer.Response.StatusCode == HttpStatusCode.ServiceUnavailable);
                refused += unavailable;
                return unavailable > WriteConcurrencyLimiter.PermitLimit;
            });
        }

        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That((metrics["""orders_rejected_total{reason="overloaded"}"""],
                metrics["""http_requests_by_status_code_total{code="503"}"""]),
            Is.EqualTo(((double)refused, (double)refused)));
    }

    [Test]
    public async Task Given_a_database_that_is_stuck_when_the_shop_is_told_to_stop_then_it_ends_in_time_with_1_and_says_what_was_not_written_and_nothing_acknowledged_is_lost()
    {
        int placed = 0;
        using (ShopProcess shop = await ShopProcess.StartAsync(_directory, ("Shop__RequestTimeout", "2")))
        {
            for (; placed < 3; placed++) await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
            using (StuckDatabase.OfOrders(_directory))
            {
                Task<(HttpResponseMessage, JsonNode?)>[] waiting = [.. Enumerable.Range(0, 5)
                    .Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0")))];
                await Eventually.IsSoAsync(async () => (long)(await shop.Inventory
                    .GetJsonAsync("/inventory/prod_0"))["reserved"]! == placed + waiting.Length);
                shop.Signal(15);
                Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
                // Others may be about to write what nobody waits for, as the checkpoint of the stock.
                Assert.That(shop.Log,
                    Does.Match(@"Writes that were neither made nor acknowledged: (\d of \w+, )*\d of orders\.")
                        .And.Not.Contain("Unhandled"));
                Assert.That(() => Task.WhenAll(waiting), Throws.InstanceOf<HttpRequestException>());
            }
        }

        using ShopProcess again = await ShopProcess.StartAsync(_directory);
        await BalancesAsync(again);
        Assert.That((long)(await again.Inventory.GetJsonAsync("/inventory/prod_0"))["reserved"]!, Is.EqualTo(placed));
    }

    [Test]
    public async Task Given_a_database_that_is_stuck_when_a_start_is_told_to_stop_then_it_ends_with_one_line()
    {
        await using (await ShopUnderTest.StartAsync(replace: null, _directory))
        {
            // There is data now.
        }

        using (StuckDatabase.OfOrders(_directory))
        {
            using var shop = new ShopProcess(_directory, "--Shop:RequestTimeout=2");
            // it is on its way
            await Eventually.IsSoAsync(() => Task.FromResult(File.Exists(Path.Combine(_directory, "products.db-wal"))));
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
            Assert.That(shop.Log, Does.Not.Contain("   at "));
        }
    }

    /// <summary>A run of the shop with so many orders, and how it ends; the orders' ids.</summary>
    private async Task<string[]> OrderAndEndAsync(int orders, int signal)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_directory);
        (HttpResponseMessage, JsonNode? Json)[] placed = await Task.WhenAll(
            Enumerable.Range(0, orders).Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0"))));
        shop.Signal(signal);
        await shop.ExitAsync();
        return [.. placed.Select(order => (string)order.Json!["order_id"]!)];
    }

    private static async Task FailAndMendAsync(string directory, Func<ShopProcess, Task<IAsyncDisposable>> breakDisk)
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            await shop.Orders.PostAsync("/orders", Http.Order("prod_0", 3));
            await using (await breakDisk(shop))
            {
                await RefusedAsync(shop);
                Exposition orders = await Exposition.OfAsync(shop.Orders),
                    inventory = await Exposition.OfAsync(shop.Inventory);
                // What the check writes is little: once or twice more it may still fit into what the file has.
                await Eventually.IsSoAsync(async () => await shop.Inventory.SendJsonAsync(HttpMethod.Get,
                    "/health/ready") is ({ StatusCode: HttpStatusCode.ServiceUnavailable }, { } health)
                    && (string)health["checks"]!["database"]!["status"]! == "unhealthy");
                Assert.Multiple(() =>
                {
                    Assert.That(orders["""orders_rejected_total{reason="overloaded"}"""], Is.Positive);
                    Assert.That(inventory["""db_writes_total{result="failed"}"""], Is.Positive);
                });
                await shop.Products.GetJsonAsync("/products/prod_0");
                await shop.Orders.GetJsonAsync("/orders");
                await shop.Inventory.GetJsonAsync("/health/live");
            }

            await Eventually.IsSoAsync(async () =>
                (int)(await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Response.StatusCode == 201);
            await Eventually.IsSoAsync(async () =>
                (int)(await shop.Inventory.SendJsonAsync(HttpMethod.Get, "/health/ready")).Response.StatusCode == 200);
            shop.Signal(9);
            await shop.ExitAsync();
        }

        using ShopProcess again = await ShopProcess.StartAsync(directory);
        await BalancesAsync(again);
    }

    // A first few may still fit into what the files have.
    private static async Task RefusedAsync(ShopProcess shop)
    {
        (HttpResponseMessage Response, JsonNode? Json)[] replies;
        long start = Stopwatch.GetTimestamp();
        do
        {
            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(Eventually.Patience), "orders are still taken");
            replies = await Task.WhenAll(
                Enumerable.Range(0, 50).Select(_ => shop.Orders.PostAsync("/orders", Http.Order("prod_0"))));
        }
        while (replies.Any(reply => (int)reply.Response.StatusCode == 201));
        Assert.That(replies.Select(reply => ((int)reply.Response.StatusCode, reply.Response.Header("Retry-After"))),
            Is.All.EqualTo((503, "1")));
    }

    // Every order there is holds its units, and nothing else does.
    private static async Task BalancesAsync(ShopProcess shop)
    {
        long held = 0;
        for (string? next = "/orders?limit=1000"; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? orders) = await shop.Orders.SendJsonAsync(HttpMethod.Get, next);
            held += orders!.AsArray().Sum(order => (long)order!["items"]![0]!["quantity"]!);
            next = page.NextPage();
        }

        JsonNode stock = await shop.Inventory.GetJsonAsync("/inventory/prod_0");
        Assert.That(((long)stock["on_hand"]!, (long)stock["reserved"]!), Is.EqualTo((1_000_000, held)));
    }

    // The first page has the schema, and stays as it is.
    private static void Damage(string path, Predicate<byte[]> isWanted)
    {
        using var file = new FileStream(path, FileMode.Open);
        byte[] page = new byte[2048];
        int damaged = 0;
        for (file.Position = page.Length; file.Read(page) == page.Length;)
        {
            if (!isWanted(page)) continue;
            new Random(1).NextBytes(page);
            file.Position -= page.Length;
            file.Write(page);
            damaged++;
        }

        Assert.That(damaged, Is.Positive);
    }

    private static async Task RefusesToStartAsync(string directory, string named)
    {
        using var shop = new ShopProcess(directory);
        Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
        string[] lines = shop.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(1).And.All.StartsWith("Shop can't start: ").And.All.Contain(named));
    }

    private sealed class Mend(Action mend) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            mend();
            return ValueTask.CompletedTask;
        }
    }
}
