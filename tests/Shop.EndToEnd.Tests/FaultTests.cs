using System.Net.Sockets;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;

namespace Shop.EndToEnd.Tests;

/// <summary>What clients see when something under the shop breaks.</summary>
internal sealed class FaultTests
{
    [Test]
    public async Task Given_a_fault_inside_when_a_client_meets_it_then_500_with_a_trace_id_and_nothing_of_the_inside()
    {
        var crash = new CrashSwitch();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(crash.Contracts, null);
        crash.CrashAfter(0);
        (HttpResponseMessage response, JsonNode? problem) = await shop.Orders.PostAsync(
            "/orders", Http.Order("prod_0"));
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(500));
            Assert.That((string)problem!["trace_id"]!, Does.Match("^[0-9a-f]{32}$"));
            Assert.That(problem.ToJsonString(),
                Does.Not.Contain("Exception").And.Not.Contain("The process is gone").And.Not.Contain(" at "));
        });
        crash.Reset();
    }

    [Test]
    public async Task Given_Inventory_that_can_t_take_a_write_when_the_shop_starts_then_it_tries_again()
    {
        int refusals = 2;
        Action<IServiceCollection> contracts = InterceptedContracts.By((call, _, make) =>
            call == nameof(IInventory.OpenAsync) && refusals-- > 0
                ? throw new WriteQueueFullException("inventory") : make());
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(contracts, null);
        Assert.That(((await shop.StockAsync("prod_0")).OnHand, refusals < 0), Is.EqualTo((1_000_000L, true)));
    }

    [Test]
    public async Task Given_more_unfinished_reservations_than_the_write_queue_takes_when_started_again_then_all_are_settled_or_the_line_names_the_file_that_failed()
    {
        var failures = new Failures();
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        await using (ShopUnderTest shop = await ShopUnderTest.StartAsync(failures.Contracts, directory))
        {
            for (int n = 0; n < 40; n++)
                await failures.Inventory.ReserveAsync(new($"orphan-{n}", n), [new("prod_0", 1)]);
            Assert.That((await shop.StockAsync("prod_0")).Reserved, Is.EqualTo(40));
        }

        await using (ShopUnderTest shop = await ShopUnderTest.StartAsync(failures.Contracts, directory,
            "Shop:WriteQueueLimit=8"))
        {
            Assert.That((await shop.StockAsync("prod_0")).Reserved, Is.Zero);
            await failures.Inventory.ReserveAsync(new("orphan", 1), [new("prod_0", 1)]);
        }

        // It is Orders that settles it, and Inventory's file that does not take it.
        Run(directory, "CREATE TRIGGER refuse BEFORE DELETE ON reservations BEGIN SELECT raise(ABORT, 'refused'); END");
        using (var refused = new ShopProcess(directory))
        {
            Assert.That(await refused.ExitAsync(), Is.EqualTo(1), refused.Log);
            Assert.That(refused.Log, Does.Contain("inventory.db can't be used").And.Not.Contain("orders.db"));
        }

        Directory.Delete(directory, recursive: true);

        static void Run(string directory, string sql)
        {
            using var connection =
                new SqliteConnection($"Data Source={Path.Combine(directory, "inventory.db")};Pooling=false");
            connection.Open();
            connection.Execute(sql);
        }
    }

    [Test]
    public async Task Given_a_client_that_never_finishes_its_request_when_the_shop_is_stopped_then_it_still_stops()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            using var hung = new TcpClient();
            await hung.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
            await hung.GetStream().WriteAsync(
                ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                    + "Content-Length: 100\r\n\r\n{"u8).ToArray());
            (await shop.Orders.GetAsync("/orders")).Dispose();
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        }

        Directory.Delete(directory, recursive: true);
    }
}
