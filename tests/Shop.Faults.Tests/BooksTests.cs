using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;

namespace Shop.Faults.Tests;

/// <summary>Database files that don't belong together: a start finds out, says so, and changes nothing.</summary>
[Platform("Linux,MacOsX", Reason = "Signals are sent with kill.")]
[Category("CI")]
internal sealed class BooksTests
{
    private static readonly string[] Files = ["inventory.db", "orders.db", "products.db"];

    private string _root = null!;
    private string _data = null!;

    [SetUp]
    public void MakeDirectories()
    {
        _root = Directory.CreateTempSubdirectory("shop-books-").FullName;
        _data = Directory.CreateDirectory(Path.Combine(_root, "data")).FullName;
    }

    [TearDown]
    public void RemoveDirectories() => Directory.Delete(_root, recursive: true);

    [TestCase("orders.db")]
    [TestCase("inventory.db")]
    [TestCase("products.db")]
    public async Task Given_a_file_of_an_earlier_run_in_place_of_the_newest_when_started_then_it_is_found_out_and_the_newest_makes_all_well(
        string file)
    {
        await OrderAsync(_data, signal: 15);
        string older = Path.Combine(_root, "older"), newest = Path.Combine(_root, "newest"),
            mine = Path.Combine(_data, file);
        File.Copy(mine, older);
        await OrderAsync(_data, signal: 15);
        File.Move(mine, newest);
        File.Copy(older, mine);
        await DisagreesAsync(_data, $"{file} is older than ");
        await DisagreesAsync(_data, $"{file} is older than ");
        File.Move(newest, mine, overwrite: true);
        await AgreesAsync(_data, orders: 2);
    }

    [TestCase("orders.db")]
    [TestCase("inventory.db")]
    [TestCase("products.db")]
    public async Task Given_a_file_that_is_missing_when_started_then_it_is_found_out_and_no_demo_data_is_made(
        string file)
    {
        await OrderAsync(_data, signal: 15);
        File.Delete(Path.Combine(_data, file));
        await DisagreesAsync(_data, $"{file} is missing");
        await DisagreesAsync(_data, $"{file} is not of this shop");
    }

    [Test]
    public async Task Given_files_that_were_copied_without_their_logs_from_a_fresh_shop_when_started_then_it_is_found_out()
    {
        string copy = Directory.CreateDirectory(Path.Combine(_root, "copy")).FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            await OneOrderAsync(shop);
            foreach (string file in Files) File.Copy(Path.Combine(_data, file), Path.Combine(copy, file));
        }

        // Neither a shop that is killed nor a check may leave what passes for the logs.
        await DisagreesAsync(copy, "was copied without orders.db-wal", signal: 9);
        await DisagreesAsync(copy, "was copied without orders.db-wal");
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={copy}");
        Assert.That((code, output), Is.EqualTo((1, output)));
        Assert.That(output, Does.Contain("was copied without orders.db-wal"));
        await DisagreesAsync(copy, "was copied without orders.db-wal");
    }

    [Test]
    public async Task Given_a_start_that_failed_when_another_program_has_closed_the_files_meanwhile_then_the_books_agree()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using (var shop = new ShopProcess(_data, $"--Shop:Orders:Port={((IPEndPoint)taken.LocalEndpoint).Port}"))
            Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
        taken.Stop();
        // The last to close a database brings its log into it.
        using (var other = new SqliteConnection($"Data Source={Path.Combine(_data, "orders.db")};Pooling=false"))
        {
            other.Open();
            using SqliteCommand command = other.CreateCommand();
            command.CommandText = "SELECT count(*) FROM orders";
            command.ExecuteScalar();
        }

        Assert.That(Path.Combine(_data, "orders.db-wal"), Does.Not.Exist);
        await AgreesAsync(_data, orders: 0);
    }

    [Test]
    public async Task Given_files_of_one_shop_that_went_on_apart_when_they_are_mixed_then_it_is_found_out()
    {
        await OrderAsync(_data, signal: 15);
        string other = Directory.CreateDirectory(Path.Combine(_root, "other")).FullName;
        foreach (string file in Files) File.Copy(Path.Combine(_data, file), Path.Combine(other, file));
        await OrderAsync(_data, signal: 15);
        await OrderAsync(other, signal: 15);
        File.Copy(Path.Combine(other, "orders.db"), Path.Combine(_data, "orders.db"), overwrite: true);
        await DisagreesAsync(_data, "went on apart");
    }

    [TestCase("inventory.db", "orders.db", "5 orders are open, and 3 reservations are held")]
    [TestCase("orders.db", "inventory.db", "3 orders are open, and 5 reservations are held")]
    public async Task Given_files_that_were_copied_one_after_the_other_beside_a_running_shop_when_started_then_it_is_found_out(
        string first, string last, string difference)
    {
        string copy = Directory.CreateDirectory(Path.Combine(_root, "copy")).FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            for (int i = 0; i < 3; i++) await OneOrderAsync(shop);
            await ConfirmedAsync(shop);
            Copy(first, copy);
            Copy("products.db", copy);
            for (int i = 0; i < 2; i++) await OneOrderAsync(shop);
            await ConfirmedAsync(shop);
            Copy(last, copy);
        }

        await DisagreesAsync(copy, difference);
    }

    [Test]
    public async Task Given_files_that_disagree_when_their_owner_accepts_them_then_the_shop_works_with_them_as_they_are()
    {
        await OrderAsync(_data, signal: 15);
        string older = Path.Combine(_root, "older");
        File.Copy(Path.Combine(_data, "inventory.db"), older);
        await OrderAsync(_data, signal: 15);
        File.Copy(older, Path.Combine(_data, "inventory.db"), overwrite: true);
        await DisagreesAsync(_data, "inventory.db is older than");
        (int code, string output) = await ShopVerb.RunAsync("accept", $"--Shop:DataDirectory={_data}");
        Assert.That(code, Is.Zero, output);
        // Two starts: the first finds an order without a reservation, and the second knows of it.
        await AgreesAsync(_data, orders: 2);
        await AgreesAsync(_data, orders: 2);
    }

    [Test]
    public async Task Given_kills_at_any_moment_of_a_start_when_started_again_then_the_books_agree()
    {
        var random = new Random();
        for (int round = 0; round < 15; round++)
        {
            using var shop = new ShopProcess(_data);
            // From before the first file until after the ports are open: kill times are spread over
            // the start, whatever it takes.
            int until = random.Next(5);
            await Eventually.IsSoAsync(() => Task.FromResult(
                shop.Log.Contains("ready", StringComparison.Ordinal) || Directory.GetFiles(_data).Length > until));
            shop.Signal(9);
            await shop.ExitAsync();
        }

        await OrderAsync(_data, signal: 9);
        await AgreesAsync(_data, orders: 1);
    }

    private static async Task OrderAsync(string data, int signal)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(data);
        await OneOrderAsync(shop);
        shop.Signal(signal);
        await shop.ExitAsync();
    }

    private static async Task OneOrderAsync(ShopProcess shop)
    {
        (HttpResponseMessage response, JsonNode? answer) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)response.StatusCode, Is.EqualTo(201), answer?.ToJsonString());
    }

    private Task ConfirmedAsync(ShopProcess shop) => Eventually.IsSoAsync(() =>
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_data, "inventory.db")};Pooling=false");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM reservations WHERE is_confirmed = 0";
        return Task.FromResult(!shop.HasExited && (long)command.ExecuteScalar()! == 0);
    });

    private void Copy(string file, string directory)
    {
        using var from = new SqliteConnection($"Data Source={Path.Combine(_data, file)};Pooling=false");
        using var to = new SqliteConnection($"Data Source={Path.Combine(directory, file)};Pooling=false");
        from.Open();
        to.Open();
        from.BackupDatabase(to);
    }

    private static async Task DisagreesAsync(string data, string why, int signal = 15)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(data);
        Assert.That(shop.Log, Does.Contain("The books disagree: ").And.Contain(why));
        foreach (HttpClient service in new[] { shop.Products, shop.Orders, shop.Inventory })
        {
            (HttpResponseMessage ready, JsonNode? health) = await service.SendJsonAsync(
                HttpMethod.Get, "/health/ready");
            Assert.That(((int)ready.StatusCode, (string)health!["checks"]!["books"]!["description"]!),
                Is.EqualTo((503, (string)health["checks"]!["books"]!["description"]!)));
            Assert.That((string)health["checks"]!["books"]!["description"]!, Does.Contain(why));
            Assert.That((await Exposition.OfAsync(service))["db_books_disagree"], Is.EqualTo(1));
        }

        foreach ((HttpClient service, string method, string path) in new[]
        {
            (shop.Orders, "POST", "/orders"), (shop.Orders, "POST", "/orders/o/cancel"),
            (shop.Orders, "POST", "/checkout"), (shop.Orders, "DELETE", "/orders/o"),
            (shop.Inventory, "POST", "/inventory/increase"), (shop.Inventory, "POST", "/stock/prod_0"),
            (shop.Products, "POST", "/products"), (shop.Products, "PUT", "/products/prod_0"),
            (shop.Products, "DELETE", "/products/prod_0"), (shop.Products, "PATCH", "/products/prod_0"),
            (shop.Products, "PUT", "/traffic"), (shop.Products, "DELETE", "/faults"),
        })
        {
            (HttpResponseMessage refused, JsonNode? problem) =
                await service.SendJsonAsync(new HttpMethod(method), path);
            Assert.That(((int)refused.StatusCode, (string)problem!["type"]!, refused.Header("Retry-After")),
                Is.EqualTo((503, "urn:shop:problem:books-disagree", "60")), $"{method} {path}");
        }

        await shop.Orders.GetJsonAsync("/orders");
        await shop.Inventory.GetJsonAsync("/inventory");
        JsonNode products = await shop.Products.GetJsonAsync("/products");
        if (why.StartsWith("products.db is", StringComparison.Ordinal)
            && !why.Contains("older", StringComparison.Ordinal))
        {
            Assert.That(products.AsArray(), Is.Empty);
        }

        shop.Signal(signal);
        await shop.ExitAsync();
    }

    private static async Task AgreesAsync(string data, int orders)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(data);
        Assert.That(shop.Log, Does.Not.Contain("disagree"));
        (HttpResponseMessage ready, _) = await shop.Orders.SendJsonAsync(HttpMethod.Get, "/health/ready");
        using HttpResponseMessage list = await shop.Orders.GetAsync("/orders?limit=1");
        Assert.That(((int)ready.StatusCode, list.Header("X-Total-Count"),
            (await Exposition.OfAsync(shop.Orders))["db_books_disagree"]), Is.EqualTo((200, $"{orders}", 0d)));
        shop.Signal(9);
        await shop.ExitAsync();
    }
}
