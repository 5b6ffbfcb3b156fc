using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;

namespace Shop.Faults.Tests;

/// <summary>What clients see when PostgreSQL has no room left, and what is there afterwards.</summary>
[NonParallelizable]
[Category("CI")]
internal sealed class PostgresDiskTests
{
    private ConcurrentBag<string> _acknowledged = null!;
    private string _directory = null!;

    [SetUp]
    public void MakeDirectory()
    {
        _acknowledged = [];
        _directory = Directory.CreateTempSubdirectory("shop-disk-").FullName;
    }

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Given_tables_on_a_full_disk_then_writes_are_503_reads_go_on_ready_says_why_and_all_works_again_when_there_is_space()
    {
        using var disk = SmallDisk.Mount(megabytes: 24);
        using PostgresCluster cluster = PostgresCluster.StartOwn();
        string folder = Directory.CreateDirectory(Path.Combine(disk.Path, "tables")).FullName;
        await FillAndMendAsync(cluster, cluster.CreateDatabaseIn(folder), disk, async shop =>
        {
            await Eventually.IsAsync(async () =>
            {
                await OrdersAsync(shop, 1);
                return await ReadyAsync(shop.Inventory);
            }, (503, "The database has no room left (53100); the log says why."));
            // It still reads.
            await shop.Orders.GetJsonAsync("/orders");
            await shop.Inventory.GetJsonAsync("/inventory/prod_0");
        });
    }

    [Test]
    public async Task Given_a_log_on_a_full_disk_that_ends_the_server_then_writes_are_503_products_are_read_and_all_works_again_when_there_is_space()
    {
        using var disk = SmallDisk.Mount(megabytes: 64);
        string folder = Directory.CreateDirectory(Path.Combine(disk.Path, "log")).FullName;
        using PostgresCluster cluster = PostgresCluster.StartWithLogIn(folder);
        await FillAndMendAsync(cluster, cluster.CreateDatabase(), disk, async shop =>
        {
            Assert.That(cluster.Log, Does.Contain("PANIC:"));
            await Eventually.IsAsync(async () => (await ReadyAsync(shop.Inventory)).Code, 503);
        });
    }

    private async Task FillAndMendAsync(
        PostgresCluster cluster, string address, SmallDisk disk, Func<ShopProcess, Task> lookAsync)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(
            _directory, ["--Shop:RequestTimeout=2", $"--ConnectionStrings:Shop={address}"]);
        // The first order of a process may take a busy machine longer than a request may.
        await Eventually.IsAsync(async () => (await OrdersAsync(shop, 1))[0], (201, "", ""));
        Assert.That(await OrdersAsync(shop, 10), Is.All.EqualTo((201, "", "")));
        // From here on the check has a page of its own, in which what it writes fits.
        Assert.That((await ReadyAsync(shop.Inventory)).Code, Is.EqualTo(200));
        disk.Fill();
        await RefusedAsync(shop);
        await lookAsync(shop);
        await shop.Products.GetJsonAsync("/products/prod_0");
        await shop.Orders.GetJsonAsync("/health/live");

        disk.Free();
        await Eventually.IsSoAsync(async () =>
        {
            cluster.StartIfEnded();
            return (await OrdersAsync(shop, 1))[0].Code == 201;
        });
        foreach (HttpClient service in new[] { shop.Products, shop.Orders, shop.Inventory })
            await Eventually.IsAsync(async () => (await ReadyAsync(service)).Code, 200);
        foreach (string id in _acknowledged) await shop.Orders.GetJsonAsync($"/orders/{id}");
        // An order that was refused is there with its units, or neither is.
        await Eventually.IsAsync(
            async () => (long)(await shop.Inventory.GetJsonAsync("/inventory/prod_0"))["reserved"]!
                - await CountOrdersAsync(shop), 0);
    }

    // A first few may still fit into what the files have.
    private async Task RefusedAsync(ShopProcess shop)
    {
        for (long start = Stopwatch.GetTimestamp(); ;)
        {
            (int Code, string RetryAfter, string Problem)[] answers = await OrdersAsync(shop, 50);
            if (answers.All(static answer => answer.Code != 201))
            {
                Assert.That(
                    answers.Select(static answer => (answer.Code, answer.RetryAfter)), Is.All.EqualTo((503, "1")));
                // The second is for those that waited behind others.
                string[] expected = ["urn:shop:problem:store-unavailable", "urn:shop:problem:queue-timeout"];
                Assert.That(answers.Select(static answer => answer.Problem).Distinct(), Is.SubsetOf(expected));
                return;
            }

            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(Eventually.Patience), "orders are still taken");
        }
    }

    private async Task<(int Code, string RetryAfter, string Problem)[]> OrdersAsync(ShopProcess shop, int count) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(async _ =>
        {
            (HttpResponseMessage response, JsonNode? json) =
                await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
            using (response)
            {
                if (response.StatusCode == HttpStatusCode.Created) _acknowledged.Add((string)json!["order_id"]!);
                return ((int)response.StatusCode, response.Header("Retry-After") ?? "", (string?)json!["type"] ?? "");
            }
        }));

    private static async Task<long> CountOrdersAsync(ShopProcess shop)
    {
        long orders = 0;
        for (string? next = "/orders?limit=1000"; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? json) = await shop.Orders.SendJsonAsync(HttpMethod.Get, next);
            using (page)
            {
                orders += json!.AsArray().Count;
                next = page.NextPage();
            }
        }

        return orders;
    }

    private static async Task<(int Code, string Why)> ReadyAsync(HttpClient service)
    {
        (HttpResponseMessage response, JsonNode? health) = await service.SendJsonAsync(HttpMethod.Get, "/health/ready");
        using (response)
            return ((int)response.StatusCode, (string?)health!["checks"]!["database"]!["description"] ?? "");
    }
}
