using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>What the scripts of the pages make of what they are told, beside what the pages say without them.</summary>
internal sealed class ScriptTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_orders_that_come_in_on_a_board_then_their_rows_are_those_that_the_page_has_when_it_is_loaded_again()
    {
        string dear = await _shop.ProductAsync(stock: 9, price: 987_654.3m), customer = $"Ada <b> {Guid.NewGuid()}";
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?customer_id={Uri.EscapeDataString(customer)}");
        await _shop.OrderAsync(dear, 2, customer);
        await _shop.OrderAsync("prod_3", 1, customer);
        await _shop.Orders.PostAsync("/orders", new
        {
            order_id = $"{customer[^36..]}-0f",
            customer_id = customer,
            items = new[] { new { product_id = dear, quantity = 1 }, new { product_id = "prod_3", quantity = 3 } },
        });
        string cancelled = await _shop.OrderAsync("prod_4", 1, customer);
        await _shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(4);
        await Expect(page.Locator("tbody .cancelled")).ToHaveCountAsync(1);
        string[] made = await RowsAsync();
        await page.ReloadAsync();
        Assert.That(made, Is.EqualTo(await RowsAsync()));
        Assert.That(string.Concat(made), Does.Contain("1,975,308.60"));

        async Task<string[]> RowsAsync() => await page.EvaluateAsync<string[]>(
            "() => [...document.querySelectorAll('tbody tr')].map((row) => "
            + "[row.dataset.orderId, row.dataset.placed, row.innerHTML].join(' '))");
    }

    [Test]
    public async Task Given_a_board_of_a_customer_and_a_status_then_no_other_order_comes_in_and_one_that_goes_on_leaves_it()
    {
        string customer = $"{Guid.NewGuid()}";
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?status=created&customer_id={customer}");
        ILocator rows = page.Locator("tbody tr");
        await _shop.OrderAsync("prod_3", 1, $"{customer} and another");
        string[] ids = [await _shop.OrderAsync("prod_3", 1, customer), await _shop.OrderAsync("prod_3", 1, customer)];
        await Expect(page.Locator($"[data-order-id='{ids[1]}']")).ToBeVisibleAsync(); // told last
        await Expect(rows).ToHaveCountAsync(2);
        await _shop.Orders.PostAsync($"/orders/{ids[0]}/pay");
        await Expect(rows).ToHaveCountAsync(1);
        await Expect(rows).ToHaveAttributeAsync("data-order-id", ids[1]);
    }

    [Test]
    public async Task Given_keys_or_a_finger_on_a_board_then_its_rows_stand_still_under_the_focus_and_not_under_the_finger()
    {
        string customer = $"{Guid.NewGuid()}";
        await _shop.OrderAsync("prod_3", 1, customer);
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?customer_id={customer}");
        ILocator rows = page.Locator("tbody tr"), note = page.Locator("[data-board-held]");
        await page.Locator("tbody a").First.FocusAsync();
        await _shop.OrderAsync("prod_3", 1, customer);
        await Expect(note).ToHaveTextAsync(
            "Rows stand still while the pointer or the focus is on them. 1 change waits.");
        await Expect(rows).ToHaveCountAsync(1);
        await page.GetByLabel("Customer").FocusAsync();
        await Expect(rows).ToHaveCountAsync(2);
        await Expect(note).ToBeEmptyAsync();
        await page.EvaluateAsync("() => document.querySelector('[data-board]').dispatchEvent("
            + "new PointerEvent('pointerenter', { pointerType: 'touch' }))");
        await _shop.OrderAsync("prod_3", 1, customer);
        await Expect(rows).ToHaveCountAsync(3);
        await Expect(note).ToBeEmptyAsync();
    }

    [Test]
    public async Task Given_a_board_of_one_status_that_stands_still_when_an_order_comes_and_leaves_that_status_then_it_is_never_put_into_it()
    {
        string customer = $"{Guid.NewGuid()}", first = await _shop.OrderAsync("prod_3", 1, customer);
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?customer_id={customer}&status=created");
        ILocator rows = page.Locator("tbody tr"), note = page.Locator("[data-board-held]");
        await page.Locator("tbody a").First.FocusAsync();
        string left = await _shop.OrderAsync("prod_3", 1, customer);
        await Expect(note).ToContainTextAsync("1 change waits.");
        await _shop.Orders.PostAsync($"/orders/{left}/pay");
        await Expect(note).ToBeEmptyAsync();
        string third = await _shop.OrderAsync("prod_3", 1, customer);
        await Expect(note).ToContainTextAsync("1 change waits.");
        await page.GetByLabel("Customer").FocusAsync();
        await Expect(rows).ToHaveCountAsync(2);
        Assert.That(await rows.EvaluateAllAsync<string[]>("rows => rows.map((row) => row.dataset.orderId)"),
            Is.EqualTo(new[] { third, first }));
    }

    [Test]
    public async Task Given_a_page_of_an_order_when_others_change_then_it_is_not_loaded_again_before_this_one_does()
    {
        string id = await _shop.OrderAsync("prod_3"), other = await _shop.OrderAsync("prod_3");
        await using Window window = await Browser.OpenAsync();
        window.ToleratesNoAnswer();
        int asked = 0, loaded = 0;
        var sawOthers = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        // A stream that ends is asked for again, once all that it said was heard.
        await window.Page.RouteAsync("**/board/events*", async route =>
        {
            int time = Interlocked.Increment(ref asked);
            if (time == 3) sawOthers.TrySetResult(Volatile.Read(ref loaded));
            (string order, string status) =
                time switch { 1 => (other, "paid"), 2 => (id, "created"), _ => (id, "paid") };
            if (time > 3) await route.AbortAsync();
            else
            {
                if (time == 3) await _shop.Orders.PostAsync($"/orders/{id}/pay");
                await route.FulfillAsync(new()
                {
                    ContentType = "text/event-stream",
                    Body = $"retry: 20\nid: x-{time}\nevent: order\n"
                        + $"data: {{\"order_id\":\"{order}\",\"status\":\"{status}\"}}\n\n",
                });
            }
        });
        window.Page.Request += (_, request) =>
        {
            if (request.IsNavigationRequest) Interlocked.Increment(ref loaded);
        };
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}order/{id}");
        Assert.That(await sawOthers.Task, Is.EqualTo(1),
            "it was loaded again for another order, or for a status that it shows");
        await Expect(window.Page.Locator(".history")).ToContainTextAsync("paid");
    }

    [Test]
    public async Task Given_a_full_basket_when_a_product_is_added_then_the_page_says_why_it_is_not_there()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.Context.AddCookiesAsync([new()
        {
            Name = "basket", Url = $"{_shop.Products.BaseAddress}",
            Value = string.Join('~', Enumerable.Range(0, 50).Select(n => $"prod_{n}.1")),
        }]);
        await page.GotoAsync($"{_shop.Products.BaseAddress}product/prod_77");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to the basket" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("A basket takes 50 different products.");
    }

    [Test]
    public async Task Given_values_of_every_size_then_charts_write_them_with_three_digits_and_their_unit_and_have_round_ticks()
    {
        await using Window window = await Browser.OpenAsync();
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}live");
        string[] said = await window.Page.EvaluateAsync<string[]>("""
            async () => {
              const live = document.querySelector('script[src*="/live."]').getAttribute('src');
              const { short, withUnit, linearTicks, logarithmicTicks } = await import(live.replace('live', 'chart'));
              return [null, 0, 0.04217, 9.996, 12.345, 99.4, 100, 123.4, 1234.5, 98765].map(short)
                .concat([[null, 'ms'], [0.42, 'ms'], [999, 'ms'], [1000, 'ms'], [1234, 'ms'], [61500, 'ms'],
                  [1234, '/s'], [7, '']].map(([value, unit]) => withUnit(value, unit)))
                .concat([1, 3, 7, 8, 8.1, 123.4, 20000].map((highest) => linearTicks(highest).join(' ')))
                .concat([[1.75, 88.75], [2, 9], [1, 10], [0.02, 0.3], [3, 4000], [0.0001, 0.0002]]
                  .map(([lowest, highest]) => logarithmicTicks(lowest, highest).join(' ')));
            }
            """);
        Assert.That(said, Is.EqualTo(new[]
        {
            "–", "0", "0.0422", "10", "12.3", "99.4", "100", "123", "1,235", "98,765",
            "–", "0.42 ms", "999 ms", "1 s", "1.23 s", "61.5 s", "1,234 /s", "7",
            "0 0.5 1", "0 1 2 3", "0 2 4 6 8", "0 2 4 6 8", "0 5 10", "0 50 100 150",
            "0 5000 10000 15000 20000",
            "1 10 100", "1 2 5 10", "1 2 5 10", "0.01 0.1 1", "1 10 100 1000 10000", "0.001 0.002 0.005 0.01",
        }));
    }

    [Test]
    public async Task Given_fifteen_minutes_with_gaps_and_starts_then_the_console_draws_each_second_breaks_its_lines_there_and_says_what_started()
    {
        const int Last = 904;
        long day = new DateTimeOffset(2026, 3, 1, 8, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
        // A second that is missing is nothing; three are a gap.
        int[] seconds = [.. Enumerable.Range(0, Last + 1).Where(n => n is not (130 or (>= 700 and <= 702)))];
        double?[][] history = [.. seconds.Select(n => new double?[]
        {
            day + (1000 * n), 10, 0, n * 0.5, n * 1.5, n * 2, 0, 10, 0, n % 7, 1, 2, 1, 0, 1, 0,
        })];
        string[] told = [.. new[] { (104, "1.0.0"), (304, "2.0.0"), (504, "2.0.0") }.Select(start =>
            $$"""
            {"event":"second","data":{"point":null,"requests":1,"traffic":60,"codes":{},"routes":{},"figures":{},
            "started":{{day + (1000 * start.Item1) + 500}},"version":"{{start.Item2}}","faults":[],"endpoints":[],
            "demo":{"shape":"spikes","wanted":61.25,"answered":47.52,"ends":{{day}}},"trouble":[]} }
            """)];
        await using Window window = await Browser.OpenAsync(width: 1600);
        window.ToleratesNoAnswer();
        IPage page = window.Page;
        int asked = 0;
        // No place for a stream, so that the page asks, and what it has been told stays.
        await page.RouteAsync("**/live/events*", route => route.Request.Headers["accept"] == "text/event-stream"
            ? route.FulfillAsync(new() { Status = 503 })
            : route.FulfillAsync(new()
            {
                ContentType = "application/json",
                Body = Interlocked.Increment(ref asked) > 1 ? """{"id":"x-1","places":0,"events":[]}"""
                    : """{"id":"x-1","places":0,"events":[{"event":"history","data":"""
                        + $"{JsonSerializer.Serialize(history)}}},{string.Join(',', told)}]}}",
            }));
        await page.GotoAsync($"{_shop.Orders.BaseAddress}live");
        await Expect(page.Locator("[data-traffic=state]")).ToHaveTextAsync(
            "Running: spikes, 60 requests a second at most, on all three services together.");
        await Expect(page.Locator("[data-traffic=reached]")).ToHaveTextAsync(new Regex(
            "^Wanted 61[.]3 a second now, answered 47[.]5[.] It ends by itself at [0-9:]{8}[.]$",
            RegexOptions.None, Second));
        ILocator latency = page.Locator("figure:has([data-figure=p50])");
        // Without a choice it shows five minutes, as there is more than one.
        await Expect(page.GetByLabel("5 min", new() { Exact = true })).ToBeCheckedAsync();
        foreach ((string minutes, int shown) in new[] { ("1 min", 60), ("5 min", 300), ("15 min", 900) })
        {
            await page.GetByLabel(minutes, new() { Exact = true }).CheckAsync();
            int[] drawn = [.. seconds.Where(n => n >= Last - shown)];
            int runs = 1 + new[] { 104, 304, 504, 702 }.Count(n => n > drawn[0]);
            string path = (await latency.Locator("path.low").GetAttributeAsync("d"))!;
            Assert.That((path.Count(letter => letter == 'M'), path.Count(letter => letter is 'M' or 'L')),
                Is.EqualTo((runs, drawn.Length)), minutes);
        }

        await Expect(page.Locator("[data-chart=Stacked] text.mark"))
            .ToHaveTextAsync(["Started 1.0.0", "Deployed 2.0.0", "Restarted 2.0.0"]);

        // A dozen moments, the newest first; p99 is the first of its line.
        await latency.Locator("summary").ClickAsync();
        foreach ((string minutes, int step) in new[] { ("15 min", 75), ("5 min", 25), ("1 min", 5) })
        {
            await page.GetByLabel(minutes, new() { Exact = true }).CheckAsync();
            int[] rows = [.. seconds.Reverse().Where((_, i) => i % step == 0).Take(12)];
            await Expect(latency.Locator("[data-rows] td:last-child")).ToHaveTextAsync(
                [.. rows.Select(n => InWords(n * 2))]);
        }

        ILocator slider = page.Locator("[data-chart=Stacked] [role=slider]");
        foreach ((string minutes, int step, int last) in new[]
        {
            ("1 min", 1, 60), ("5 min", 5, 297), ("15 min", 15, 896),
        })
        {
            await page.GetByLabel(minutes, new() { Exact = true }).CheckAsync();
            await slider.FocusAsync();
            int at = last;
            foreach ((string key, int by) in new[]
            {
                ("End", 0), ("ArrowLeft", -step), ("PageDown", -10 * step), ("ArrowUp", step), ("PageUp", 10 * step),
                ("Home", -last), ("ArrowDown", -step), ("ArrowRight", step), ("PageUp", 10 * step),
            })
            {
                await page.Keyboard.PressAsync(key);
                at = Math.Clamp(at + by, 0, last);
                await Expect(slider).ToHaveAttributeAsync("aria-valuenow", $"{at}");
            }
        }

        await page.ReloadAsync();
        await Expect(page.GetByLabel("15 min", new() { Exact = true })).ToBeCheckedAsync(); // it was chosen last
    }

    private static string InWords(double milliseconds) => milliseconds >= 1000
        ? (milliseconds / 1000).ToString("0.##", CultureInfo.InvariantCulture) + " s"
        : milliseconds.ToString("0", CultureInfo.InvariantCulture) + " ms";
}
