using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;

namespace Shop.Faults.Tests;

/// <summary>Old orders are deleted beside orders that come and change, and SIGKILL falls in the middle of it.</summary>
[Platform("Linux,MacOsX", Reason = "Signals are sent with kill.")]
[Category("CI")]
internal sealed class RetentionTests
{
    private const int Old = 4000;

    private string _data = null!;

    [SetUp]
    public void MakeDirectory() => _data = Directory.CreateTempSubdirectory("shop-retention-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_data, recursive: true);

    [Test]
    public async Task Given_thousands_of_old_orders_when_the_shop_is_killed_again_and_again_while_it_deletes_them_under_load_then_answers_go_on_and_the_books_agree()
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            ParallelLoopResult placed = default;
            await Task.Run(() => placed = Parallel.For(0, Old, new ParallelOptions { MaxDegreeOfParallelism = 32 },
                i => LiveAsync(shop, i, isOver: true).GetAwaiter().GetResult()));
            Assert.That(placed.IsCompleted, Is.True);
            shop.Signal(15);
            await shop.ExitAsync();
        }

        await ChecksAsync();
        Age(days: 10);
        var acknowledged = new ConcurrentQueue<string>();
        for (int round = 1; ; round++)
        {
            using ShopProcess shop = await ShopProcess.StartAsync(_data, ["--Shop:OrderRetention=3"]);
            Assert.That(shop.Log, Does.Not.Contain("disagree"));
            using var end = new CancellationTokenSource();
            Task<int>[] clients = [.. Enumerable.Range(0, 8)
                .Select(client => TradeAsync(shop, acknowledged, client, end.Token))];
            // Each round goes a little further: in the first ones SIGKILL falls among the
            // orders, later among the movements.
            int wanted = round * 400;
            bool isDone = false;
            await Eventually.IsSoAsync(async () =>
            {
                double orders = (await Exposition.OfAsync(shop.Orders))["orders_deleted_total"],
                    movements = (await Exposition.OfAsync(shop.Inventory))["inventory_movements_deleted_total"];
                isDone = await LeftAsync(shop) == 0;
                return orders + movements >= wanted || isDone;
            });
            await end.CancelAsync();
            int refused = (await Task.WhenAll(clients)).Sum();
            Assert.That(refused, Is.Zero, "answers do not wait for deletions");
            shop.Signal(9);
            await shop.ExitAsync();
            await ChecksAsync();
            if (isDone) break;
        }

        using ShopProcess last = await ShopProcess.StartAsync(_data, ["--Shop:OrderRetention=3"]);
        foreach (string id in acknowledged) await last.Orders.GetJsonAsync($"/orders/{id}");
        await Eventually.IsSoAsync(async () =>
            (await last.Inventory.GetJsonAsync("/inventory/prod_1/movements?limit=1000")).AsArray() is [.., var opening]
                && (string)opening!["kind"]! == "opening");
        last.Signal(15);
        await last.ExitAsync();
        await ChecksAsync();
    }

    [Test]
    public async Task Given_files_that_cannot_shrink_and_a_shop_that_was_killed_when_they_are_compacted_then_they_can_and_it_goes_on_with_them()
    {
        foreach (string module in new[] { "products", "orders", "inventory" })
            Run(module, "PRAGMA auto_vacuum=NONE; CREATE TABLE of_an_older_version (x)");
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            await LiveAsync(shop, 0, isOver: true);
            shop.Signal(9); // its files have the first mark of a run
            await shop.ExitAsync();
        }

        Assert.That(Number("orders", "PRAGMA auto_vacuum"), Is.Zero);
        (int code, string output) = await ShopVerb.RunAsync("compact", $"--Shop:DataDirectory={_data}");
        Assert.That(code, Is.Zero, output);
        Assert.That(Number("orders", "PRAGMA auto_vacuum"), Is.EqualTo(2));
        await ChecksAsync();
        using ShopProcess again = await ShopProcess.StartAsync(_data);
        Assert.That(again.Log, Does.Not.Contain("disagree"));
        Assert.That((await again.Orders.GetJsonAsync("/orders")).AsArray(), Has.Count.EqualTo(1));
    }

    // Movements as they were are there until the last of the old ones is gone.
    private static async Task<long> LeftAsync(ShopProcess shop)
    {
        (HttpResponseMessage response, _) = await shop.Orders.SendJsonAsync(HttpMethod.Get,
            "/orders?customer_id=old&limit=1");
        if (response.Header("X-Total-Count") != "0") return 1;
        JsonNode movements = await shop.Inventory.GetJsonAsync("/inventory/prod_1/movements?limit=3");
        return movements.AsArray().Count(movement => (string)movement!["kind"]! != "opening");
    }

    private static async Task<int> LiveAsync(ShopProcess shop, int number, bool isOver)
    {
        int refused = 0;
        (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync("/orders",
            Http.Order(isOver ? "prod_1" : "prod_0", 1, isOver ? "old" : "new"),
            ("Idempotency-Key", $"{isOver}-{number}-{Guid.NewGuid():N}"));
        if ((int)response.StatusCode != 201) return 1;
        string[] steps = number % 2 == 0 ? ["pay", "ship", "deliver"] : ["cancel"];
        foreach (string step in steps)
        {
            refused += (int)(await shop.Orders.PostAsync($"/orders/{order!["order_id"]}/{step}"))
                .Response.StatusCode == 200 ? 0 : 1;
        }

        return refused;
    }

    private static async Task<int> TradeAsync(
        ShopProcess shop, ConcurrentQueue<string> acknowledged, int client, CancellationToken end)
    {
        int refused = 0;
        for (int i = client; !end.IsCancellationRequested; i++)
        {
            (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync("/orders",
                Http.Order("prod_0", 1, "new"));
            if ((int)response.StatusCode == 201) acknowledged.Enqueue((string)order!["order_id"]!);
            else refused++;
            if (i % 3 == 0) refused += await LiveAsync(shop, i, isOver: false);
        }

        return refused;
    }

    private void Age(int days)
    {
        string ago = $"{TimeSpan.FromDays(days).TotalMilliseconds:0}";
        Run("orders", $"UPDATE orders SET created_at = created_at - {ago}, updated_at = updated_at - {ago}; "
            + $"UPDATE idempotency_keys SET at = at - {ago}");
        Run("inventory", $"UPDATE movements SET at = at - {ago}; UPDATE stock SET last_updated = last_updated - {ago}");
    }

    private void Run(string module, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_data, $"{module}.db")};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private long Number(string module, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_data, $"{module}.db")};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private async Task ChecksAsync()
    {
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_data}");
        Assert.That(code, Is.Zero, output);
    }
}
