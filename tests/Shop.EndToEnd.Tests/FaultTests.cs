using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>What clients see when something under the shop breaks.</summary>
internal sealed class FaultTests
{
    [Test]
    public async Task Given_a_fault_inside_when_a_client_meets_it_then_500_with_a_trace_id_and_nothing_of_the_inside()
    {
        var crash = new CrashSwitch();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(CrashingInventory.Behind(crash), null);
        crash.CrashAfter(0);
        (HttpResponseMessage response, JsonNode? problem) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(500));
            Assert.That((string)problem!["trace_id"]!, Does.Match("^[0-9a-f]{32}$"));
            Assert.That(problem.ToJsonString(), Does.Not.Contain("Exception").And.Not.Contain("The process is gone").And.Not.Contain(" at "));
        });
        crash.Reset();
    }

    [Test]
    public async Task Given_a_full_disk_then_writes_are_503_reads_go_on_ready_says_why_and_all_works_again_when_there_is_space()
    {
        using var disk = SmallDisk.Mount();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(replace: null, disk.Path);
        await shop.OrderAsync("prod_0", 3);
        disk.Fill();
        (HttpResponseMessage Response, JsonNode? Json)[] refused;
        Exposition before = await Exposition.OfAsync(shop.Inventory);
        do
        {
            // A first few may still fit into what the files have.
            refused = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 })));
        }
        while (refused.Any(reply => (int)reply.Response.StatusCode == 200));

        Exposition after = await Exposition.OfAsync(shop.Inventory);
        (HttpResponseMessage ready, JsonNode? health) = await shop.Inventory.SendJsonAsync(HttpMethod.Get, "/health/ready");
        Assert.Multiple(() =>
        {
            Assert.That(refused.Select(reply => ((int)reply.Response.StatusCode, reply.Response.Header("Retry-After"))), Is.All.EqualTo((503, "1")));
            Assert.That(after["""db_writes_total{result="failed"}"""] - before["""db_writes_total{result="failed"}"""], Is.GreaterThanOrEqualTo(50));
            Assert.That(((int)ready.StatusCode, (string)health!["checks"]!["database"]!["status"]!), Is.EqualTo((503, "unhealthy")));
        });
        await shop.Products.GetJsonAsync("/products/prod_0");
        await shop.Inventory.GetJsonAsync("/health/live");

        disk.Free();
        (long level, long onHand, _) = await shop.StockAsync("prod_0");
        (HttpResponseMessage again, JsonNode? answer) = await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 });
        Assert.That(((int)again.StatusCode, (long)answer!["new_stock_level"]!), Is.EqualTo((200, level + 1)));
        Assert.That(onHand - 1_000_000, Is.EqualTo(after["""inventory_units_moved_total{kind="received"}"""] - 190_000_045));
        await shop.Inventory.GetJsonAsync("/health/ready");
    }

    [Test]
    public async Task Given_a_client_that_never_finishes_its_request_when_the_shop_is_stopped_then_it_still_stops()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            using var hung = new TcpClient();
            await hung.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
            await hung.GetStream().WriteAsync("POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"u8.ToArray());
            (await shop.Orders.GetAsync("/orders")).Dispose();
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        }

        Directory.Delete(directory, recursive: true);
    }

    /// <summary>A file system of one megabyte or two in memory. Mounting takes root; elsewhere the test says so and is skipped.</summary>
    private sealed class SmallDisk : IDisposable
    {
        private SmallDisk(string path) => Path = path;

        public string Path { get; }

        private string Filler => System.IO.Path.Combine(Path, "filler");

        public static SmallDisk Mount()
        {
            string path = Directory.CreateTempSubdirectory("shop-disk-").FullName;
            if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path) != 0)
            {
                Directory.Delete(path);
                Assert.Ignore("A small file system can't be mounted here: that takes root on Linux.");
            }

            return new SmallDisk(path);
        }

        public void Fill()
        {
            using var filler = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            try
            {
                while (true) filler.Write(new byte[4096]);
            }
            catch (IOException)
            {
                // It is full.
            }
        }

        public void Free() => File.Delete(Filler);

        public void Dispose()
        {
            Assert.That(Run("umount", Path), Is.Zero, "nobody has a file open any more");
            Directory.Delete(Path);
        }

        private static int Run(string command, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
