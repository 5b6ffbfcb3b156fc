using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;

namespace Shop.EndToEnd.Tests;

/// <summary>The wall clock may be set back while the shop runs.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class ClockTests(Engine engine) : EngineFixture(engine)
{
    [Test]
    public async Task Given_a_clock_that_is_set_back_then_the_times_of_an_order_a_product_and_its_stock_never_go_back()
    {
        var clock = new WallClock();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(clock), null);
        string order = await shop.OrderAsync("prod_0");
        clock.Offset = TimeSpan.FromHours(-1);
        await shop.Orders.PostAsync($"/orders/{order}/pay");
        clock.Offset = TimeSpan.FromHours(-2);
        await shop.Orders.PostAsync($"/orders/{order}/cancel");
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/products/prod_0", new { name = "A thing", price = 1m });
        await shop.OrderAsync("prod_0");

        JsonNode cancelled = await shop.Orders.GetJsonAsync($"/orders/{order}");
        string[] life =
        [
            (string)cancelled["created_at"]!,
            .. Times(await shop.Orders.GetJsonAsync($"/orders/{order}/events"), "at"),
            (string)cancelled["updated_at"]!,
        ];
        JsonNode product = await shop.Products.GetJsonAsync("/products/prod_0");
        string[] movements = Times(await shop.Inventory.GetJsonAsync("/inventory/prod_0/movements"), "at");
        JsonNode stock = await shop.Inventory.GetJsonAsync("/inventory/prod_0");
        Assert.Multiple(() =>
        {
            Assert.That(life, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal));
            Assert.That(string.CompareOrdinal((string)product["updated_at"]!, (string)product["created_at"]!),
                Is.Not.Negative);
            Assert.That(movements,
                Is.Ordered.Descending.Using((IComparer<string>)StringComparer.Ordinal).And.Length.EqualTo(4));
            Assert.That((string)stock["last_updated"]!, Is.EqualTo(movements[0]));
        });
    }

    private static string[] Times(JsonNode rows, string member) =>
        [.. rows.AsArray().Select(row => (string)row![member]!)];

    /// <summary>The system's clock, put forward or back.</summary>
    private sealed class WallClock : TimeProvider
    {
        public TimeSpan Offset { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
    }
}
