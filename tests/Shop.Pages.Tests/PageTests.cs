using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Shop.Platform.Pages;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>The pages in a real browser.</summary>
internal sealed class PageTests
{
    // SHOP_PICTURES says where the pictures go.
    private static readonly string PictureFolder = Environment.GetEnvironmentVariable("SHOP_PICTURES")
        ?? Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures");

    private ShopUnderTest _shop = null!, _broken = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _shop = await ShopUnderTest.StartAsync();
        _broken = await ShopUnderTest.StartAsync(BrokenInventory.Replace, null);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _shop.DisposeAsync();
        await _broken.DisposeAsync();
    }

    [Test]
    public async Task Given_a_product_when_it_is_looked_for_and_bought_then_the_order_is_real_and_the_basket_survives_a_reload(
        [Values] bool withScript)
    {
        await using Window window = await Browser.OpenAsync(withScript);
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Products.BaseAddress}");
        await page.GetByLabel("Search", new() { Exact = true }).FillAsync("lamp");
        await page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await page.Locator(".cards a").First.ClickAsync();
        await page.GetByLabel("Units").FillAsync("3");
        string name = await page.Locator("h1").InnerTextAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to the basket" }).ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync(name); // one stays where one is
        await page.GetByRole(AriaRole.Link, new() { Name = "Basket 3" }).ClickAsync();
        await Expect(page.GetByLabel($"Units of {name}")).ToHaveValueAsync("3");
        await page.ReloadAsync();
        await Expect(page.GetByLabel($"Units of {name}")).ToHaveValueAsync("3");
        await page.GetByLabel("Your name").FillAsync("Ada <b>Lovelace</b>");
        await page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }).ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Thank you");
        await Expect(page.Locator("main")).ToContainTextAsync("Ada <b>Lovelace</b>");
        await Expect(page.Locator("tbody tr")).ToContainTextAsync(name);
        await page.GetByRole(AriaRole.Link, new() { Name = "Follow the order" }).ClickAsync();
        string id = (await page.Locator("[data-order]").GetAttributeAsync("data-order"))!;
        await Expect(page.Locator("h1")).ToHaveTextAsync($"Order {ShortId.Of(id)}");
        JsonNode order = await _shop.Orders.GetJsonAsync($"/orders/{id}");
        Assert.That(
            ((string)order["status"]!, (string)order["items"]![0]!["name"]!, (long)order["items"]![0]!["quantity"]!),
            Is.EqualTo(("created", name, 3)));
        await page.GotoAsync($"{_shop.Products.BaseAddress}basket");
        await Expect(page.Locator("main")).ToContainTextAsync("It is empty");
    }

    [Test]
    public async Task Given_too_little_stock_when_ordered_then_the_line_says_so_and_nothing_typed_is_lost()
    {
        string short_ = await _shop.ProductAsync(stock: 2);
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        foreach (string product in new[] { "prod_3", short_ })
        {
            await page.GotoAsync($"{_shop.Products.BaseAddress}product/{product}");
            await page.GetByLabel("Units").FillAsync("5");
            await page.GetByRole(AriaRole.Button, new() { Name = "Add to the basket" }).ClickAsync();
            await Expect(page.Locator(".product .chosen")).ToContainTextAsync("5 in the basket");
        }

        await page.GotoAsync($"{_shop.Products.BaseAddress}basket");
        await page.GetByLabel("Your name").FillAsync("Grace");
        await page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }).ClickAsync();
        ILocator units = page.GetByLabel("Units of A thing");
        await Expect(units).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(page.Locator("tr", new() { Has = units })).ToContainTextAsync("Only 2 of \"A thing\" are left.");
        await Expect(page.GetByLabel("Your name")).ToHaveValueAsync("Grace");
        await Accessibility.HasNoViolationsAsync(page);
        await units.FillAsync("2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }).ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Thank you");
        Assert.That(await _shop.StockAsync(short_), Is.EqualTo((0, 2, 2)));
    }

    [Test]
    public async Task Given_an_order_when_it_comes_in_then_the_board_shows_it_and_the_buttons_take_it_through_its_life()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop);
        string id = await _shop.OrderAsync("prod_7", 2, "somebody");
        await page.GetByRole(AriaRole.Link, new() { Name = id }).ClickAsync();
        foreach ((string button, string status) in new[] { ("Pay", "paid"), ("Ship", "shipped") })
        {
            await page.GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync();
            await Expect(page.Locator(".history")).ToContainTextAsync(status);
        }

        await _shop.Orders.PostAsync($"/orders/{id}/deliver"); // by somebody else: the page follows
        await Expect(page.Locator(".history")).ToContainTextAsync("delivered");
        await Expect(page.GetByRole(AriaRole.Button)).ToHaveCountAsync(0);
        Assert.That((string)(await _shop.Orders.GetJsonAsync($"/orders/{id}"))["status"]!, Is.EqualTo("delivered"));
        await page.GotoAsync($"{_shop.Orders.BaseAddress}?status=created&customer_id=somebody");
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(0);
    }

    [Test]
    public async Task Given_a_pointer_on_the_board_or_a_pause_then_no_row_moves_and_what_has_come_is_shown_afterwards()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        string first = await _shop.OrderAsync("prod_6");
        await window.OpenBoardAsync(_shop);
        ILocator top = page.Locator("tbody tr").First, note = page.Locator("[data-board-held]");

        await top.HoverAsync();
        string second = await _shop.OrderAsync("prod_6");
        await Expect(note).ToContainTextAsync("1 change waits");
        await Expect(top).ToHaveAttributeAsync("data-order-id", first);
        await _shop.Orders.PostAsync($"/orders/{first}/pay"); // a status is shown where it is
        await Expect(top.Locator(".status")).ToHaveTextAsync("paid");
        await page.Locator("h1").HoverAsync();
        await Expect(top).ToHaveAttributeAsync("data-order-id", second);
        await Expect(note).ToBeEmptyAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        string[] paused = [await _shop.OrderAsync("prod_6"), await _shop.OrderAsync("prod_6")];
        await Expect(note).ToContainTextAsync("2 changes wait");
        await Expect(top).ToHaveAttributeAsync("data-order-id", second);
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Expect(top).ToHaveAttributeAsync("data-order-id", paused[1]);
        await Expect(page.Locator("tbody tr").Nth(1)).ToHaveAttributeAsync("data-order-id", paused[0]);
    }

    [Test]
    public async Task Given_as_many_orders_as_a_paused_board_keeps_then_it_counts_them_and_after_one_more_it_reads_the_page_again()
    {
        string customer = $"{Guid.NewGuid()}";
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?customer_id={customer}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        ILocator note = page.Locator("[data-board-held]"), rows = page.Locator("tbody tr");
        foreach (int[] some in Enumerable.Range(0, 100).Chunk(20))
            await Task.WhenAll(some.Select(_ => _shop.OrderAsync("prod_6", 1, customer)));
        await Expect(note).ToHaveTextAsync("Paused. 100 changes wait.");
        string last = await _shop.OrderAsync("prod_6", 1, customer);
        await Expect(note).ToHaveTextAsync("Paused. More than 100 changes wait.");
        await Expect(rows).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Expect(rows).ToHaveCountAsync(50);
        await Expect(rows.First).ToHaveAttributeAsync("data-order-id", last);
        await Expect(note).ToBeEmptyAsync();
    }

    [Test]
    public async Task Given_older_orders_that_change_then_the_board_still_has_the_newest_first()
    {
        string customer = $"{Guid.NewGuid()}";
        string[] ids = await Orders(3);
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await window.OpenBoardAsync(_shop, $"?status=paid&customer_id={customer}");
        foreach (int paid in new[] { 1, 0, 2 }) await _shop.Orders.PostAsync($"/orders/{ids[paid]}/pay");
        ILocator rows = page.Locator("tbody tr");
        await Expect(rows).ToHaveCountAsync(3);
        foreach (int row in Enumerable.Range(0, 3))
            await Expect(rows.Nth(row)).ToHaveAttributeAsync("data-order-id", ids[2 - row]);

        string old = ids[0];
        ids = await Orders(50);
        await window.OpenBoardAsync(_shop, $"?customer_id={customer}");
        await _shop.Orders.PostAsync($"/orders/{old}/ship");
        await _shop.Orders.PostAsync($"/orders/{ids[^1]}/pay"); // once this is told, the one before has been
        await Expect(rows.First.Locator(".status")).ToHaveTextAsync("paid");
        await Expect(rows.First).ToHaveAttributeAsync("data-order-id", ids[^1]);
        await Expect(rows).ToHaveCountAsync(50);
        await Expect(page.Locator($"[data-order-id='{old}']")).ToHaveCountAsync(0);

        // Each in a millisecond of its own.
        async Task<string[]> Orders(int count)
        {
            var placed = new SortedDictionary<string, string>(StringComparer.Ordinal);
            while (placed.Count < count)
            {
                string id = await _shop.OrderAsync("prod_6", 1, customer);
                placed[(string)(await _shop.Orders.GetJsonAsync($"/orders/{id}"))["created_at"]!] = id;
            }

            return [.. placed.Values];
        }
    }

    [Test]
    public async Task Given_stock_that_is_plenty_little_none_or_not_known_then_card_and_page_say_so_and_what_is_sold_out_can_t_be_added()
    {
        string category = $"Stock {Guid.NewGuid()}";
        string[] ids = await Task.WhenAll(new[] { 4, 0, 1000 }.Select(async stock =>
            (string)(await _shop.Products.PostAsync("/products",
                new { name = $"Has {stock}", price = 1, category, initial_stock = stock })).Json!["id"]!));
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Products.BaseAddress}?category={Uri.EscapeDataString(category)}");
        foreach ((string id, string said, string detail, int forms) in new[]
        {
            (ids[0], "Only 4 left", "Only 4 left", 1), (ids[1], "Sold out", "Sold out", 0),
            (ids[2], "In stock", "In stock: 1,000 units", 1),
        })
        {
            ILocator card = page.Locator($"#{id}");
            await Expect(card.Locator(".stock")).ToHaveTextAsync(said);
            await Expect(card.Locator("form")).ToHaveCountAsync(forms);
            using HttpResponseMessage answer = await _shop.Products.GetAsync($"/product/{id}");
            Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain($">{detail}<"));
        }

        await page.GotoAsync($"{_broken.Products.BaseAddress}product/{BrokenInventory.ProductOf("no stock")}");
        await Expect(page.Locator(".product .price")).ToBeVisibleAsync();
        await Expect(page.Locator(".product .stock")).ToHaveCountAsync(0);
        await Expect(page.Locator(".product form")).ToHaveCountAsync(1);
    }

    [Test]
    public async Task Given_a_card_when_its_product_is_added_then_one_stays_there_and_card_and_header_count_it(
        [Values] bool withScript)
    {
        await using Window window = await Browser.OpenAsync(withScript);
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Products.BaseAddress}?sort=-price&page=2");
        ILocator card = page.Locator(".cards li").Nth(5);
        string id = (await card.GetAttributeAsync("id"))!;
        for (int times = 1; times <= 2; times++)
        {
            await card.GetByRole(AriaRole.Button).ClickAsync();
            await Expect(card.Locator(".chosen")).ToHaveTextAsync($"{times} in the basket");
            await Expect(page.Locator(".count")).ToHaveTextAsync($"{times}");
            await Expect(page)
                .ToHaveURLAsync(new Regex($"sort=-price&page=2(#{id})?$", RegexOptions.None, TimeSpan.FromMinutes(1)));
        }
    }

    [Test]
    public async Task Given_several_products_that_are_added_at_once_then_the_basket_has_each_of_them()
    {
        await using Window window = await Browser.OpenAsync();
        await window.Page.GotoAsync($"{_shop.Products.BaseAddress}?sort=-price&page=3");
        await window.Page.EvaluateAsync(
            "[0, 1, 2, 1].forEach((card) => document.querySelectorAll('.cards button')[card].click())");
        await Expect(window.Page.Locator(".count")).ToHaveTextAsync("4", new() { Timeout = 30_000 });
        await Expect(window.Page.Locator(".cards .chosen"))
            .ToHaveTextAsync(["1 in the basket", "2 in the basket", "1 in the basket"]);
    }

    [Test]
    public async Task Given_an_order_that_went_on_meanwhile_when_an_old_page_asks_for_a_step_then_the_refusal_is_explained()
    {
        string id = await _shop.OrderAsync("prod_8");
        await using Window window = await Browser.OpenAsync(withScript: false); // with one, the page follows
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}order/{id}");
        await _shop.Orders.PostAsync($"/orders/{id}/cancel");
        await window.Page.GetByRole(AriaRole.Button, new() { Name = "Pay" }).ClickAsync();
        await Expect(window.Page.GetByRole(AriaRole.Alert))
            .ToHaveTextAsync("An order that is cancelled can't become paid.");
    }

    [Test]
    public async Task Given_a_short_product_when_it_is_restocked_then_level_and_movements_show_it_and_too_large_a_decrease_is_explained(
        [Values] bool withScript)
    {
        string product = await _shop.ProductAsync(stock: 0);
        await using Window window = await Browser.OpenAsync(withScript);
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Inventory.BaseAddress}");
        await page.Locator($"a[href='/stock/{product}']").ClickAsync();
        await page.GetByLabel("Units").FillAsync("7");
        await page.GetByRole(AriaRole.Button, new() { Name = "Increase" }).ClickAsync();
        await Expect(page.Locator("tbody tr").First).ToContainTextAsync("received");
        await page.GetByLabel("Units").FillAsync("8");
        await page.GetByRole(AriaRole.Button, new() { Name = "Decrease" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync($"only 7 of {product} can be removed, not 8");
        Assert.That(await _shop.StockAsync(product), Is.EqualTo((7, 7, 0)));
    }

    [Test]
    [Category("CI")]
    public async Task Given_demo_traffic_when_the_console_is_watched_then_its_figures_move_and_are_those_of_metrics()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{shop.Orders.BaseAddress}live");
        await page.GetByRole(AriaRole.Spinbutton, new() { Name = "Requests a second", Exact = true }).FillAsync("100");
        await page.GetByRole(AriaRole.Button, new() { Name = "Start", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-map=routes]")).ToContainTextAsync("POST /orders");
        // The line of latency has a point for each second.
        await page.WaitForFunctionAsync("() => document.querySelector('[data-chart=Logarithmic] "
            + "path.low').getAttribute('d').split('L').length >= 20", null, new() { Timeout = 120_000 });
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, "traffic.png"), FullPage = true });
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await Expect(page.GetByText("Off.", new() { Exact = true })).ToBeVisibleAsync();

        // Once nothing moves any more, both must say the same.
        await Expect(page.Locator("[data-figure=rate]")).ToHaveTextAsync("0", new() { Timeout = 60_000 });
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        double total = metrics.Series.Where(series => series.StartsWith("app_requests_total", StringComparison.Ordinal))
            .Sum(series => metrics[series]);
        await Expect(page.Locator("[data-figure=total]")).ToHaveTextAsync($"{total}");
        var createdOrders = new Regex("^orders_created_total", RegexOptions.None, TimeSpan.FromMinutes(1));
        string created = await page.Locator("tr", new() { HasTextRegex = createdOrders })
            .Locator(".number").InnerTextAsync();
        Assert.That(double.Parse(created), Is.EqualTo(metrics["orders_created_total"]).And.Positive);
        Assert.That(metrics["""app_requests_total{endpoint="/live",method="GET"}"""],
            Is.Positive, "pages are counted under their routes");
    }

    // Light and wide; for CI dark and narrow too, so each colour and each width. The other two of each page are slow.
    private static IEnumerable<TestCaseData> Pictures() =>
        from page in new[]
        {
            "storefront", "sold-out", "nothing-found", "product", "basket", "empty-basket", "orders", "no-orders",
            "order", "thanks", "stock", "no-stock", "movements", "live", "whole-shop", "error-400", "error-404",
            "error-429", "error-500", "error-503",
        }
        from isDark in new[] { false, true }
        from isNarrow in new[] { false, true }
        let picture = new TestCaseData(page, isDark, isNarrow)
        select (isDark, isNarrow) switch
        {
            (false, false) => picture,
            (true, true) => picture.SetCategory("CI"),
            _ => picture.SetCategory("Slow"),
        };

    [TestCaseSource(nameof(Pictures))]
    public async Task Given_a_page_light_or_dark_wide_or_narrow_then_axe_finds_nothing_and_it_fits(
        string name, bool isDark, bool isNarrow)
    {
        string order = await _shop.OrderAsync("prod_10", 2, "Ada Lovelace");
        string url = name switch
        {
            "storefront" => $"{_shop.Products.BaseAddress}",
            "sold-out" => $"{_shop.Products.BaseAddress}?q=tent",
            "nothing-found" => $"{_shop.Products.BaseAddress}?q=unicorn",
            "product" => $"{_shop.Products.BaseAddress}product/prod_84",
            "basket" or "empty-basket" => $"{_shop.Products.BaseAddress}basket",
            "orders" => $"{_shop.Orders.BaseAddress}",
            "no-orders" => $"{_shop.Orders.BaseAddress}?customer_id=nobody",
            "order" => $"{_shop.Orders.BaseAddress}order/{order}",
            "thanks" => $"{_shop.Orders.BaseAddress}order/{order}/thanks",
            "stock" => $"{_shop.Inventory.BaseAddress}",
            "no-stock" => $"{_shop.Inventory.BaseAddress}?product_id=unicorn",
            "movements" => $"{_shop.Inventory.BaseAddress}stock/prod_10",
            "error-400" => $"{_shop.Orders.BaseAddress}orders?limit=many",
            "error-404" => $"{_shop.Orders.BaseAddress}order/none",
            "live" => $"{_shop.Orders.BaseAddress}live",
            "whole-shop" => $"{_shop.Orders.BaseAddress}live/shop",
            _ => $"{_broken.Products.BaseAddress}product/{BrokenInventory.ProductOf(name)}",
        };
        await using Window window = await Browser.OpenAsync(isDark: isDark, width: isNarrow ? 360 : 1280);
        IPage page = window.Page;
        if (name.StartsWith("error", StringComparison.Ordinal)) window.ToleratesNoAnswer();
        if (name == "basket")
        {
            await page.GotoAsync($"{_shop.Products.BaseAddress}");
            foreach (int card in new[] { 0, 3, 6 }) await page.Locator(".cards button").Nth(card).ClickAsync();
            await Expect(page.Locator(".count")).ToHaveTextAsync("3", new() { Timeout = 30_000 });
        }

        await page.GotoAsync(url);
        if (name is "live" or "whole-shop") await Expect(page.Locator("[data-charts] .tick").First).ToBeVisibleAsync();
        await Accessibility.HasNoViolationsAsync(page);
        Assert.That(await page.EvaluateAsync<int>(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"),
            Is.LessThanOrEqualTo(0), "it is wider than the window");
        // A row of a list is two or three lines, on a phone too: no id in five lines.
        Assert.That(await page.EvaluateAsync<double>(
                "Math.max(0, ...[...document.querySelectorAll('.list tbody tr')].map(row => row.offsetHeight))"),
            Is.LessThanOrEqualTo(80));
        string picture = $"{name}-{(isDark ? "dark" : "light")}-{(isNarrow ? "narrow" : "wide")}.png";
        await page.ScreenshotAsync(new() { Path = Path.Combine(PictureFolder, picture) });
    }

    [Test]
    public async Task Given_the_docs_page_then_it_works_under_its_policy()
    {
        await using Window window = await Browser.OpenAsync();
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}docs");
        await Expect(window.Page.GetByText("Place an order").First).ToBeVisibleAsync(new() { Timeout = 30_000 });
    }

    [Test]
    public async Task Given_a_keyboard_alone_then_the_first_stop_skips_to_the_content_and_a_product_can_be_added()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{_shop.Products.BaseAddress}");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.Locator(".skip")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        ILocator add = page.Locator(".cards button").First;
        for (int i = 0; i < 20 && !await add.EvaluateAsync<bool>("button => button === document.activeElement"); i++)
            await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator(".count")).ToHaveTextAsync("1");
        await Expect(page.GetByRole(AriaRole.Status).Filter(new() { HasText = "is in the basket" })).ToBeVisibleAsync();
        await Expect(add).ToBeFocusedAsync();
    }
}
