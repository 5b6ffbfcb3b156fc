using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>Pages that move, when the shop goes away, comes back, or has no place left.</summary>
internal sealed class ConnectionTests
{
    private const int Kill = 9, Continue = 18, Stop = 19, Places = 256;

    /// <summary>Milliseconds. A page that hears nothing for four seconds takes its connection for lost.</summary>
    private const int BeforeSilence = 3_500;

    // SHOP_PICTURES says where the pictures go.
    private static readonly string PictureFolder = Environment.GetEnvironmentVariable("SHOP_PICTURES")
        ?? Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures");

    [Test]
    public async Task Given_a_shop_that_is_killed_when_its_pages_are_open_then_they_say_so_at_once_and_show_the_new_one_by_themselves()
    {
        string directory = Directory.CreateTempSubdirectory("shop-pages-").FullName;
        int port = FreePort.Next();
        await using Window console = await Browser.OpenAsync(isDark: true), board = await Browser.OpenAsync(width: 360),
            order = await Browser.OpenAsync();
        foreach (Window window in new[] { console, board, order }) window.ToleratesNoAnswer();
        string id;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory, [$"--Shop:Orders:Port={port}"]))
        {
            id = (string)(await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Json!["order_id"]!;
            await console.Page.GotoAsync($"http://localhost:{port}/live");
            await board.Page.GotoAsync($"http://localhost:{port}/");
            await order.Page.GotoAsync($"http://localhost:{port}/order/{id}");
            await console.Page.GetByRole(AriaRole.Button, new() { Name = "Start", Exact = true }).ClickAsync();
            await Expect(console.Page.Locator("[data-figure=p50]")).Not.ToHaveTextAsync("–",
                new() { Timeout = 30_000 });
            // Only what has come by the stream tells the page which start this is.
            await Expect(console.Page.Locator("[data-chart=Stacked] .mark", new() { HasText = "Started" }))
                .ToHaveCountAsync(1, new() { Timeout = 30_000 });
            await Expect(board.Page.Locator("[data-board-state]")).ToContainTextAsync("Live");
            shop.Signal(Kill);
            await shop.ExitAsync();
            foreach ((Window window, string state) in new[] { (console, "live"), (board, "board"), (order, "order") })
                await Expect(window.Page.Locator($"[data-{state}-state]"))
                    .ToContainTextAsync("Not connected", new() { Timeout = BeforeSilence });
            foreach (string figure in new[] { "rate", "refused", "errors", "p50", "p95", "p99", "total" })
                await Expect(console.Page.Locator($"[data-figure={figure}]")).ToHaveTextAsync("–");
            await Expect(console.Page.Locator("[data-traffic=state]")).ToHaveTextAsync("Not known.");
            await Expect(order.Page.GetByRole(AriaRole.Button, new() { Name = "Pay" })).ToBeDisabledAsync();
            await console.Page.ScreenshotAsync(
                new() { Path = Path.Combine(PictureFolder, "live-lost-dark.png"), FullPage = true });
            await board.Page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "orders-lost-narrow.png") });
            await order.Page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "order-lost.png") });
        }

        using (ShopProcess shop = await ShopProcess.StartAsync(directory, [$"--Shop:Orders:Port={port}"]))
        {
            // Before the pages are back: it is in no event of this start that they get.
            string missed = (string)(await shop.Orders.PostAsync("/orders", Http.Order("prod_1"))).Json!["order_id"]!;
            await shop.Orders.PostAsync($"/orders/{id}/pay");
            await Expect(board.Page.Locator("[data-board-state]"))
                .ToContainTextAsync("Live", new() { Timeout = 30_000 });
            await Expect(board.Page.Locator($"a[href='/order/{missed}']")).ToBeVisibleAsync();
            await Expect(order.Page.Locator(".history")).ToContainTextAsync("paid", new() { Timeout = 30_000 });
            await Expect(order.Page.GetByRole(AriaRole.Button, new() { Name = "Ship" })).ToBeEnabledAsync();
            await Expect(console.Page.Locator("[data-live-state]"))
                .ToHaveTextAsync("Live.", new() { Timeout = 30_000 });
            await Expect(console.Page.Locator("[data-traffic=state]")).ToHaveTextAsync("Off.");
            await Expect(console.Page.GetByRole(AriaRole.Button, new() { Name = "Stop" })).ToBeHiddenAsync();
            await Expect(console.Page.Locator("[data-figure=rate]")).ToHaveTextAsync("0", new() { Timeout = 30_000 });
            // What the page saw before is still there, with a mark of the restart between.
            await Expect(console.Page.Locator("[data-chart=Stacked] .mark", new() { HasText = "Restarted" }))
                .ToHaveCountAsync(1);
            string requests =
                (await console.Page.Locator("[data-chart=Stacked] path.succeeded").GetAttributeAsync("d"))!;
            Assert.That(requests.Split('M'), Has.Length.GreaterThan(2), "two areas, and nothing between them");
            await console.Page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "live-restarted-dark.png") });
        }

        Directory.Delete(directory, recursive: true);
    }

    [Test]
    [Category("CI")]
    [Platform("Linux", Reason = "Other systems number their signals otherwise.")]
    public async Task Given_a_shop_that_falls_silent_and_stays_connected_then_its_console_says_so_and_goes_on_with_the_shop()
    {
        string directory = Directory.CreateTempSubdirectory("shop-pages-").FullName;
        await using Window console = await Browser.OpenAsync();
        console.ToleratesNoAnswer();
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            ILocator state = console.Page.Locator("[data-live-state]");
            await console.Page.GotoAsync($"{shop.Orders.BaseAddress}live");
            await Expect(state).ToHaveTextAsync("Live.", new() { Timeout = 30_000 });
            shop.Signal(Stop);
            await Expect(state).ToContainTextAsync("Not connected.", new() { Timeout = 30_000 });
            await Expect(console.Page.Locator("[data-figure=rate]")).ToHaveTextAsync("–");
            shop.Signal(Continue);
            await Expect(state).ToHaveTextAsync("Live.", new() { Timeout = 60_000 });
            shop.Signal(Kill);
            await shop.ExitAsync();
        }

        Directory.Delete(directory, recursive: true);
    }

    [Test]
    public async Task Given_no_place_left_when_pages_are_opened_then_they_say_so_and_move_all_the_same_and_take_a_place_once_there_is_one()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await using Window console = await Browser.OpenAsync(), board = await Browser.OpenAsync();
        foreach (Window window in new[] { console, board }) window.ToleratesNoAnswer();
        var watchers = new List<HttpResponseMessage>();
        foreach (string path in new[] { "/live/events", "/board/events" })
            watchers.AddRange(await Task.WhenAll(Enumerable.Range(0, Places)
                .Select(_ => shop.Orders.GetAsync(path, HttpCompletionOption.ResponseHeadersRead))));
        Assert.That(watchers.Select(watcher => (int)watcher.StatusCode), Is.All.EqualTo(200));

        await console.Page.GotoAsync($"{shop.Orders.BaseAddress}live");
        await board.Page.GotoAsync($"{shop.Orders.BaseAddress}");
        await Expect(console.Page.Locator("[data-live-state]")).ToContainTextAsync("asks every 3 seconds");
        await Expect(board.Page.Locator("[data-board-state]")).ToContainTextAsync("asks every 3 seconds");
        string id = await shop.OrderAsync("prod_3");
        await Expect(board.Page.GetByRole(AriaRole.Link, new() { Name = id }))
            .ToBeVisibleAsync(new() { Timeout = 15_000 });
        await Expect(console.Page.Locator("[data-map=routes]"))
            .ToContainTextAsync("POST /orders", new() { Timeout = 15_000 });
        await Expect(console.Page.Locator("[data-charts] path.line.middle")).Not.ToHaveCountAsync(0);
        await console.Page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "live-no-place.png") });

        foreach (HttpResponseMessage watcher in watchers) watcher.Dispose();
        await Expect(console.Page.Locator("[data-live-state]")).ToHaveTextAsync("Live.", new() { Timeout = 30_000 });
        await Expect(board.Page.Locator("[data-board-state]")).ToContainTextAsync("Live", new() { Timeout = 30_000 });
    }

    [TestCase("main")]
    [TestCase("history")]
    [TestCase("body")]
    [TestCase("__proto__")]
    public async Task Given_an_order_whose_id_is_a_name_of_the_page_then_the_page_stays_whole(string name)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await using Window window = await Browser.OpenAsync();
        await window.OpenBoardAsync(shop);
        await shop.Orders.PostAsync("/orders",
            new { order_id = name, customer_id = name, items = new[] { new { product_id = "prod_0", quantity = 1 } } });
        await shop.OrderAsync("prod_1"); // comes after it
        foreach (bool isLoadedAgain in new[] { false, true })
        {
            if (isLoadedAgain) await window.Page.ReloadAsync();
            await Expect(window.Page.Locator("tbody tr")).ToHaveCountAsync(2);
            await Expect(window.Page.Locator("main > h1")).ToHaveTextAsync("Orders");
            Assert.That(await window.Page.EvaluateAsync<string[]>(
                    "[...document.querySelectorAll('[id], [name]')].map(element => element.id || element.name)"),
                Is.EquivalentTo(new[] { "main", "status", "customer_id" })
                    .Or.EquivalentTo(new[] { "main", "status", "customer_id", "viewport", "color-scheme" }));
        }

        await shop.Orders.PostAsync($"/orders/{name}/pay");
        await Expect(window.Page.Locator("tbody tr .paid")).ToHaveCountAsync(1);
        await Expect(window.Page.Locator("tbody tr")).ToHaveCountAsync(2);
    }
}
