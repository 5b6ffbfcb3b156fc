using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Shop.Platform.Pages;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>The figures that pages show, on amounts that are not round, beside a calculation of the test's
/// own.</summary>
internal sealed partial class FigureTests
{
    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync("Shop:Currency=CHF");

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_amounts_that_are_not_round_then_storefront_product_basket_checkout_order_and_board_show_each_of_them()
    {
        string customer = $"{Guid.NewGuid()}", category = $"Odd {Guid.NewGuid()}";
        string one = await ProductAsync(19.99m, category), other = await ProductAsync(0.07m, category), dear =
            await ProductAsync(1_000_000.00m, category);
        Assert.That(Cells(await _shop.Products.HtmlAsync($"/?category={Uri.EscapeDataString(category)}&sort=price"),
            "p class=\"price\""), Is.EqualTo(new[] { "0.07 CHF", "19.99 CHF", "1,000,000.00 CHF" }));
        Assert.That(Cells(await _shop.Products.HtmlAsync($"/product/{dear}"), "p class=\"price\""),
            Is.EqualTo(new[] { "1,000,000.00 CHF", "0.07 CHF", "19.99 CHF" }), "and others of its category");

        string basket = await _shop.Products.HtmlAsync("/basket", $"basket={one}.7~{other}.13~{dear}.3");
        Assert.That(Numbers(basket), Is.EqualTo(new[] { "19.99 CHF", "139.93 CHF", "0.07 CHF", "0.91 CHF",
            "1,000,000.00 CHF", "3,000,000.00 CHF", "3,000,140.84 CHF" }));
        Assert.That(Values(basket, "unit_price_cents"), Is.EqualTo(new[] { "1999", "7", "100000000" }));
        Assert.That(Values(basket, "quantity"), Is.EqualTo(new[] { "7", "13", "3" }));

        // Of its prices one has risen, one has fallen, and one is the same: the page shows what they were.
        (HttpStatusCode status, string checkout, _) =
            await CheckOutAsync((one, "1989", 7), (other, "9", 13), (dear, "100000000", 1));
        Assert.That((status, Cells(checkout, "del"), Numbers(checkout)), Is.EqualTo((HttpStatusCode.Conflict,
            new[] { "19.89 CHF", "0.09 CHF" }, new[] { "19.99 CHF", "0.07 CHF", "1,000,000.00 CHF" })));

        string position = (string)(await EventsAsync("long-ago"))["id"]!;
        (status, _, Uri? location) = await CheckOutAsync((one, "1999", 7), (other, "7", 13));
        Assert.That(status, Is.EqualTo(HttpStatusCode.SeeOther));
        Assert.That(Numbers(await _shop.Orders.HtmlAsync($"{location}")),
            Is.EqualTo(new[] { "7", "19.99 CHF", "139.93 CHF", "13", "0.07 CHF", "0.91 CHF", "140.84 CHF" }));
        string board = await _shop.Orders.HtmlAsync($"/?customer_id={customer}");
        Assert.That(Numbers(board), Is.EqualTo(new[] { "2", "140.84" }));
        Assert.That(board, Does.Match("<th[^>]*>[^<]*CHF"), "the currency stands in the head of the column");
        // As it was told when it was placed, and as it is told to those who were not there.
        foreach (string since in new[] { position, "long-ago" })
        {
            JsonNode told = await EventsAsync(since);
            JsonNode seen = told["events"]!.AsArray().Single(happened =>
                (string?)happened!["data"]!["customer_id"] == customer)!["data"]!;
            Assert.That(((int)seen["lines"]!, (decimal)seen["total_amount"]!, (string)seen["status"]!),
                Is.EqualTo((2, 140.84m, "created")));
        }

        async Task<JsonNode> EventsAsync(string since) =>
            (await _shop.Orders.SendJsonAsync(HttpMethod.Get, "/board/events", null, ("Accept", "application/json"),
                ("Last-Event-ID", since))).Json!;

        async Task<(HttpStatusCode, string, Uri?)> CheckOutAsync(params (string Product, string Cents,
            int Quantity)[] lines)
        {
            (string Name, string Value)[] fields = [("customer_id", customer), ("key", $"{Guid.NewGuid()}"),
                .. lines.SelectMany(line => new[] { ("product_id", line.Product), ("unit_price_cents", line.Cents),
                    ("quantity", $"{line.Quantity}") })];
            using HttpResponseMessage answer = await _shop.Orders.PostFormAsync("/checkout", _shop.Origin, fields);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.Location);
        }
    }

    [TestCase(1, 1, 1)]
    [TestCase(24, 24, 1)]
    [TestCase(25, 24, 2)]
    [TestCase(49, 24, 3)]
    public async Task Given_a_search_then_the_page_says_how_many_there_are_and_how_many_pages_that_makes(int products,
        int onFirst, int pages)
    {
        string category = $"Many {Guid.NewGuid()}";
        await Task.WhenAll(Enumerable.Repeat(1.11m, products).Concat([1.1m, 1.12m])
            .Select(price => ProductAsync(price, category)));
        string search = $"/?category={Uri.EscapeDataString(category)}&min_price=1.11&max_price=1.11", path = search,
            html = "";
        for (int page = 1; page <= pages; page++)
        {
            html = await _shop.Products.HtmlAsync(path);
            int shown = page < pages ? onFirst : products - ((pages - 1) * onFirst);
            Assert.That(Cells(html, "p class=\"price\""), Has.Length.EqualTo(shown));
            Assert.That(html, Does.Contain(products == 1 ? ">1 product<" : $">{products} products<"));
            Assert.That(html.Contains($"Page {page} of {pages}", StringComparison.Ordinal), Is.EqualTo(pages > 1));
            Assert.That((html.Contains("rel=\"prev\"", StringComparison.Ordinal),
                html.Contains("rel=\"next\"", StringComparison.Ordinal)), Is.EqualTo((page > 1, page < pages)));
            Assert.That(Values(html, "m(in|ax)_price"), Is.EqualTo(new[] { "1.11", "1.11" }));
            // Who adds a product comes back to it, on the same page.
            Assert.That(Values(html, "back").Select(WebUtility.HtmlDecode), Is.EqualTo(Values(html, "product_id")
                .Select(id => $"{search}&page={page}#{id}")));
            path = WebUtility.HtmlDecode(Next().Match(html).Groups["path"].Value);
        }

        Assert.That(Cells(await _shop.Products.HtmlAsync($"{search}&page={pages + 1}"), "p class=\"price\""),
            Is.EqualTo(Cells(html, "p class=\"price\"")), "behind the last page there is none");
    }

    [Test]
    public async Task Given_stock_that_orders_hold_then_board_and_page_show_what_can_be_sold_what_is_there_and_what_is_held()
    {
        string product = await _shop.ProductAsync(stock: 110);
        await _shop.OrderAsync(product, 13);
        await _shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 29 });
        string cancelled = await _shop.OrderAsync(product, 7);
        await _shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
        Assert.That(Numbers(await _shop.Inventory.HtmlAsync($"/?product_id={product}")),
            Is.EqualTo(new[] { "68", "81", "13" }));
        string html = await _shop.Inventory.HtmlAsync($"/stock/{product}");
        Assert.That(Cells(html, "dd"), Is.EqualTo(new[] { "68", "81", "13" }));
        // Newest first: units, what is on hand after it, what is reserved after it.
        Assert.That(Numbers(html), Is.EqualTo(new[] { "7", "81", "13", "7", "81", "20", "29", "81", "13", "13", "110",
            "13", "110", "110", "0" }));
        Assert.That(html, Does.Contain("each of the last 5 movements"));
        Assert.That(html, Does.Contain("The axis starts at 0."));
        // 110, 97, 68, 61, 68: from 0, at 115, to the highest, at 5, and a quarter of 600 apart.
        Assert.That(Drawn(html), Is.EqualTo(Heights(0, 110, 97, 68, 61, 68)).Within(0.06));
    }

    [Test]
    public async Task Given_changes_that_are_small_beside_the_stock_then_the_axis_is_cut_and_says_so()
    {
        string product = await _shop.ProductAsync(stock: 100_000);
        await _shop.OrderAsync(product, 500);
        await _shop.OrderAsync(product, 40);
        string html = await _shop.Inventory.HtmlAsync($"/stock/{product}");
        Assert.That(html, Does.Contain("The axis starts at 99,460, not at 0")
            .And.Contain("<span>100,000</span><span>99,460</span>"));
        Assert.That(Drawn(html), Is.EqualTo(Heights(99_460, 100_000, 99_500, 99_460)).Within(0.06));
    }

    [TestCase(999)]
    [TestCase(10_000_000_000)]
    public async Task Given_a_page_behind_the_last_then_the_last_one_is_shown(long page)
    {
        string html = await _shop.Products.HtmlAsync($"/?q=lamp&page={page}"), last =
            await _shop.Products.HtmlAsync("/?q=lamp&page=1");
        Assert.That(Cells(html, "p class=\"price\""), Is.EqualTo(Cells(last, "p class=\"price\"")).And.Not.Empty);
    }

    [Test]
    public async Task Given_a_name_when_the_stock_is_searched_then_products_of_that_name_are_found_and_movements_lead_to_orders()
    {
        string product = await _shop.ProductAsync(stock: 3);
        string order = await _shop.OrderAsync(product, 1);
        await _shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{product}",
            new { name = $"Fjord lantern {product}", price = 10 });
        foreach (string text in new[] { product, "fjord LANTERN" })
        {
            string found = await _shop.Inventory.HtmlAsync($"/?product_id={Uri.EscapeDataString(text)}");
            Assert.That(found, Does.Contain($"Fjord lantern {product}</a> <span class=\"id\">{product}</span>"));
        }

        Assert.That(await _shop.Inventory.HtmlAsync("/?product_id=unicorn"), Does.Contain("“unicorn”"));
        string movements = await _shop.Inventory.HtmlAsync($"/stock/{product}");
        Assert.That(movements, Does.Contain($"<h1>Stock of Fjord lantern {product}</h1>")
            .And.Contain($"/order/{order}\">{ShortId.Of(order)}</a>"));
    }

    [Test]
    public async Task Given_levels_around_ten_then_the_board_has_the_shortest_first_and_marks_those_that_are_out_or_low()
    {
        (long Stock, string? Mark)[] made = [(11, null), (0, "status cancelled"), (10, null), (9, "status created"),
            (1, "status created")];
        var ids = new List<string>();
        foreach ((long stock, _) in made) ids.Add(await _shop.ProductAsync(stock));
        string html = await _shop.Inventory.HtmlAsync("/");
        for (int i = 0; i < made.Length; i++)
            Assert.That(Regex.Match(html,
                $"""href="/stock/{ids[i]}">A thing</a> <span class="id">{ids[i]}</span></td>"""
                + """<td class="number"><span( class="(?<mark>[^"]*)")?>(?<level>[0-9]+)<""",
                RegexOptions.ExplicitCapture,
                TimeSpan.FromMinutes(1)) is { Success: true } row
                ? (long.Parse(row.Groups["level"].Value), row.Groups["mark"].Success ? row.Groups["mark"].Value : null)
                    : (-1, null), Is.EqualTo(made[i]));
        int[] places = [.. new[] { 1, 4, 3, 2, 0 }.Select(i =>
            html.IndexOf($"\"/stock/{ids[i]}\"", StringComparison.Ordinal))];
        Assert.That(places, Is.Ordered);
        Assert.That(Regex.Count(html, "href=\"/stock/", RegexOptions.None, TimeSpan.FromMinutes(1)), Is.EqualTo(100));
    }

    [Test]
    public async Task Given_requests_of_every_outcome_then_the_console_without_a_script_shows_each_count_of_the_metrics()
    {
        for (int i = 0; i < 7; i++) await _shop.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory/none");
        for (int i = 0; i < 3; i++) await _shop.Inventory.PostAsync("/inventory/increase",
            new { product_id = "prod_5", quantity = 11 });
        Exposition metrics = await Exposition.OfAsync(_shop.Inventory);
        string html = await _shop.Inventory.HtmlAsync("/live");
        string Row(string name) =>
            Regex.Match(html, $"<tr><td>{Regex.Escape(name)}</td><td class=\"number\">(?<value>[^<]*)</td>",
            RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1)).Groups["value"].Value;
        double all = metrics.Series.Where(series => series.StartsWith("app_requests_total", StringComparison.Ordinal))
            .Sum(series => metrics[series]);
        Assert.Multiple(() =>
        {
            Assert.That(Row("4xx: 404 Not Found"),
                Is.EqualTo($"{metrics["""http_requests_by_status_code_total{code="404"}"""]}"));
            Assert.That(Row("2xx: 200 OK"),
                Is.EqualTo($"{metrics["""http_requests_by_status_code_total{code="200"}"""]}"));
            Assert.That(Row("GET /inventory/{product_id}"),
                Is.EqualTo($"{metrics["""app_requests_total{endpoint="/inventory/{product_id}",method="GET"}"""]}"));
            Assert.That(Row("POST /inventory/increase"),
                Is.EqualTo($"{metrics["""app_requests_total{endpoint="/inventory/increase",method="POST"}"""]}"));
            Assert.That(Row("inventory_units_moved_total kind=&quot;received&quot;"),
                Is.EqualTo($"{metrics["""inventory_units_moved_total{kind="received"}"""]}"));
            Assert.That(Row("inventory_reservations_open"), Is.EqualTo($"{metrics["inventory_reservations_open"]}"));
            Assert.That(html, Does.Contain($"data-figure=\"total\">{all}<"));
        });
    }

    [Test]
    public async Task Given_seconds_with_figures_that_all_differ_when_the_console_shows_them_then_each_is_in_its_place_and_each_line_at_its_height()
    {
        // When; requests; failed; p50; p95; p99; refused; 2xx; 3xx; under way; waiting; commit;
        // placed; not placed; revenue; unpaid.
        const string Second = """
            {"point":[60000,123.4,2.25,3.5,47.125,88.75,11.5,100.2,9.45,13,4,6.5,17,3,4321,29],
            "requests":98765,"traffic":0,"codes":{"2xx: 200 OK":98001},"routes":{"GET /a":7,"GET /b":98},
            "figures":{"orders_created_total":4321},"started":1,"version":"1.0.0","faults":[],"endpoints":[
            {"route":"GET /b","requests":98,"rate":2.5,"failed":0,"p50":1.5,"p95":9.25,"rates":[1,2]},
            {"route":"GET /a","requests":7,"rate":0.1,"failed":12.5,"p50":3,"p95":4,"rates":[0,1]}]}
            """;
        const string History = "[[59000,61.7,0,1.75,20,40,4.5,50,7.2,5,1,null,8,1,2000,12],"
            + "[60000,123.4,2.25,3.5,47.125,88.75,11.5,100.2,9.45,13,4,6.5,17,3,4321,29]]";
        await using Window window = await Browser.OpenAsync();
        window.ToleratesNoAnswer();
        int asked = 0;
        // No place for a stream, so that the page asks, and what it has been told stays.
        await window.Page.RouteAsync("**/live/events*", route => Interlocked.Increment(ref asked) == 1
            ? route.FulfillAsync(new() { Status = 503 })
            : route.FulfillAsync(new()
            {
                ContentType = "application/json",
                Body = $$"""{"id":"x-1","places":0,"events":[{"event":"history","data":{{History}}},"""
                    + $$"""{"event":"second","data":{{Second}}}]}""",
            }));
        await window.Page.GotoAsync($"{_shop.Orders.BaseAddress}live");
        foreach ((string name, string value) in new[] { ("rate", "123"), ("refused", "11.5"), ("errors", "2.25"),
            ("succeeded", "100"), ("redirected", "9.45"), ("p50", "3.5"), ("p95", "47.1"), ("p99", "88.8"),
            ("inprogress", "13"), ("waiting", "4"), ("commit", "6.5"), ("total", "98765") })
            await Expect(window.Page.Locator($"[data-figure={name}]")).ToHaveTextAsync(value);
        await Expect(window.Page.Locator(".own dd")).ToHaveTextAsync(["17", "3", "4,321 CHF", "29"]);
        await Expect(window.Page.Locator("[data-map=codes] tr")).ToHaveTextAsync(["2xx: 200 OK98001"]);
        await Expect(window.Page.Locator("[data-map=routes] tr"))
            .ToHaveTextAsync(["GET /b982.501.59.25", "GET /a70.112.534"]);
        await Expect(window.Page.Locator("[data-map=figures] tr")).ToHaveTextAsync(["orders_created_total4,321"]);
        await Expect(window.Page.Locator("[data-charts] .caption")).ToHaveTextAsync(
            ["Requests a second", "Latency", "Under way and waiting", "Commit to disk, p95", "Business, a second"]);

        // A chart is 148 high, from 30 on. Its highest tick is round: 150 requests, 100 ms, 15 of what waits.
        static double Linear(double value, double top) => 30 + (148 * (1 - (value / top)));
        static double Logarithmic(double value, double low, double high) =>
            30 + (148 * (1 - (Math.Log10(value / low) / Math.Log10(high / low))));
        foreach ((string series, double[] heights) in new[]
        {
            ("[data-chart=Stacked] .failed", new[] { Linear(0, 150), Linear(2.25, 150) }),
            ("[data-chart=Stacked] .refused", [Linear(4.5, 150), Linear(13.75, 150)]),
            ("[data-chart=Stacked] .redirected", [Linear(11.7, 150), Linear(23.2, 150)]),
            ("[data-chart=Stacked] .succeeded", [Linear(61.7, 150), Linear(123.4, 150)]),
            ("figure:has([data-figure=p50]) .low", [Logarithmic(1.75, 1, 100), Logarithmic(3.5, 1, 100)]),
            ("figure:has([data-figure=p50]) .middle", [Logarithmic(20, 1, 100), Logarithmic(47.125, 1, 100)]),
            ("figure:has([data-figure=p50]) .high", [Logarithmic(40, 1, 100), Logarithmic(88.75, 1, 100)]),
            ("figure:has([data-figure=waiting]) .middle", [Linear(5, 15), Linear(13, 15)]),
            ("figure:has([data-figure=waiting]) .high", [Linear(1, 15), Linear(4, 15)]),
            ("figure:has([data-figure=commit]) .high", [Logarithmic(6.5, 1, 10)]),
            ("figure:has([data-figure=line0]) .middle", [Linear(8, 20), Linear(17, 20)]),
        })
        {
            string drawn = (await window.Page.Locator($"{series}:is(path)").GetAttributeAsync("d"))!;
            double[] seen = [.. Regex.Matches(drawn, "[ML][0-9.]+,(?<y>[0-9.]+)", RegexOptions.ExplicitCapture,
                TimeSpan.FromMinutes(1)).Take(heights.Length)
                .Select(point => double.Parse(point.Groups["y"].Value, CultureInfo.InvariantCulture))];
            Assert.That(seen, Is.EqualTo(heights).Within(0.06), series);
        }

        // A head sorts; the same head again sorts the other way.
        foreach ((string head, string order, string first) in new[] { ("Failed", "descending", "GET /a"),
            ("Failed", "ascending", "GET /b"), ("Endpoint", "ascending", "GET /a"), ("p50", "descending", "GET /a") })
        {
            ILocator button = window.Page.Locator("[data-sort]", new() { HasText = head });
            await button.FocusAsync();
            await window.Page.Keyboard.PressAsync("Enter");
            await Expect(window.Page.Locator("th", new() { Has = button })).ToHaveAttributeAsync("aria-sort", order);
            await Expect(window.Page.Locator("[data-map=routes] td").First).ToHaveTextAsync(first);
        }
    }

    // What the line should be: each level's place, from left to right.
    private static double[][] Heights(double bottom, params double[] levels) =>
        [.. levels.Select((level, i) => new[]
        {
            600d * i / (levels.Length - 1), 115 - ((level - bottom) * 110 / (levels.Max() - bottom)),
        })];

    private static double[][] Drawn(string html) =>
        [.. Points().Match(html).Groups["points"].Value.Split(' ').Select(point => point.Split(',')
            .Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray())];

    private async Task<string> ProductAsync(decimal price, string category)
    {
        (HttpResponseMessage made, JsonNode? product) = await _shop.Products.PostAsync("/products",
            new { name = "An odd thing", price, category, initial_stock = 1000 });
        Assert.That((int)made.StatusCode, Is.EqualTo(201));
        return (string)product!["id"]!;
    }

    // The text of each cell for a number, without those that have a field in them.
    private static string[] Numbers(string html) =>
        [.. NumberCell().Matches(html).Select(cell => Tag().Replace(cell.Groups["text"].Value, "").Trim()
            .Split('\n')[^1].Trim()).Where(text => text.Length > 0)];

    private static string[] Cells(string html, string start) =>
        [.. Regex.Matches(html, $"<{start}>(?<text>[^<]*)<", RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1))
            .Select(cell => cell.Groups["text"].Value)];

    private static string[] Values(string html, string name) =>
        [.. Regex.Matches(html, $"""name="{name}"[^>]* value="(?<value>[^"]*)""", RegexOptions.ExplicitCapture,
            TimeSpan.FromMinutes(1)).Select(field => field.Groups["value"].Value)];

    [GeneratedRegex("<td class=\"number[^\"]*\">(?<text>.*?)</td>",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, 60_000)]
    private static partial Regex NumberCell();

    [GeneratedRegex("<[^>]*>", RegexOptions.None, 60_000)]
    private static partial Regex Tag();

    [GeneratedRegex("<a rel=\"next\" href=\"(?<path>[^\"]*)\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Next();

    [GeneratedRegex("<polyline class=\"line\" points=\"(?<points>[^\"]*)\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Points();
}
