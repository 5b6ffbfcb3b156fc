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
    public async Task Given_a_client_that_never_finishes_its_request_when_the_shop_is_stopped_then_it_still_stops()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            using var hung = new TcpClient();
            await hung.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
            await hung.GetStream().WriteAsync("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"u8.ToArray());
            (await shop.Orders.GetAsync("/orders")).Dispose();
            shop.Signal(15);
            Assert.That(await shop.ExitAsync(), Is.Zero, shop.Log);
        }

        Directory.Delete(directory, recursive: true);
    }
}
