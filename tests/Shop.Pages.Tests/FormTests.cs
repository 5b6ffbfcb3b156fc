using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Security;

namespace Shop.Pages.Tests;

/// <summary>What stands between a form and the shop, without a browser.</summary>
internal sealed class FormTests
{
    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [TestCase("https://evil.example")]
    [TestCase("http://127.0.0.1:1")]
    [TestCase("null")]
    [TestCase(null)]
    public async Task Given_a_form_of_a_page_that_is_not_the_shops_then_403_and_nothing_is_done(string? origin)
    {
        string order = await _shop.OrderAsync("prod_0");
        foreach ((HttpClient client, string path, (string, string)[] fields) in new[]
        {
            (_shop.Orders, "/checkout",
                new[] { ("customer_id", "x"), ("product_id", "prod_0"), ("quantity", "1"), ("key", "k") }),
            (_shop.Orders, $"/order/{order}", [("step", "cancel")]),
            (_shop.Inventory, "/stock/prod_0", [("action", "increase"), ("quantity", "1")]),
            (_shop.Products, "/basket", [("action", "add"), ("product_id", "prod_0"), ("quantity", "1")]),
            (_shop.Products, "/live/traffic", [("action", "start"), ("rate", "1")]),
        })
        {
            using HttpResponseMessage answer = await client.PostFormAsync(path, origin, fields);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), path);
        }

        Assert.That((string)(await _shop.Orders.GetJsonAsync($"/orders/{order}"))["status"]!, Is.EqualTo("created"));
    }

    [TestCase("/?sort=name&page=2#prod_5", "/?sort=name&page=2#prod_5")]
    [TestCase("//evil.example", "/basket")]
    [TestCase("/\\evil.example", "/basket")]
    [TestCase("https://evil.example", "/basket")]
    [TestCase("/é", "/basket")]
    [TestCase("/a\r\nX: y", "/basket")]
    public async Task Given_a_form_that_says_where_it_came_from_then_one_comes_back_there_but_never_elsewhere(
        string back, string location)
    {
        using HttpResponseMessage answer = await _shop.Products.PostFormAsync("/basket", _shop.Origin,
            [("action", "add"), ("product_id", "none"), ("quantity", "1"), ("back", back)]);
        Assert.That(((int)answer.StatusCode, answer.Header("Location")), Is.EqualTo((303, location)));
    }

    [TestCase(1025, "a=1&", 400, "The form can't be read")]
    [TestCase(17, "a=0123456789012345678901234567890123456789012345678901234567890123&", 303, null)]
    [TestCase(17 * 1024, "a=1&", 413, "The body is larger than 64 KiB.")]
    public async Task Given_a_form_in_chunks_then_it_is_taken_or_refused_with_the_reason(
        int times, string field, int status, string? error)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/basket")
        {
            Content = new StringContent(
                "action=remove&product_id=prod_0&" + string.Concat(Enumerable.Repeat(field, times)), null,
                "application/x-www-form-urlencoded"),
        };
        request.Headers.TransferEncodingChunked = true;
        request.Headers.Add("Origin", _shop.Origin);
        using HttpResponseMessage answer = await _shop.Products.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), await answer.Content.ReadAsStringAsync());
        if (error is not null)
        {
            Assert.That(
                (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!, Does.StartWith(error));
        }
    }

    [TestCase("")]
    [TestCase("--x\r\n")]
    [TestCase("--x\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nsta")]
    [TestCase("--x\r\nno header\r\n\r\nremove\r\n--x--")]
    [TestCase("remove")]
    public async Task Given_a_form_in_parts_that_is_cut_off_then_it_is_refused_with_the_reason_or_lacks_its_fields(
        string body)
    {
        foreach (string path in new[] { "/basket", "/checkout", "/live/trouble" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body) };
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=x");
            HttpClient client = path == "/checkout" ? _shop.Orders : _shop.Products;
            request.Headers.Add("Origin", client.BaseAddress!.GetLeftPart(UriPartial.Authority));
            using HttpResponseMessage answer = await client.SendAsync(request);
            Assert.That((int)answer.StatusCode, Is.InRange(300, 499), path);
        }
    }

    [Test]
    public async Task Given_a_form_that_does_not_come_to_its_end_when_the_time_is_over_then_408_and_the_connection_is_closed()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=1");
        Uri address = shop.Products.BaseAddress!;
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /basket HTTP/1.1\r\nHost: {address.Authority}\r\n"
            + $"Origin: {address.GetLeftPart(UriPartial.Authority)}\r\n"
            + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\naction="));
        byte[] bytes = new byte[4096];
        // a small answer comes in one piece
        string answer = Encoding.UTF8.GetString(bytes, 0, await client.GetStream().ReadAsync(bytes));
        Assert.That(answer, Does.StartWith("HTTP/1.1 408").And.Contain("The body did not arrive within 1 s."));
    }

    [Test]
    public async Task Given_a_checkout_that_is_sent_twice_then_there_is_one_order()
    {
        (string, string)[] fields =
        [
            ("customer_id", "twice"), ("product_id", "prod_0"), ("unit_price_cents", await CentsAsync("prod_0")),
            ("quantity", "1"), ("key", $"{Guid.NewGuid()}"),
        ];
        HttpResponseMessage[] answers = await Task.WhenAll(
            _shop.Orders.PostFormAsync("/checkout", _shop.Origin, fields),
            _shop.Orders.PostFormAsync("/checkout", _shop.Origin, fields));
        Assert.That(answers.Select(answer => answer.StatusCode), Is.All.EqualTo(HttpStatusCode.SeeOther));
        Assert.That(answers[0].Headers.Location, Is.EqualTo(answers[1].Headers.Location));
    }

    [TestCase("increase", 1)]
    [TestCase("decrease", -1)]
    public async Task Given_a_form_of_a_stock_page_that_is_sent_twice_then_the_stock_changes_once(
        string action, int sign)
    {
        string product = await _shop.ProductAsync(stock: 20);
        string key = Hidden(await _shop.Inventory.HtmlAsync($"/stock/{product}"), "key");
        (string, string)[] fields = [("action", action), ("quantity", "3"), ("key", key)];
        HttpResponseMessage[] twice =
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => PressAsync(fields)));
        using HttpResponseMessage later = await PressAsync(fields);
        Assert.That(twice.Append(later).Select(answer => ((int)answer.StatusCode, $"{answer.Headers.Location}")),
            Is.All.EqualTo((303, $"/stock/{product}")));
        Assert.That((await _shop.StockAsync(product)).OnHand, Is.EqualTo(20 + (3 * sign)));

        // Not another change under the same key; and each page has a key of its own, a refusal too.
        using HttpResponseMessage other = await PressAsync([("action", action), ("quantity", "4"), ("key", key)]);
        string refused = await other.Content.ReadAsStringAsync();
        Assert.That(((int)other.StatusCode, Hidden(refused, "key") == key), Is.EqualTo((409, false)));
        using HttpResponseMessage again =
            await PressAsync([("action", action), ("quantity", "4"), ("key", Hidden(refused, "key"))]);
        Assert.That(((int)again.StatusCode, (await _shop.StockAsync(product)).OnHand),
            Is.EqualTo((303, 20L + (7 * sign))));

        Task<HttpResponseMessage> PressAsync((string, string)[] sent) =>
            _shop.Inventory.PostFormAsync($"/stock/{product}", _shop.Origin, sent);
    }

    [Test]
    public async Task Given_two_API_keys_when_a_form_of_one_and_a_request_of_the_other_have_the_same_key_then_each_has_its_own()
    {
        (string ada, string adasHash) = ApiKeys.Make();
        (string bob, string bobsHash) = ApiKeys.Make();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{adasHash},bob:write:{bobsHash}");
        HttpClient[] clients = [.. shop.ByName.Values];
        foreach (HttpClient client in clients) client.DefaultRequestHeaders.Add("Authorization", $"Bearer {bob}");
        string product = await shop.ProductAsync(stock: 20, price: 3);
        (string, string)[] units = [("action", "increase"), ("quantity", "5"), ("key", "k")],
            order = [("customer_id", "c"), ("product_id", product), ("unit_price_cents", "300"), ("quantity", "2"),
                ("key", "k")];
        for (int times = 0; times < 2; times++)
        {
            foreach ((HttpClient client, string path, (string, string)[] fields) in
                new[] { (shop.Inventory, $"/stock/{product}", units), (shop.Orders, "/checkout", order) })
            {
                using HttpResponseMessage answer = await client.PostFormAsync(path, shop.Origin, fields);
                Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.SeeOther), path);
            }
        }

        foreach (HttpClient client in clients)
        {
            client.DefaultRequestHeaders.Remove("Authorization");
            client.DefaultRequestHeaders.Add("Authorization", $"Bearer {ada}");
            client.DefaultRequestHeaders.Add("Idempotency-Key", "k");
        }

        (HttpResponseMessage increased, _) = await shop.Inventory.PostAsync("/inventory/increase",
            new { product_id = product, quantity_increased = 5 });
        (HttpResponseMessage placed, _) = await shop.Orders.PostAsync("/orders", Http.Order(product, 2, "c"));
        Assert.That(((int)increased.StatusCode, (int)placed.StatusCode), Is.EqualTo((200, 201)));
        Assert.That(await shop.StockAsync(product), Is.EqualTo((26L, 30L, 4L)));
    }

    [Test]
    public async Task Given_a_step_of_an_order_that_is_sent_twice_then_it_happens_once()
    {
        string order = await _shop.OrderAsync("prod_1", 3);
        HttpResponseMessage[] twice = await Task.WhenAll(
            Enumerable.Range(0, 2).Select(
                _ => _shop.Orders.PostFormAsync($"/order/{order}", _shop.Origin, [("step", "pay")])));
        Assert.That(twice.Select(answer => (int)answer.StatusCode), Is.All.EqualTo(303));
        Assert.That((await _shop.Orders.GetJsonAsync($"/orders/{order}/events")).AsArray()
            .Select(step => (string)step!["status"]!), Is.EqualTo(new[] { "created", "paid" }));
    }

    [TestCase(49, "new", 303)]
    [TestCase(50, "new", 409)]
    [TestCase(50, "chosen", 303)]
    [TestCase(50, "new instead of one", 303)]
    [TestCase(50, "new instead of one that was deleted", 303)]
    public async Task Given_a_basket_when_a_product_is_added_then_it_is_there_or_the_page_says_that_the_basket_is_full(
        int products, string added, int status)
    {
        string[] chosen = [.. await Task.WhenAll(
            Enumerable.Range(0, products).Select(_ => _shop.ProductAsync(stock: 0)))];
        (string, string)[] fields = [("product_id", added == "chosen" ? chosen[0] : await _shop.ProductAsync(stock: 0)),
            ("quantity", "3")];
        if (added == "new instead of one") fields = [.. fields, ("product_id", chosen[7]), ("quantity", "0")];
        if (added == "new instead of one that was deleted")
            using (await _shop.Products.DeleteAsync($"/products/{chosen[7]}")) { }
        using HttpResponseMessage answer = await _shop.Products.PostFormAsync("/basket", _shop.Origin, fields,
            ("Cookie", $"basket={string.Join('~', chosen.Select(id => $"{id}.1"))}"));
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), await answer.Content.ReadAsStringAsync());
        string cookie = answer.Header("Set-Cookie") ?? "";
        if (status == 303)
        {
            Assert.That(cookie, Does.Contain($"{fields[0].Item2}.3"));
            Assert.That(cookie.Split('~'), Has.Length.EqualTo(50), cookie);
        }
        else
        {
            Assert.That(cookie, Is.Empty, "the basket is as it was");
            Assert.That((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!,
                Is.EqualTo("A basket takes 50 different products. Order them first, or take one out."));
        }
    }

    [Test]
    public async Task Given_a_price_that_changed_after_the_basket_was_shown_then_nothing_is_ordered_until_the_customer_has_seen_the_new_one()
    {
        string product = await _shop.ProductAsync(stock: 10, price: 53.40m), customer = $"{Guid.NewGuid()}";
        using var ask = new HttpRequestMessage(HttpMethod.Get, "/basket")
        {
            Headers = { { "Cookie", $"basket={product}.2" } },
        };
        using HttpResponseMessage basket = await _shop.Products.SendAsync(ask);
        string shown = await basket.Content.ReadAsStringAsync();
        Assert.That(Hidden(shown, "unit_price_cents"), Is.EqualTo("5340"));
        await _shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{product}",
            new { name = "Dear", price = 999_999.99 });

        using HttpResponseMessage refused = await SendAsync(Hidden(shown, "key"), Hidden(shown, "unit_price_cents"));
        string again = await refused.Content.ReadAsStringAsync();
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(again,
            Does.Contain("<del>53.40 EUR</del>").And.Contain("it was 53.40 EUR, and is 999,999.99 EUR now"));
        Assert.That((await _shop.Orders.GetJsonAsync($"/orders?customer_id={customer}")).AsArray(), Is.Empty);
        Assert.That((await _shop.StockAsync(product)).Reserved, Is.Zero);

        using HttpResponseMessage taken = await SendAsync(Hidden(again, "key"), Hidden(again, "unit_price_cents"));
        Assert.That(taken.StatusCode, Is.EqualTo(HttpStatusCode.SeeOther));
        Assert.That((decimal)(await _shop.Orders.GetJsonAsync($"/orders?customer_id={customer}"))[0]!["total_amount"]!,
            Is.EqualTo(1_999_999.98m));

        Task<HttpResponseMessage> SendAsync(string key, string cents) =>
            _shop.Orders.PostFormAsync("/checkout", _shop.Origin, [("customer_id", customer), ("product_id", product),
                ("unit_price_cents", cents), ("quantity", "2"), ("key", key)]);
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("-1")]
    [TestCase("much")]
    public async Task Given_a_checkout_without_the_price_that_was_seen_then_the_page_shows_it_and_asks(string? cents)
    {
        (string, string)[] price = cents is null ? [] : [("unit_price_cents", cents)];
        using HttpResponseMessage answer = await _shop.Orders.PostFormAsync("/checkout", _shop.Origin,
            [("customer_id", "x"), ("product_id", "prod_0"), .. price, ("quantity", "1"),
                ("key", $"{Guid.NewGuid()}")]);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(Hidden(await answer.Content.ReadAsStringAsync(), "unit_price_cents"),
            Is.EqualTo(await CentsAsync("prod_0")));
    }

    [TestCase("bell\u0007", "1", "must not contain control characters")]
    [TestCase("", "1", "must have 1 to 100 characters")]
    [TestCase("x", "10001", "must be a whole number from 1 to 10000")]
    [TestCase("x", "1.5", "must be a whole number from 1 to 10000")]
    public async Task Given_a_checkout_that_the_api_would_refuse_then_the_page_says_the_same(
        string customer, string quantity, string fault)
    {
        using HttpResponseMessage answer = await CheckOutAsync(customer, quantity);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain(fault));
    }

    [TestCase("increase", "0", "Units must be a whole number from 1 to 1000000000.")]
    [TestCase("increase", "many", "Units must be a whole number from 1 to 1000000000.")]
    [TestCase("steal", "1", "There is no such change.")]
    public async Task Given_a_change_of_stock_that_makes_no_sense_then_the_page_says_why(
        string action, string quantity, string fault)
    {
        using HttpResponseMessage answer = await _shop.Inventory.PostFormAsync("/stock/prod_0", _shop.Origin,
            [("action", action), ("quantity", quantity)]);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain(fault));
    }

    [Test]
    public async Task Given_a_checkout_by_a_customer_of_a_hundred_characters_that_take_two_units_each_then_it_is_an_order_as_by_the_api()
    {
        using HttpResponseMessage answer = await CheckOutAsync(string.Concat(Enumerable.Repeat("😀", 100)), "1");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.SeeOther));
    }

    [TestCase("text/html,application/xhtml+xml,*/*;q=0.8", "text/html")]
    [TestCase("application/json", "application/json")]
    [TestCase("*/*", "application/json")]
    [TestCase("application/json,text/html;q=0.5", "application/json")]
    [TestCase(null, "application/json")]
    public async Task Given_a_wish_when_the_root_is_asked_for_then_a_page_for_those_who_prefer_one_and_else_the_card(
        string? accept, string type)
    {
        foreach (HttpClient client in _shop.ByName.Values)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
            using HttpResponseMessage answer = await client.SendAsync(request);
            Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo(type));
        }
    }

    [Test]
    public async Task Given_a_page_then_its_assets_are_kept_for_ever_and_compressed()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/live") { Headers = { { "Accept", "text/html" } } };
        using HttpResponseMessage page = await _shop.Orders.SendAsync(request);
        string html = await page.Content.ReadAsStringAsync();
        foreach (string asset in html.Split('"').Where(part => part.StartsWith("/assets/", StringComparison.Ordinal)))
        {
            (HttpResponseMessage plain, HttpResponseMessage compressed) =
                (await _shop.Orders.GetAsync(asset), await GetAsync(asset, "br"));
            Assert.That(plain.Header("Cache-Control"), Is.EqualTo("public, max-age=31536000, immutable"));
            Assert.That(compressed.Header("Content-Encoding"), Is.EqualTo("br"));
            Assert.That(compressed.Content.Headers.ContentLength,
                Is.LessThan(plain.Content.Headers.ContentLength!.Value));
        }

        Exposition metrics = await Exposition.OfAsync(_shop.Orders);
        int assets = html.Split('"').Count(part => part.StartsWith("/assets/", StringComparison.Ordinal));
        Assert.That(assets, Is.AtLeast(5));
        Assert.That(metrics["""app_requests_total{endpoint="/assets/{file}",method="GET"}"""], Is.EqualTo(2 * assets));
    }

    [Test]
    public async Task Given_as_many_watchers_as_there_may_be_when_one_more_comes_then_503_and_when_the_shop_stops_they_don_t_hold_it_up()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        HttpResponseMessage[] watchers = await Task.WhenAll(Enumerable.Range(0, 256)
            .Select(_ => shop.Orders.GetAsync("/live/events", HttpCompletionOption.ResponseHeadersRead)));
        Assert.That(watchers.Select(watcher => (int)watcher.StatusCode), Is.All.EqualTo(200));
        using HttpResponseMessage oneMore = await shop.Orders.GetAsync("/live/events");
        Assert.That(((int)oneMore.StatusCode, oneMore.Header("Retry-After")), Is.EqualTo((503, "1")));
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That(metrics["app_requests_in_progress"], Is.Zero, "who watches is not counted as work");
    }

    [TestCase("PUT", "/orders", 405)]
    [TestCase("GET", "/nothing", 404)]
    [TestCase("GET", "/orders/none", 404)]
    [TestCase("GET", "/order/none", 404)]
    [TestCase("GET", "/orders?limit=x", 400)]
    [TestCase("POST", "/orders", 415)]
    [TestCase("POST", "/order/none", 403)]
    [TestCase("GET", "/orders", 406)]
    public async Task Given_an_error_then_a_page_for_those_who_prefer_one_and_else_a_problem(
        string method, string path, int status)
    {
        await IsPageOrProblemAsync(_shop.Orders, method, path, status,
            status == 406 ? "text/html" : "text/html,application/xhtml+xml,*/*;q=0.8");
    }

    [TestCase("")]
    [TestCase(".")]
    [TestCase("a..b")]
    [TestCase("xn--a")]
    [TestCase("127.1")]
    public async Task Given_a_browser_that_names_a_host_which_none_can_have_then_it_gets_a_page_and_no_500(string host)
    {
        foreach (string line in new[] { "GET /", "GET /nothing", "GET /live", "POST /basket" })
        {
            string answer = await RawHttp.SendAsync(_shop.Products.BaseAddress!,
                $"{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: {_shop.Origin}\r\nAccept: text/html\r\n"
                + "Content-Length: 0\r\nConnection: close\r\n\r\n");
            Assert.That(RawHttp.Status(answer), Is.LessThan(500), line);
            Assert.That(answer, Does.Contain("<!doctype html>"), line);
        }
    }

    [Test]
    public async Task Given_keys_when_a_browser_looks_then_errors_are_pages_and_nothing_is_offered_that_takes_a_key()
    {
        (string key, string hash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            $"Shop:ApiKeys=ada:write:{hash},bob:read:{readerHash}", "Shop:ClientRateLimit=200");
        await IsPageOrProblemAsync(shop.Products, "POST", "/basket", 401, "text/html");
        (HttpResponseMessage placed, JsonNode? order) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"),
            ("Authorization", $"Bearer {key}"));
        Assert.That((int)placed.StatusCode, Is.EqualTo(201));
        foreach ((HttpClient client, string path) in new[]
        {
            (shop.Products, "/"), (shop.Products, "/product/prod_0"),
            (shop.Orders, $"/order/{(string)order!["order_id"]!}"),
            (shop.Inventory, "/stock/prod_0"), (shop.Orders, "/live"),
        })
        {
            foreach ((string? shown, bool isOffered) in new[] { (null, false), (reader, false), (key, true) })
            {
                using var request =
                    new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", "text/html" } } };
                // by a proxy that knows it
                if (shown is not null) request.Headers.Add("Authorization", $"Bearer {shown}");
                using HttpResponseMessage page = await client.SendAsync(request);
                string html = await page.Content.ReadAsStringAsync();
                Assert.That(html.Contains("method=\"post\"", StringComparison.Ordinal), Is.EqualTo(isOffered), path);
                Assert.That(html.Contains("Changes need a key here", StringComparison.Ordinal),
                    Is.EqualTo(!isOffered), path);
            }
        }
    }

    [Test]
    public async Task Given_5000_categories_then_no_page_names_them_all_and_each_can_still_be_searched()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:DemoData=false");
        await Parallel.ForAsync(0, 5000, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, cancel) =>
        {
            (HttpResponseMessage made, _) = await shop.Products.PostAsync("/products", new
            {
                name = $"Thing {i}",
                price = 1,
                category = $"A category with a name of some length, number {i}",
            });
            Assert.That((int)made.StatusCode, Is.EqualTo(201));
        });
        Assert.That((await shop.Products.HtmlAsync("/")).Length, Is.LessThan(32 * 1024));
        Assert.That(await shop.Products.HtmlAsync(
                $"/?category={Uri.EscapeDataString("A category with a name of some length, number 4321")}"),
            Does.Contain("1 product<").And.Contain("Thing 4321"));
    }

    // As in Compose, where the browser's address is that of a bridge: whoever may write may start it.
    [TestCase("X-Forwarded-For", "203.0.113.7")]
    [TestCase("Via", "1.1 proxy")]
    public async Task Given_a_shop_that_anybody_may_write_to_when_demo_traffic_is_started_from_elsewhere_then_it_runs(
        string header, string value)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:TrustedProxies=127.0.0.1");
        Assert.That(await shop.Products.HtmlAsync("/live"), Does.Contain("action=\"/live/traffic\""));
        using HttpResponseMessage answer = await StartTrafficAsync(shop, 1, (header, value));
        Assert.That((int)answer.StatusCode, Is.EqualTo(303), await answer.Content.ReadAsStringAsync());
    }

    [TestCase("Shop:AllowedHosts=shop.example")]
    [TestCase("Shop:BindAddress=*")]
    [TestCase("Shop:ApiKeys=ada:write:{0}")]
    [TestCase("Shop:ApiKeys=ada:write:{0}", "Shop:ReadsNeedKey=true")]
    public async Task Given_settings_that_keep_others_out_when_demo_traffic_is_started_then_its_own_requests_get_in(
        params string[] settings)
    {
        (string key, string hash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(
            [.. settings.Select(setting => setting.Replace("{0}", hash, StringComparison.Ordinal))]);
        using HttpResponseMessage started = await StartTrafficAsync(shop, 200, ("Authorization", $"Bearer {key}"));
        Assert.That((int)started.StatusCode, Is.EqualTo(303), await started.Content.ReadAsStringAsync());
        await Eventually.IsSoAsync(async () => (await Exposition.OfAsync(shop.Orders))["orders_created_total"] >= 20);
        foreach (HttpClient client in shop.ByName.Values)
        {
            Exposition metrics = await Exposition.OfAsync(client);
            Assert.That(new[] { "400", "401", "403" }.Select(
                code => metrics[$$"""http_requests_by_status_code_total{code="{{code}}"}"""]), Is.All.Zero);
        }
    }

    [TestCase("0", "start", "constant")]
    [TestCase("501", "start", "constant")]
    [TestCase("many", "start", "constant")]
    [TestCase("5", "begin", "constant")]
    [TestCase("5", "start", "zigzag")]
    [TestCase("5", "start", "")]
    public async Task Given_traffic_that_makes_no_sense_then_400(string rate, string action, string shape)
    {
        using HttpResponseMessage answer = await _shop.Products.PostFormAsync("/live/traffic", _shop.Origin,
            [("action", action), ("rate", rate), ("shape", shape)]);
        Assert.That((int)answer.StatusCode, Is.EqualTo(400));
    }

    [Test]
    public async Task Given_demo_traffic_that_a_form_has_started_when_another_stops_it_then_it_ends()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using HttpResponseMessage started = await StartTrafficAsync(shop, 100);
        Assert.That((int)(await shop.Orders.GetJsonAsync("/traffic"))["rate"]!, Is.EqualTo(100));
        using HttpResponseMessage stopped = await StopTrafficAsync(shop);
        Assert.That(((int)started.StatusCode, (int)stopped.StatusCode), Is.EqualTo((303, 303)));
        Assert.That((int)(await shop.Orders.GetJsonAsync("/traffic"))["rate"]!, Is.Zero);
    }

    [Test]
    [Category("CI")]
    public async Task Given_many_starts_at_once_when_there_is_one_stop_then_nothing_goes_on()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        int seconds = 0;
        for (int round = 0; round < 3; round++)
        {
            HttpResponseMessage[] started =
                await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => StartTrafficAsync(shop, 100)));
            Assert.That(started.Select(answer => (int)answer.StatusCode), Is.All.EqualTo(303));
            double before = await RequestsAsync(shop);
            await Eventually.IsSoAsync(async () => await RequestsAsync(shop) >= before + 50);
            using HttpResponseMessage stopped = await StopTrafficAsync(shop);
            Assert.That((int)stopped.StatusCode, Is.EqualTo(303));
            using EventReader live = await EventReader.OpenAsync(shop.Orders, "/live/events");
            for (int idle = 0; idle < 3;)
            {
                JsonNode second = JsonNode.Parse((await live.NextAsync("second")).Data)!;
                Assert.That((int)second["traffic"]!, Is.Zero);
                idle = second["point"] is { } point && (double)point[1]! == 0 ? idle + 1 : 0;
                Assert.That(seconds++, Is.LessThan(90), "it goes on");
            }
        }
    }

    [TestCase(50, Category = "Slow")]
    [TestCase(200, Category = "CI")]
    public async Task Given_demo_traffic_at_a_rate_then_that_is_how_many_requests_all_services_get(int rate)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using HttpResponseMessage started = await StartTrafficAsync(shop, rate);
        Assert.That((int)started.StatusCode, Is.EqualTo(303));
        // The first orders are over, so that their later steps come in as well.
        await Eventually.IsSoAsync(async () => await RequestsAsync(shop) >= rate);
        double measured = 0;
        // Again if the machine has stood still meanwhile: a wrong rate is wrong each time.
        for (int tries = 0; tries < 5 && Math.Abs(measured - rate) > 0.08 * rate; tries++)
        {
            (double before, long start) = (await RequestsAsync(shop), Stopwatch.GetTimestamp());
            await Eventually.IsSoAsync(async () => await RequestsAsync(shop) >= before + (10 * rate));
            measured = (await RequestsAsync(shop) - before) / Stopwatch.GetElapsedTime(start).TotalSeconds;
            TestContext.Out.WriteLine($"{measured:0.0} requests a second of {rate}");
        }

        Assert.That(measured, Is.EqualTo(rate).Within(8).Percent);
    }

    private async Task<HttpResponseMessage> GetAsync(string path, string encoding)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept-Encoding", encoding } } };
        return await _shop.Orders.SendAsync(request);
    }

    private static async Task<HttpResponseMessage> StartTrafficAsync(
        ShopUnderTest shop, int rate, params (string Name, string Value)[] headers) =>
        await shop.Products.PostFormAsync(
            "/live/traffic", shop.Origin, [("action", "start"), ("rate", $"{rate}")], headers);

    private static Task<HttpResponseMessage> StopTrafficAsync(ShopUnderTest shop) =>
        shop.Products.PostFormAsync("/live/traffic", shop.Origin, [("action", "stop")]);

    private static async Task<double> RequestsAsync(ShopUnderTest shop)
    {
        Exposition[] metrics = await Task.WhenAll(shop.ByName.Values.Select(client => Exposition.OfAsync(client)));
        return metrics.Sum(service => service.Series.Where(series =>
            series.StartsWith("app_requests_total", StringComparison.Ordinal)).Sum(series => service[series]));
    }

    private static async Task IsPageOrProblemAsync(
        HttpClient client, string method, string path, int status, string accept)
    {
        foreach ((string wish, string type) in new[]
        {
            (accept, "text/html"),
            (status == 406 ? "application/xml" : "application/json", "application/problem+json"),
        })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            if (method == "POST" && status != 415) request.Content = new FormUrlEncodedContent([]);
            request.Headers.TryAddWithoutValidation("Accept", wish);
            using HttpResponseMessage answer = await client.SendAsync(request);
            string body = await answer.Content.ReadAsStringAsync();
            Assert.That(((int)answer.StatusCode, answer.Content.Headers.ContentType!.MediaType),
                Is.EqualTo((status, type)), body);
            Assert.That(answer.Headers.Vary, Does.Contain("Accept"));
            Assert.That(body, type == "text/html"
                ? Does.StartWith("<!doctype html>").And.Contain("role=\"alert\"")
                : Does.StartWith("{"));
        }
    }

    private async Task<HttpResponseMessage> CheckOutAsync(string customer, string quantity) =>
        await _shop.Orders.PostFormAsync("/checkout", _shop.Origin,
            [("customer_id", customer), ("product_id", "prod_0"), ("unit_price_cents", await CentsAsync("prod_0")),
                ("quantity", quantity), ("key", $"{Guid.NewGuid()}")]);

    private async Task<string> CentsAsync(string productId) =>
        $"{(long)((decimal)(await _shop.Products.GetJsonAsync($"/products/{productId}"))["price"]! * 100)}";

    private static string Hidden(string page, string name) => Regex.Match(page, $"""name="{name}" value="([^"]*)""",
        RegexOptions.None, TimeSpan.FromMinutes(1)).Groups[1].Value;
}
