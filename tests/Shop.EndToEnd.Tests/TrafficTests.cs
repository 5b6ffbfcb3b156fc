using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
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
            Match told = Regex.Match(text,
                @"(?<count>[\d,]+) answers in (?<seconds>[\d.,]+) s, (?<rate>[\d.,]+) a second",
                RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1));
            double Told(string name) => double.Parse(told.Groups[name].Value, CultureInfo.InvariantCulture);
            Assert.That(Told("rate"), Is.EqualTo(Told("count") / Told("seconds")).Within(5).Percent);
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
        int acknowledged = 0;
        await using WebApplication liar = await StandIn.StartAsync(app =>
        {
            app.MapGet("/", () => Results.Text("""{"service":"order-service"}""", "application/json"));
            app.MapGet("/orders", () => Results.Text("[]", "application/json"));
            app.MapPost("/orders", () =>
            {
                Interlocked.Increment(ref acknowledged);
                return Results.Text($$"""{"order_id":"{{Guid.NewGuid()}}"}""", "application/json", statusCode: 201);
            });
        });
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
    public void Given_answers_and_refusals_when_they_are_counted_then_each_figure_is_its_own()
    {
        var tally = new Tally();
        // Not in their order: 1 to 1,000 ms, each once.
        for (int i = 1; i <= 1000; i++)
        {
            Ending ending = i % 100 == 7 ? Ending.Refused : i % 250 == 3 ? Ending.Failed : Ending.Done;
            tally.Ended(ending, TimeSpan.FromMilliseconds(((i * 7) % 1000) + 1));
        }

        tally.Retried(3);
        tally.Retried(2);
        tally.OrderPlaced();
        tally.NotSent();
        Assert.That((tally.Refused, tally.Failed, tally.Unanswered, tally.Retries, tally.Orders, tally.Unsent),
            Is.EqualTo((10, 4, 0, 5, 1, 1)));
        foreach (Latencies found in new[] { tally.All(), tally.Lately() })
        {
            Assert.That(found.Count, Is.EqualTo(1000));
            Assert.That(found.P50, Is.EqualTo(500).Within(2));
            Assert.That(found.P95, Is.EqualTo(950).Within(2));
            Assert.That(found.P99, Is.EqualTo(990).Within(2));
        }

        Assert.That((tally.All().Count, tally.Lately().Count), Is.EqualTo((1000, 0)), "of which some were asked for");
    }

    [Test]
    public async Task Given_a_shop_that_asks_to_come_back_in_two_seconds_when_an_order_is_sent_then_it_waits_as_long_and_keeps_its_key()
    {
        var tries = new ConcurrentQueue<(string Key, string Body, long At)>();
        await using WebApplication busy = await StandIn.StartAsync(app => app.MapPost("/orders", async http =>
        {
            string body = await new StreamReader(http.Request.Body).ReadToEndAsync();
            tries.Enqueue((http.Request.Headers["Idempotency-Key"].ToString(), body, Stopwatch.GetTimestamp()));
            http.Response.StatusCode = tries.Count switch { 1 => 503, 2 => 429, _ => 201 };
            http.Response.Headers.RetryAfter = "2";
            await http.Response.WriteAsync("{\"order_id\":\"mine\"}");
        }));
        using var client = new ShopClient(OptionsFor(new Uri(busy.Urls.First())));
        Assert.That(await client.OrderAsync("ada", [("prod_3", 2), ("prod_7", 1)]),
            Is.EqualTo((Ending.Done, "mine", 2)));
        (string Key, string Body, long At)[] sent = [.. tries];
        Assert.That(sent.Select(one => (one.Key, one.Body)).Distinct().Count(), Is.EqualTo(1));
        Assert.That(sent[0].Body, Is.EqualTo("{\"customer_id\":\"ada\",\"items\":["
            + "{\"product_id\":\"prod_3\",\"quantity\":2},{\"product_id\":\"prod_7\",\"quantity\":1}]}"));
        for (int i = 1; i < sent.Length; i++)
            Assert.That(Stopwatch.GetElapsedTime(sent[i - 1].At, sent[i].At).TotalSeconds, Is.GreaterThan(1.9));
    }

    // A share is within six standard deviations of what it should be, but for a few of a million runs.
    [Test]
    public async Task Given_many_visits_then_most_look_some_buy_few_restock_and_no_step_of_an_order_is_one_that_must_be_refused()
    {
        var asked = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var orders = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        var wrong = new ConcurrentQueue<string>();
        void Note(string what) => asked.AddOrUpdate(what, 1, (_, times) => times + 1);
        await using WebApplication fake = await StandIn.StartAsync(app =>
        {
            app.MapGet("/products", (int limit) => Note($"list of {limit}"));
            app.MapGet("/products/{id}", (string id) =>
            {
                Note("product");
                Note(id);
            });
            app.MapGet("/inventory/{id}", (string id) => Note("stock"));
            app.MapPost("/inventory/increase", (JsonElement body) =>
            {
                Note("restock");
                int units = body.GetProperty("quantity_increased").GetInt32();
                if (units is < 10 or > 99) wrong.Enqueue($"{units} received");
            });
            app.MapPost("/orders", (JsonElement body) =>
            {
                Note("buy");
                JsonElement[] items = [.. body.GetProperty("items").EnumerateArray()];
                if (items.Length is < 1 or > 3) wrong.Enqueue($"{items.Length} lines");
                if (!items.All(item => item.GetProperty("quantity").GetInt32() is >= 1 and <= 3))
                    wrong.Enqueue($"{body} bought");
                string id = $"{Guid.NewGuid()}";
                orders[id] = "created";
                return Results.Json(new { order_id = id }, statusCode: 201);
            });
            app.MapPost("/orders/{id}/{step}", (string id, string step) =>
            {
                Note("live on");
                Note(step);
                orders[id] = (orders[id], step) switch
                {
                    ("created", "pay") => "paid",
                    ("paid", "ship") => "shipped",
                    ("shipped", "deliver") => "delivered",
                    ("created" or "paid", "cancel") => "cancelled",
                    (var status, _) => $"{status}, and then {step}",
                };
            });
        });
        using var client = new ShopClient(OptionsFor(new Uri(fake.Urls.First())));
        var mix = new Mix(client, new Ledger(), new Tally());
        const int Visits = 3000;
        for (int i = 0; i < Visits; i++) Assert.That(await mix.VisitAsync(), Is.EqualTo(Ending.Done));

        Assert.That(wrong, Is.Empty);
        Assert.That(orders.Values.Distinct(),
            Is.SubsetOf(new[] { "created", "paid", "shipped", "delivered", "cancelled" }).And.Contains("delivered"));
        int waiting = asked["list of 20"] - (Visits / 4); // an order to live on was missing now and then
        Assert.That(waiting, Is.GreaterThan(-6 * Math.Sqrt(Visits * 0.25 * 0.75)));
        foreach ((string what, double share, int of) in new[]
        {
            ("product", 0.4, Visits), ("stock", 0.05, Visits), ("buy", 0.18, Visits), ("restock", 0.02, Visits),
            ("prod_0", 1 / Enumerable.Range(1, 190).Sum(rank => 1.0 / rank), asked["product"]),
        })
        {
            Assert.That(asked[what],
                Is.EqualTo(share * of).Within(6 * Math.Sqrt(of * share * (1 - share))), what);
        }

        // Of the steps of an order, the first two are one of ten a cancellation; few live on to the third.
        Assert.That(asked["cancel"] / (double)(asked["pay"] + asked["ship"] + asked["cancel"]),
            Is.EqualTo(0.1).Within(6 * Math.Sqrt(0.1 * 0.9 / (asked["pay"] + asked["ship"]))));
        Assert.That(asked["live on"], Is.EqualTo(0.1 * Visits).Within(6 * Math.Sqrt(Visits * 0.1 * 0.9)));
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

    [Test]
    public void Given_help_or_wrong_options_when_the_program_is_run_then_its_exit_code_tells_them_apart()
    {
        foreach ((string[] args, int code) in new (string[], int)[]
        {
            (["--help"], 0), (["--rate"], 2), (["--rate", "none"], 2), (["--help", "--rate", "0"], 2),
        })
        {
            Assert.That(typeof(TrafficRun).Assembly.EntryPoint!.Invoke(null, [args]), Is.EqualTo(code),
                string.Join(' ', args));
        }
    }

    [TestCase("--rate 1", 1, null)]
    [TestCase("--rate 50000 --seconds 1", 50_000, 1)]
    [TestCase("--rate 0.9", null, null)]
    [TestCase("--rate 50001", null, null)]
    [TestCase("--seconds 1000000", 200, 1_000_000)]
    [TestCase("--seconds 0.9", null, null)]
    [TestCase("--seconds 1000001", null, null)]
    [TestCase("--stages 90s:50000,2m:7", 50_000, 210)]
    [TestCase("--stages 90s:50001", null, null)]
    [TestCase("--profile ramping", 200, 60)]
    [TestCase("--profile spike", 200, 60)]
    [TestCase("", 200, null)]
    public void Given_options_at_their_edges_when_they_are_read_then_they_are_what_the_help_says(
        string args, int? rate, int? seconds)
    {
        var options =
            TrafficOptions.Read(args.Split(' ', StringSplitOptions.RemoveEmptyEntries), out string problem);
        Assert.That((options?.Profile.Peak, options?.Profile.Length?.TotalSeconds),
            Is.EqualTo(((double?)rate, (double?)seconds)), problem);
        if (options is null) return;
        Assert.That((options.Products.Port, options.Orders.Port, options.Inventory.Port, options.Key),
            Is.EqualTo((5001, 5002, 5003, (string?)null)));
    }

    // In their thirds and fifths, as README.md of loadtest tells them.
    [TestCase("ramping", "0:0 5:45 9.9:89.1 10.1:90 19.9:90 25:45 29:9 30:0")]
    [TestCase("spike", "0:9 11.9:9 12.1:90 17.9:90 18.1:9 29.9:9 30:0")]
    [TestCase("constant", "0:90 29.9:90 30:0")]
    public void Given_a_profile_then_it_has_this_rate_at_a_time(string profile, string rates)
    {
        LoadProfile read = TrafficOptions.Read(["--profile", profile, "--rate", "90", "--seconds", "30"], out _)!
            .Profile;
        foreach (double[] at in rates.Split(' ').Select(pair => pair.Split(':').Select(number =>
            double.Parse(number, CultureInfo.InvariantCulture)).ToArray()))
        {
            Assert.That(read.RateAt(TimeSpan.FromSeconds(at[0])), Is.EqualTo(at[1]).Within(0.01), $"{at[0]} s");
        }
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

    [Test]
    public void Given_answers_of_all_kinds_then_each_figure_of_the_view_is_in_its_place()
    {
        var tally = new Tally();
        var view = new TrafficView(LoadProfile.Ramping(90, TimeSpan.FromSeconds(30)), tally);
        for (int i = 1; i <= 100; i++) tally.Ended(Ending.Done, TimeSpan.FromMilliseconds(1000 + i));
        view.Tick(TimeSpan.FromSeconds(5), underWay: 1);
        for (int i = 1; i <= 60; i++) tally.Ended(Ending.Done, TimeSpan.FromMilliseconds(i));
        for (int i = 61; i <= 98; i++) tally.Ended(Ending.Refused, TimeSpan.FromMilliseconds(i));
        tally.Ended(Ending.Failed, TimeSpan.FromMilliseconds(99));
        tally.Ended(Ending.Failed, TimeSpan.FromMilliseconds(100));
        for (int i = 0; i < 4; i++) tally.Ended(Ending.NoAnswer, TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < 17; i++) tally.OrderPlaced();
        for (int i = 0; i < 12; i++) tally.NotSent();
        tally.Retried(9);
        view.Tick(TimeSpan.FromSeconds(7), underWay: 23);

        var text = new StringWriter();
        Console(text).Write(view.Panel());
        // In the middle of the two seconds, 54 of 90 were wanted; 100 were answered in them.
        Assert.That($"{text}", Does.Match("time +00:00:07 of 00:00:30").And.Match("wanted a second +54 ")
            .And.Match("answered a second +50 ").And.Match("p95 in ms +95 ").And.Match("p50, p99 in ms +50, 99 ")
            .And.Match("errors a second +3 ").And.Match("errors in all +6 +4 without an answer")
            .And.Match("orders +17 +38 refused for want of stock, 9 retries")
            .And.Match("under way +23 +12 not sent: too many were under way"));
        Assert.That(view.Line(), Is.EqualTo("time 00:00:07  wanted/s 54  answers/s 50  p50 ms 50  p95 ms 95  p99 ms "
            + "99  under way 23  orders 17  refused 38  errors 6"));
    }

    private static TrafficOptions OptionsFor(Uri shop) => new(LoadProfile.Constant(1, null), shop, shop, shop);

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
