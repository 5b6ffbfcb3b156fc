using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>The live console under traffic, as those use it who have a pointer, keys alone, or a phone.</summary>
internal sealed class ConsoleTests
{
    private static readonly string PictureFolder = Environment.GetEnvironmentVariable("SHOP_PICTURES")
        ?? Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures");

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _shop = await ShopUnderTest.StartAsync();
        using HttpResponseMessage started = await _shop.Orders.PostFormAsync("/live/traffic",
            _shop.Orders.BaseAddress!.GetLeftPart(UriPartial.Authority),
            [("action", "start"), ("rate", "60"), ("shape", "constant")]);
        Assert.That((int)started.StatusCode, Is.EqualTo(303));
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_keys_alone_then_a_chart_says_the_values_of_each_moment_and_a_question_mark_opens_and_closes()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Orders.BaseAddress}live");
        ILocator chart = page.Locator("[data-chart=Stacked] [role=slider]");
        await EnoughAsync(page, seconds: 8);
        await chart.FocusAsync();
        await page.Keyboard.PressAsync("End");
        await Expect(chart).ToHaveAttributeAsync("aria-valuetext",
            new System.Text.RegularExpressions.Regex(@"^[0-9:]{8}: 2xx [0-9.]+ /s, 3xx 0 /s, 4xx [0-9.]+ /s, 5xx 0 /s$",
                System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromMinutes(1)));
        string newest = (await chart.GetAttributeAsync("aria-valuetext"))!;
        await page.Keyboard.PressAsync("ArrowLeft");
        await Expect(chart).Not.ToHaveAttributeAsync("aria-valuetext", newest);
        await Expect(page.Locator("[data-chart=Stacked] .tip")).ToContainTextAsync("4xx");
        // The other charts show the same moment.
        await Expect(page.Locator("[data-chart=Logarithmic] .cursor line").First).ToBeAttachedAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "console-keys.png") });
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("[data-chart=Stacked] .tip")).ToBeHiddenAsync();

        ILocator why = page.GetByRole(AriaRole.Button, new() { Name = "About: Latency" });
        await why.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        ILocator explanation = page.GetByRole(AriaRole.Dialog, new() { Name = "About: Latency" });
        await Expect(explanation).ToContainTextAsync("histogram_quantile(0.95");
        await Expect(explanation).ToContainTextAsync("service=\"order-service\"");
        await Accessibility.HasNoViolationsAsync(page);
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "console-why.png") });
        await page.Keyboard.PressAsync("Escape");
        await Expect(explanation).ToBeHiddenAsync();
        await Expect(why).ToBeFocusedAsync();
    }

    [Test]
    public async Task Given_a_chart_as_a_table_when_the_minutes_change_or_the_page_is_paused_then_charts_and_figures_do_as_they_are_told()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Products.BaseAddress}live");
        await EnoughAsync(page, seconds: 8);
        await page.GetByLabel("1 min", new() { Exact = true }).CheckAsync();
        await page.Locator("[data-chart=Logarithmic] summary").First.ClickAsync();
        await Expect(page.Locator("[data-chart=Logarithmic] [data-rows] tr").First).ToContainTextAsync("ms");
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await Expect(page.Locator("[data-paused]")).ToContainTextAsync("Paused at");
        string drawn = (await page.Locator("path.succeeded").GetAttributeAsync("d"))!;
        string routes = await page.Locator("[data-map=routes]").InnerTextAsync();
        double before = (await Exposition.OfAsync(
            _shop.Products))["""app_requests_total{endpoint="/products/{id}",method="GET"}"""];
        while ((await Exposition.OfAsync(
            _shop.Products))["""app_requests_total{endpoint="/products/{id}",method="GET"}"""] < before + 90)
        {
            await Task.Delay(50);
        }

        Assert.That(await page.Locator("path.succeeded").GetAttributeAsync("d"), Is.EqualTo(drawn));
        Assert.That(await page.Locator("[data-map=routes]").InnerTextAsync(), Is.EqualTo(routes));
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Expect(page.Locator("path.succeeded")).Not.ToHaveAttributeAsync("d", drawn);
        await page.ReloadAsync();
        await Expect(page.GetByLabel("1 min", new() { Exact = true })).ToBeCheckedAsync();
        await Expect(page.Locator("[data-traffic=reached]")).ToContainTextAsync("answered");
    }

    [TestCase(false, 1440)]
    [TestCase(true, 1440, Category = "CI")]
    [TestCase(false, 360, Category = "CI")]
    [TestCase(true, 360)]
    public async Task Given_the_whole_shop_then_all_services_are_beside_one_another_and_each_moves(
        bool isDark, int width)
    {
        await using Window window = await Browser.OpenAsync(isDark: isDark, width: width,
            height: width == 360 ? 780 : 1000);
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Inventory.BaseAddress}");
        await page.GetByRole(AriaRole.Link, new() { Name = "Live", Exact = true }).ClickAsync();
        await Expect(page.Locator(".service [data-live-state]")).ToHaveTextAsync(["Live.", "Live.", "Live."]);
        await EnoughAsync(page, seconds: 20, paths: 3);
        if (width == 360)
            Assert.That(
                await page.Locator(".plot").First.EvaluateAsync<double>("plot => plot.getBoundingClientRect().top"),
                Is.LessThan(780), "the first chart is on the first screen");
        Assert.That(await page.EvaluateAsync<int>(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"),
            Is.LessThanOrEqualTo(0), "it is wider than the window");
        await Accessibility.HasNoViolationsAsync(page);
        string look = $"{(isDark ? "dark" : "light")}-{width}";
        await page.ScreenshotAsync(
            new() { Path = Path.Combine(PictureFolder, $"whole-shop-traffic-{look}.png"), FullPage = true });
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, $"whole-shop-top-{look}.png") });
        await page.GotoAsync($"{_shop.Orders.BaseAddress}live");
        await EnoughAsync(page, seconds: 20);
        await page.Locator(".plot").First.HoverAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, $"live-top-{look}.png") });
        await Accessibility.HasNoViolationsAsync(page);
        await page.ScreenshotAsync(
            new() { Path = Path.Combine(PictureFolder, $"live-traffic-{look}.png"), FullPage = true });
    }

    [Test]
    [Category("CI")]
    public async Task Given_a_fault_that_runs_for_a_while_when_the_console_is_watched_then_its_time_is_marked_in_each_chart_and_failures_are_seen_by_endpoint()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        foreach ((string path, object body) in new (string, object)[]
        {
            ("/traffic", new { rate = 60 }),
            ("/faults/failing_answers", new { intensity = 0.3, duration_seconds = 600 }),
        })
        {
            (HttpResponseMessage started, _) = await shop.Orders.SendJsonAsync(HttpMethod.Put, path, body);
            Assert.That((int)started.StatusCode, Is.EqualTo(200));
        }

        await using Window window = await Browser.OpenAsync(width: 1440);
        IPage page = window.Page;
        await page.GotoAsync($"{shop.Orders.BaseAddress}live");
        await Expect(page.Locator(".band")).ToHaveCountAsync(5);
        await Expect(page.Locator(".trouble")).ToContainTextAsync("failing_answers 0.3 share until");
        // It began before the page was open, and is ended while it is.
        ILocator row = page.Locator("[data-fault=failing_answers]");
        await Expect(row).ToContainTextAsync("Running: failing_answers 0.3 share until");
        await Expect(page.Locator("[data-chart=Stacked] .mark", new() { HasText = "failing_answers" }))
            .ToHaveCountAsync(1);
        await Expect(page.Locator("[data-map=routes] .failing").First).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await shop.Orders.DeleteAsync("/faults/failing_answers");
        // The band ends with it.
        await page.WaitForFunctionAsync("""
            () => {
                const box = (path) => document.querySelector(path).getBoundingClientRect();
                return box('.band').right < box('.plot svg').right - 60;
            }
            """, null, new() { Timeout = 60_000 });
        await Expect(page.Locator(".trouble")).ToBeHiddenAsync();
        await Expect(row.GetByText("Running:")).ToBeHiddenAsync();
        await Expect(row.GetByRole(AriaRole.Button)).ToHaveTextAsync(["Start failing_answers"]);
        await shop.Inventory.SendJsonAsync(HttpMethod.Put, "/faults/slow_answers", new { });
        await Expect(page.Locator("[data-fault=slow_answers]")).ToContainTextAsync("Running: slow_answers 0.5 seconds");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "End slow_answers" })).ToBeVisibleAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "live-fault.png") });
    }

    [Test]
    public async Task Given_a_service_that_can_t_be_reached_when_the_whole_shop_is_watched_then_it_alone_is_shown_as_lost()
    {
        await using Window window = await Browser.OpenAsync();
        window.ToleratesNoAnswer();
        await window.Page.RouteAsync($"{_shop.Inventory.BaseAddress}live/events*", route => route.AbortAsync());
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}live/shop");
        ILocator states = window.Page.Locator(".service [data-live-state]");
        await Expect(states.Nth(2)).ToContainTextAsync("Not connected");
        await Expect(states.Nth(0)).ToHaveTextAsync("Live.");
        await Expect(states.Nth(1)).ToHaveTextAsync("Live.");
        await Expect(window.Page.Locator("[data-live*='/live/events'] .headline").Nth(2)).ToHaveTextAsync("–");
        await Expect(window.Page.GetByRole(AriaRole.Button, new() { Name = "Stop" })).ToBeEnabledAsync();
        await EnoughAsync(window.Page, seconds: 5, paths: 2);
        await window.Page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "whole-shop-lost.png") });
    }

    [Test]
    public async Task Given_a_shop_where_nothing_happens_then_its_console_says_how_to_see_something()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await using Window window = await Browser.OpenAsync(width: 360, height: 780);
        IPage page = window.Page;
        await page.GotoAsync($"{shop.Orders.BaseAddress}live/shop");
        await Expect(page.GetByText("Start demo traffic and wait ten seconds")).ToBeVisibleAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "whole-shop-fresh.png") });
        await page.GetByLabel("Shape").SelectOptionAsync("spikes");
        await page.GetByRole(AriaRole.Button, new() { Name = "Start", Exact = true }).ClickAsync();
        await Expect(page).ToHaveURLAsync($"{shop.Orders.BaseAddress}live/shop");
        await Expect(page.Locator("[data-traffic=state]")).ToContainTextAsync("spikes, 50 requests a second at most");
        await Expect(page.GetByText("Start demo traffic and wait ten seconds")).ToBeHiddenAsync();
        await Expect(page.Locator("[data-traffic=reached]"))
            .ToContainTextAsync("ends by itself at", new() { Timeout = 30_000 });
    }

    // Points of the first areas: a second each.
    private static async Task EnoughAsync(IPage page, int seconds, int paths = 1) => await page.WaitForFunctionAsync(
        "([seconds, paths]) => [...document.querySelectorAll('path.succeeded')].filter(path => "
        + "path.getAttribute('d').split('L').length > 2 * seconds).length >= paths",
        new[] { seconds, paths }, new() { Timeout = 120_000 });
}
