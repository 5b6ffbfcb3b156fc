using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Traffic;
using Spectre.Console;

namespace Shop.EndToEnd.Tests;

/// <summary>Traffic without k6: it counts for itself, and finds out whether the shop counted the same.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres)]
internal sealed class TrafficTests(Engine engine) : EngineFixture(engine)
{
    [Test]
    public async Task Given_a_shop_when_traffic_has_run_then_the_books_agree()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (int code, string text) = await RunAsync(shop, 200, TimeSpan.FromSeconds(2), CancellationToken.None);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.Zero, text);
            Assert.That(text, Does.Contain("0 errors").And.Match(@"agrees +Orders: [1-9]\d* acknowledged").And.Match("agrees +Units").And.Not.Contain("Others"));
        });
    }

    [Test]
    public async Task Given_others_order_cancel_and_restock_meanwhile_when_traffic_has_run_then_its_own_books_agree_and_the_others_are_named()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (int code, string text) = await RunUntilAsync(shop, shop.Orders.BaseAddress!, async () =>
        {
            await shop.OrderAsync("prod_0", 3);
            await shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 5 });
            // One of its orders, too: whichever it has not taken on yet.
            HttpResponseMessage cancelled;
            do
            {
                JsonNode? own = (await shop.Orders.GetJsonAsync("/orders?status=created&limit=1000")).AsArray().FirstOrDefault(order => ((string)order!["customer_id"]!).StartsWith("traffic-", StringComparison.Ordinal));
                (cancelled, _) = await shop.Orders.PostAsync($"/orders/{own?["order_id"] ?? "none"}/cancel");
            }
            while (!cancelled.IsSuccessStatusCode);
        });
        Assert.That(code, Is.Zero, text);
        Assert.That(text, Does.Match("agrees +Orders").And.Match("agrees +Units").And.Match("Others were at work meanwhile: [1-9]"));
    }

    [Test]
    public async Task Given_orders_that_are_acknowledged_and_lost_when_traffic_has_run_then_the_books_differ_and_it_fails()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]);
        await using WebApplication liar = builder.Build();
        int acknowledged = 0;
        liar.MapGet("/", () => Results.Text("""{"service":"order-service"}""", "application/json"));
        liar.MapGet("/orders", () => Results.Text("[]", "application/json"));
        liar.MapPost("/orders", () =>
        {
            Interlocked.Increment(ref acknowledged);
            return Results.Text($$"""{"order_id":"{{Guid.NewGuid()}}"}""", "application/json", statusCode: 201);
        });
        await liar.StartAsync();
        (int code, string text) = await RunUntilAsync(shop, new Uri(liar.Urls.First()), async () =>
        {
            while (Volatile.Read(ref acknowledged) == 0) await Task.Yield();
        });
        Assert.That(code, Is.EqualTo(1), text);
        Assert.That(text, Does.Match(@"differs +Orders: \d+ acknowledged here, [1-9]\d* of them not there"));
    }

    [Test]
    public async Task Given_a_shop_that_dies_when_traffic_has_run_then_there_is_a_summary_with_errors_and_one_line_instead_of_books()
    {
        ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (int code, string text) = await RunUntilAsync(shop, shop.Orders.BaseAddress!, shop.CloseAsync);
        await shop.DisposeAsync();
        Assert.That(code, Is.EqualTo(1), text);
        Assert.That(text, Does.Match(@"answers in .* s").And.Match(@"errors, of which \d+ had no answer").And.Contain("The books can't be compared").And.Not.Contain("   at "));
    }

    [Test]
    public void Given_requests_without_an_answer_when_they_are_counted_then_they_are_errors_and_no_fast_answers()
    {
        var tally = new Tally();
        tally.Ended(Ending.Done, TimeSpan.FromMilliseconds(20));
        for (int i = 0; i < 100; i++) tally.Ended(Ending.NoAnswer, TimeSpan.FromMilliseconds(0.1));
        Assert.That((tally.Failed, tally.Unanswered, tally.All().Count), Is.EqualTo((100, 100, 1)));
        Assert.That(tally.All().P50, Is.EqualTo(20).Within(1));
    }

    [Test]
    public async Task Given_an_address_of_another_service_or_of_nobody_when_traffic_starts_then_one_line_says_so()
    {
        ShopUnderTest shop = SharedShop.Shop;
        (Uri Orders, string Said)[] cases =
        [
            (shop.Products.BaseAddress!, $"--orders is {shop.Products.BaseAddress}, but there is the product-service; it must be the order-service."),
            (new Uri("http://127.0.0.1:1"), "No shop at http://127.0.0.1:1/ (--orders)"),
        ];
        foreach ((Uri orders, string said) in cases)
        {
            var text = new StringWriter();
            var options = new TrafficOptions(100, null, shop.Products.BaseAddress!, orders, shop.Inventory.BaseAddress!);
            Assert.That(await new TrafficRun(options, Console(text)).RunAsync(CancellationToken.None), Is.EqualTo(1));
            Assert.That(text.ToString().Trim().Split('\n'), Has.Length.EqualTo(1).And.All.Contain(said));
        }
    }

    [Test]
    public void Given_wrong_options_when_they_are_read_then_every_fault_is_named()
    {
        Assert.That(TrafficOptions.Read(["--rate", "0", "--orders", "here", "--fast"], out string problem), Is.Null);
        Assert.That(problem, Does.Contain("--rate is '0'").And.Contain("--orders is 'here'").And.Contain("'--fast' is no option"));
    }

    // Runs it until there are orders and something else has happened.
    private static async Task<(int Code, string Text)> RunUntilAsync(ShopUnderTest shop, Uri orders, Func<Task> meanwhile)
    {
        using var stop = new CancellationTokenSource();
        var options = new TrafficOptions(100, null, shop.Products.BaseAddress!, orders, shop.Inventory.BaseAddress!);
        var text = new StringWriter();
        Task<int> running = new TrafficRun(options, Console(text)).RunAsync(stop.Token);
        while (orders == shop.Orders.BaseAddress && (await shop.Orders.GetJsonAsync("/orders?limit=1")).AsArray().Count == 0) await Task.Yield();
        await meanwhile();
        await stop.CancelAsync();
        return (await running, text.ToString());
    }

    private static async Task<(int Code, string Text)> RunAsync(ShopUnderTest shop, double rate, TimeSpan? duration, CancellationToken stop)
    {
        var options = new TrafficOptions(rate, duration, shop.Products.BaseAddress!, shop.Orders.BaseAddress!, shop.Inventory.BaseAddress!);
        var text = new StringWriter();
        int code = await new TrafficRun(options, Console(text)).RunAsync(stop);
        return (code, text.ToString());
    }

    private static IAnsiConsole Console(TextWriter text)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Interactive = InteractionSupport.No, Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = 250;
        return console;
    }
}
