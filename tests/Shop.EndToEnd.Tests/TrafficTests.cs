using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Security;
using Shop.Traffic;
using Spectre.Console;

namespace Shop.EndToEnd.Tests;

/// <summary>Traffic without k6: it counts for itself, and finds out whether the shop counted the same.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
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
            Assert.That(text, Does.Contain("0 errors").And.Match(@"agrees +Orders: [1-9]\d* acknowledged")
                .And.Match("agrees +Units").And.Not.Contain("Others"));
        });
    }

    [Test]
    public async Task Given_a_shop_with_keys_then_traffic_needs_one_and_says_so()
    {
        (string writer, string hash) = ApiKeys.Make();
        string[] keys = [$"Shop:ApiKeys=ada:write:{hash}", "Shop:ReadsNeedKey="];
        foreach ((string reads, string? key, int code, string said) in new[]
        {
            ("false", writer, 0, "0 errors"), ("false", null, 0, "The first error was 401 to POST /"),
            ("true", writer, 0, "0 errors"), ("true", null, 1, "needs a key that it knows: --key KEY"),
            ("true", "unknown", 1, "needs a key that it knows: --key KEY"),
        })
        {
            await using ShopUnderTest shop = await ShopUnderTest.StartAsync(keys[0], keys[1] + reads);
            (int ended, string text) = await RunAsync(shop, 50, TimeSpan.FromSeconds(1), CancellationToken.None, key);
            Assert.That(ended, Is.EqualTo(code), text);
            Assert.That(text, Does.Contain(said), $"{reads} {key}");
        }
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
                JsonNode? own = (await shop.Orders.GetJsonAsync("/orders?status=created&limit=1000"))
                    .AsArray().FirstOrDefault(
                        order => ((string)order!["customer_id"]!).StartsWith("traffic-", StringComparison.Ordinal));
                (cancelled, _) = await shop.Orders.PostAsync($"/orders/{own?["order_id"] ?? "none"}/cancel");
            }
            while (!cancelled.IsSuccessStatusCode);
        });
        Assert.That(code, Is.Zero, text);
        Assert.That(text,
            Does.Match("agrees +Orders").And.Match("agrees +Units").And.Match("Others were at work meanwhile: [1-9]"));
    }

    [Test]
    public async Task Given_orders_that_are_acknowledged_and_lost_when_traffic_has_run_then_the_books_differ_and_it_fails()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        WebApplicationBuilder builder =
            WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]);
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
            await Eventually.IsSoAsync(() => Volatile.Read(ref acknowledged) > 0);
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
        Assert.That(text, Does.Match(@"answers in .* s").And.Match(@"errors, of which \d+ had no answer")
            .And.Contain("The books can't be compared").And.Not.Contain("   at "));
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
            (shop.Products.BaseAddress!, $"--orders is {shop.Products.BaseAddress}, but there is the product-service; "
                + "it must be the order-service."),
            (new Uri("http://127.0.0.1:1"), "No shop at http://127.0.0.1:1/ (--orders)"),
        ];
        foreach ((Uri orders, string said) in cases)
        {
            var text = new StringWriter();
            var options = new TrafficOptions(LoadProfile.Constant(100, null), shop.Products.BaseAddress!, orders,
                shop.Inventory.BaseAddress!);
            Assert.That(await new TrafficRun(options, Console(text)).RunAsync(CancellationToken.None), Is.EqualTo(1));
            Assert.That(text.ToString().Trim().Split('\n'), Has.Length.EqualTo(1).And.All.Contain(said));
        }
    }

    [Test]
    public void Given_wrong_options_when_they_are_read_then_every_fault_is_named()
    {
        Assert.That(TrafficOptions.Read(["--rate", "0", "--orders", "here", "--fast"], out string problem), Is.Null);
        Assert.That(problem,
            Does.Contain("--rate is '0'").And.Contain("--orders is 'here'").And.Contain("'--fast' is no option"));
    }

    [TestCase("--stages", "10s:100,10s:100,20s:0", 4)]
    [TestCase("--profile", "ramping", 3)]
    [TestCase("--profile", "spike", 3)]
    [TestCase("--profile", "constant", 1)]
    public void Given_a_profile_then_as_many_requests_are_due_as_its_rate_makes_of_its_time(
        string option, string value, int parts)
    {
        string[] rest = option == "--stages" ? [] : ["--rate", "100", "--seconds", "30"];
        LoadProfile profile = TrafficOptions.Read([option, value, .. rest], out string problem)?.Profile
            ?? throw new AssertionException(problem);
        TimeSpan length = profile.Length!.Value;
        TimeSpan[] due = [.. Enumerable.Range(0, 100_000).Select(number => profile.DueAt(number))
            .TakeWhile(time => time is not null).Select(time => time!.Value)];
        Assert.That(due, Is.Ordered);
        Assert.That(profile.Peak, Is.EqualTo(100));
        // The area under the rate, summed in small steps, is how many are due.
        double step = length.TotalSeconds / 6000, sum = 0;
        for (int i = 0; i < 6000; i++)
        {
            if (i % (6000 / parts) == 0)
            {
                Assert.That(due.Count(time => time.TotalSeconds < i * step),
                    Is.EqualTo(sum).Within(2), $"until {i * step} s");
            }

            sum += step * profile.RateAt(TimeSpan.FromSeconds((i + 0.5) * step));
        }

        Assert.That(due, Has.Length.EqualTo(sum).Within(2));
        Assert.That(due[^1], Is.LessThanOrEqualTo(length));
    }

    [TestCase("--stages", "10:100")]
    [TestCase("--stages", "10s:0")]
    [TestCase("--stages", "10s:100,fast")]
    [TestCase("--profile", "slow")]
    [TestCase("--stages", "10s:100", "--rate", "5")]
    public void Given_a_profile_that_is_none_when_it_is_read_then_the_fault_is_named(params string[] args)
    {
        Assert.That(TrafficOptions.Read(args, out string problem), Is.Null);
        Assert.That(problem, Does.StartWith(args[0]));
    }

    [Test]
    public void Given_the_help_then_each_of_its_examples_can_be_run()
    {
        string[] examples = [.. TrafficOptions.Usage.Split('\n')
            .Where(line => line.Contains("dotnet run", StringComparison.Ordinal))];
        Assert.That(examples, Has.Length.AtLeast(3));
        foreach (string example in examples)
            Assert.That(TrafficOptions.Read(example.Split(" -- ")[1].Trim().Split(' '), out string problem),
                Is.Not.Null, problem);
    }

    [Test]
    public void Given_seconds_with_errors_then_the_view_shows_their_history_and_what_was_wanted_beside_what_was_reached()
    {
        var tally = new Tally();
        var view = new TrafficView(LoadProfile.Constant(40, null), tally);
        for (int second = 1; second <= 4; second++)
        {
            for (int i = 0; i < 10 * second; i++)
                tally.Ended(second == 4 && i < 7 ? Ending.Failed : Ending.Done, TimeSpan.FromMilliseconds(5));
            view.Tick(TimeSpan.FromSeconds(second), underWay: 3);
        }

        var text = new StringWriter();
        Console(text).Write(view.Panel());
        Assert.That($"{text}", Does.Match("wanted a second +40 +████").And.Match("answered a second +40 +▃▅▇█")
            .And.Match("errors a second +7 +█").And.Match("errors in all +7"));
        Assert.That(view.Line(), Does.Contain("time 00:00:04  wanted/s 40  answers/s 40").And.EndWith("errors 7"));
    }

    // Runs it until there are orders and something else has happened.
    private static async Task<(int Code, string Text)> RunUntilAsync(
        ShopUnderTest shop, Uri orders, Func<Task> meanwhile)
    {
        using var stop = new CancellationTokenSource();
        var options = new TrafficOptions(LoadProfile.Constant(100, null), shop.Products.BaseAddress!, orders,
            shop.Inventory.BaseAddress!);
        var text = new StringWriter();
        Task<int> running = new TrafficRun(options, Console(text)).RunAsync(stop.Token);
        if (orders == shop.Orders.BaseAddress)
        {
            await Eventually.IsSoAsync(
                async () => (await shop.Orders.GetJsonAsync("/orders?limit=1")).AsArray().Count > 0);
        }

        await meanwhile();
        await stop.CancelAsync();
        return (await running, text.ToString());
    }

    private static async Task<(int Code, string Text)> RunAsync(
        ShopUnderTest shop, double rate, TimeSpan? duration, CancellationToken stop,
        string? key = null)
    {
        var options = new TrafficOptions(LoadProfile.Constant(rate, duration), shop.Products.BaseAddress!,
            shop.Orders.BaseAddress!, shop.Inventory.BaseAddress!, key);
        var text = new StringWriter();
        int code = await new TrafficRun(options, Console(text)).RunAsync(stop);
        return (code, text.ToString());
    }

    private static IAnsiConsole Console(TextWriter text)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(text),
            Interactive = InteractionSupport.No,
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
        });
        console.Profile.Width = 250;
        return console;
    }
}
