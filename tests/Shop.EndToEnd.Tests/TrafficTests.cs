using Shop.Traffic;
using Spectre.Console;

namespace Shop.EndToEnd.Tests;

/// <summary>Traffic without k6: it counts for itself, and finds out whether the shop counted the same.</summary>
internal sealed class TrafficTests
{
    [Test]
    public async Task Given_a_shop_when_traffic_has_run_then_the_books_agree()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (int code, string text) = await RunAsync(shop, 200, TimeSpan.FromSeconds(2), CancellationToken.None);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.Zero, text);
            Assert.That(text, Does.Contain("0 errors").And.Match(@"agrees +Orders: [1-9]\d* acknowledged").And.Match(@"agrees +Units in stock"));
        });
    }

    [Test]
    public async Task Given_someone_else_orders_when_traffic_has_run_then_the_books_differ_and_it_fails()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using var stop = new CancellationTokenSource();
        Task<(int Code, string Text)> running = RunAsync(shop, 100, null, stop.Token);
        while ((await shop.Orders.GetJsonAsync("/orders?limit=1")).AsArray().Count == 0) await Task.Yield();
        await shop.OrderAsync("prod_0", 3);
        await stop.CancelAsync();
        (int code, string text) = await running;
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(1), text);
            Assert.That(text, Does.Match("differs +Orders").And.Match("differs +Units in stock"));
        });
    }

    [Test]
    public async Task Given_nobody_listens_when_traffic_starts_then_it_says_so()
    {
        TrafficOptions options = TrafficOptions.Read(["--orders", "http://127.0.0.1:1"], out _)!;
        var text = new StringWriter();
        Assert.That(await new TrafficRun(options, Console(text)).RunAsync(CancellationToken.None), Is.EqualTo(1));
        Assert.That(text.ToString(), Does.Contain("No shop at http://127.0.0.1:1"));
    }

    [Test]
    public void Given_wrong_options_when_they_are_read_then_every_fault_is_named()
    {
        Assert.That(TrafficOptions.Read(["--rate", "0", "--orders", "here", "--fast"], out string problem), Is.Null);
        Assert.That(problem, Does.Contain("--rate is '0'").And.Contain("--orders is 'here'").And.Contain("'--fast' is no option"));
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
