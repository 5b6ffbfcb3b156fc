using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>What depends on a product follows its deletion; what happened to it stays.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class DeletedProductTests(Engine engine) : EngineFixture(engine)
{
    private ShopUnderTest _shop = null!;

    [SetUp]
    public async Task Start() => _shop = await ShopUnderTest.StartAsync();

    [TearDown]
    public async Task Stop() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_products_that_are_out_when_they_are_deleted_then_nobody_is_told_to_restock_them_also_after_a_restart()
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        string[] products = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => _shop.ProductAsync(stock: 0)));
        Assert.That((await Exposition.OfAsync(_shop.Inventory)).Since(before)["""inventory_products{state="out"}"""],
            Is.EqualTo(12));
        foreach (string product in products) (await _shop.Products.DeleteAsync($"/products/{product}")).Dispose();
        await ShowsNothingAsync(products, before);
        await _shop.RestartAsync();
        await ShowsNothingAsync(products, before);
    }

    [Test]
    public async Task Given_a_product_that_orders_hold_when_it_is_deleted_then_its_books_go_on_and_it_stays_retired()
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        string product = await _shop.ProductAsync(stock: 9);
        string shipped = await _shop.OrderAsync(product, 4), cancelled = await _shop.OrderAsync(product, 5);
        Task[] meanwhile = [.. Enumerable.Range(0, 20)
            .Select(_ => _shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 1 }))];
        (await _shop.Products.DeleteAsync($"/products/{product}")).Dispose();
        await Task.WhenAll(meanwhile);
        await _shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
        await _shop.Orders.PostAsync($"/orders/{shipped}/pay");
        await _shop.Orders.PostAsync($"/orders/{shipped}/ship");
        for (int start = 0; start < 2; start++)
        {
            Assert.That(await _shop.StockAsync(product), Is.EqualTo((25L, 25L, 0L)));
            using HttpResponseMessage movements = await _shop.Inventory.GetAsync($"/inventory/{product}/movements");
            Assert.That(movements.Header("X-Total-Count"), Is.EqualTo("25"));
            await ShowsNothingAsync([product], before);
            await _shop.RestartAsync();
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Given_a_crash_around_the_call_to_inventory_when_the_shop_starts_again_then_the_deletion_gets_there(
        int passes)
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        string directory = _shop.DataDirectory;
        await _shop.CloseAsync();
        var crash = new CrashSwitch();
        ShopUnderTest crashing = await ShopUnderTest.StartAsync(crash.Contracts, directory);
        string product = await crashing.ProductAsync(stock: 0);
        crash.CrashAfter(passes);
        (await crashing.Products.DeleteAsync($"/products/{product}")).Dispose();
        await crashing.CloseAsync();
        await using ShopUnderTest again = await ShopUnderTest.StartAsync(replace: null, directory);
        (HttpResponseMessage read, _) = await again.Products.SendJsonAsync(HttpMethod.Get, $"/products/{product}");
        Assert.That((int)read.StatusCode, Is.EqualTo(404));
        await ShowsNothingAsync(again, [product], before);
    }

    private Task ShowsNothingAsync(string[] products, Exposition before) => ShowsNothingAsync(_shop, products, before);

    private static async Task ShowsNothingAsync(ShopUnderTest shop, string[] products, Exposition before)
    {
        Exposition after = await UntilAsync(shop,
            metrics => metrics.Series.Count(series => series.StartsWith("inventory_products", StringComparison.Ordinal)
                && metrics[series] == before[series]) == 3);
        foreach (string product in products)
            Assert.That(after.Has($$"""inventory_stock_level{product_id="{{product}}"}"""), Is.False);
        JsonNode low = await shop.Inventory.GetJsonAsync("/inventory?max_level=1000");
        Assert.That(low.AsArray().Select(stock => (string)stock!["product_id"]!).Intersect(products), Is.Empty);
        using var page = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Accept", "text/html" } } };
        using HttpResponseMessage board = await shop.Inventory.SendAsync(page);
        string html = await board.Content.ReadAsStringAsync();
        foreach (string product in products) Assert.That(html, Does.Not.Contain($">{product}<"));
    }

    // A product that is deleted as soon as it is made is settled a second later.
    private static async Task<Exposition> UntilAsync(ShopUnderTest shop, Func<Exposition, bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            Exposition metrics = await Exposition.OfAsync(shop.Inventory);
            if (condition(metrics)) return metrics;
            await Task.Delay(20, patience.Token);
        }
    }
}
