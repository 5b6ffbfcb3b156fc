using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Pages;

namespace Shop.Pages.Tests;

/// <summary>The checkout, the page of an order and the board, without a browser.</summary>
internal sealed class OrderPageTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [TestCase("", "created", "pay,cancel", "created now")]
    [TestCase("pay", "paid", "ship,cancel", "created done,paid now")]
    [TestCase("pay,ship", "shipped", "deliver", "created done,paid done,shipped now")]
    [TestCase("pay,ship,deliver", "delivered", "", "created done,paid done,shipped done,delivered now")]
    [TestCase("cancel", "cancelled", "", "created done")]
    [TestCase("pay,cancel", "cancelled", "", "created done,paid done")]
    public async Task Given_an_order_in_a_status_then_its_page_says_how_far_it_is_and_each_step_that_it_offers_is_done_once_it_is_pressed(
        string steps, string status, string offered, string progress)
    {
        foreach (string? next in offered.Length == 0 ? new string?[] { null } : offered.Split(','))
        {
            string id = await _shop.OrderAsync("prod_21", 2, "Ada");
            string[] life = steps.Length == 0 ? [] : steps.Split(',');
            foreach (string step in life)
            {
                using HttpResponseMessage done = await PressAsync(id, step);
                Assert.That(((int)done.StatusCode, $"{done.Headers.Location}"), Is.EqualTo((303, $"/order/{id}")));
            }

            string html = await _shop.Orders.HtmlAsync($"/order/{id}");
            Assert.That(string.Join(',', Texts(html, "<button name=\"step\" value=\"(?<text>[a-z]+)\"")),
                Is.EqualTo(offered));
            Assert.That(string.Join(',', Progress(html)), Is.EqualTo(progress));
            JsonArray events = (await _shop.Orders.GetJsonAsync($"/orders/{id}/events")).AsArray();
            Assert.That(Texts(html, "<li><span class=\"status [a-z]+\">(?<text>[a-z]+)</span> <time"),
                Is.EqualTo(events.Select(each => (string)each!["status"]!)));
            Assert.That(Texts(html, "<time datetime=\"(?<text>[^\"]*)\"").Select(DateTimeOffset.Parse),
                Is.EqualTo(events.Select(each => DateTimeOffset.Parse((string)each!["at"]!))));
            Assert.That(Texts(html, "<time [^>]*>(?<text>[^<]*)<"), Is.EqualTo(events.Select(
                each => $"{DateTimeOffset.Parse((string)each!["at"]!).UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC")));
            if (next is null) continue;
            using HttpResponseMessage pressed = await PressAsync(id, next);
            string after =
                next switch { "pay" => "paid", "ship" => "shipped", "deliver" => "delivered", _ => "cancelled" };
            JsonNode order = await _shop.Orders.GetJsonAsync($"/orders/{id}");
            Assert.That(((int)pressed.StatusCode, (string)order["status"]!), Is.EqualTo((303, after)));
        }

        string last = await _shop.OrderAsync("prod_21", 2, "Ada");
        foreach (string step in steps.Split(',', StringSplitOptions.RemoveEmptyEntries)) await PressAsync(last, step);
        foreach ((string step, string error) in new[]
        {
            ("refund", "An order has no such step."), ("", "An order has no such step."),
            (status is "created" or "paid" ? "deliver" : "pay",
                $"An order that is {status} can't become {(status is "created" or "paid" ? "delivered" : "paid")}."),
        })
        {
            using HttpResponseMessage refused = await PressAsync(last, step);
            Assert.That((int)refused.StatusCode, Is.EqualTo(409), step);
            string html = WebUtility.HtmlDecode(await refused.Content.ReadAsStringAsync());
            Assert.That(html, Does.Contain($"role=\"alert\">{error}<"));
            Assert.That(string.Join(',', Progress(html)), Is.EqualTo(progress), "it is as it was");
        }
    }

    [Test]
    public async Task Given_a_checkout_of_which_some_lines_are_short_then_each_of_them_and_no_other_says_what_is_left_and_all_that_was_typed_stays()
    {
        long?[] stock = [100, 0, 1, 2, 100, 100, 100, 100, 100, 100, 100, 13];
        string[] products = [.. await Task.WhenAll(stock.Select(units => _shop.ProductAsync(units!.Value)))];
        string key = $"{Guid.NewGuid()}";
        (string, string)[] Fields(string under, long twelfth) =>
        [
            ("customer_id", "Ada & Co"), ("key", under), .. products.SelectMany((product, i) => new[]
            {
                ("product_id", product), ("unit_price_cents", "1000"), ("quantity", $"{(i == 11 ? twelfth : i + 3)}"),
            }),
        ];
        using HttpResponseMessage answer = await PostAsync("/checkout", Fields(key, 14));
        string html = WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync());
        Assert.That((int)answer.StatusCode, Is.EqualTo(409));
        Assert.That(Errors(html), Is.EqualTo(new (string, string)[]
        {
            ("error-1", "None of \"A thing\" are left."), ("error-2", "Only 1 of \"A thing\" is left."),
            ("error-3", "Only 2 of \"A thing\" are left."), ("error-11", "Only 13 of \"A thing\" are left."),
        }));
        Assert.That(Texts(html, "name=\"quantity\"[^>]* value=\"(?<text>[^\"]*)\""),
            Is.EqualTo(new[] { "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14" }));
        Assert.That(Texts(html, "name=\"quantity\"[^>]* aria-describedby=\"(?<text>[^\"]+)\""),
            Is.EqualTo(new[] { "error-1", "error-2", "error-3", "error-11" }));
        Assert.That(Texts(html, "name=\"customer_id\"[^>]* value=\"(?<text>[^\"]*)\""),
            Is.EqualTo(new[] { "Ada & Co" }));
        Assert.That(Texts(html, "name=\"product_id\" value=\"(?<text>[^\"]*)\""), Is.EqualTo(products));

        // What can't be read stands by its own line, of the first and of the twelfth alike.
        (string, string)[] wrong = Fields($"{Guid.NewGuid()}", 14);
        wrong = [.. wrong.Select((field, i) => i == wrong.Length - 1 ? ("quantity", "a dozen") : field)];
        using HttpResponseMessage typed = await PostAsync("/checkout", wrong);
        Assert.That(Errors(WebUtility.HtmlDecode(await typed.Content.ReadAsStringAsync())),
            Is.EqualTo(new[] { ("error-11", "must be a whole number from 1 to 10000") }));
        // So does a product that nobody sells: the page has its id, and no price.
        using HttpResponseMessage unknown = await PostAsync("/checkout",
        [
            ("customer_id", "x"), ("key", $"{Guid.NewGuid()}"), ("product_id", products[0]),
            ("unit_price_cents", "1000"), ("quantity", " 2 "), ("product_id", "ghost"), ("quantity", "1"),
        ]);
        Assert.That(Errors(WebUtility.HtmlDecode(await unknown.Content.ReadAsStringAsync())),
            Is.EqualTo(new[] { ("error-1", "'ghost' is not sold") }));
    }

    [Test]
    public async Task Given_a_form_whose_key_stands_for_another_order_then_the_page_has_a_key_with_which_it_goes_on()
    {
        string key = $"{Guid.NewGuid()}", customer = $"{Guid.NewGuid()}", product = await _shop.ProductAsync(stock: 9);
        using HttpResponseMessage first = await SendAsync(key, 2), other = await SendAsync(key, 3);
        string html = await other.Content.ReadAsStringAsync();
        string next = Texts(html, "name=\"key\" value=\"(?<text>[^\"]*)\"").Single();
        Assert.That(((int)first.StatusCode, (int)other.StatusCode, next == key), Is.EqualTo((303, 409, false)));
        Assert.That(Texts(html, "<p class=\"error\">(?<text>[^<]*)<").Single(), Does.Contain("Idempotency-Key"));
        using HttpResponseMessage again = await SendAsync(next, 3), repeated = await SendAsync(next, 3);
        Assert.That(((int)again.StatusCode, repeated.Headers.Location),
            Is.EqualTo((303, again.Headers.Location)));
        Assert.That((await _shop.Orders.GetJsonAsync($"/orders?customer_id={customer}")).AsArray()
            .Select(order => (int)order!["items"]![0]!["quantity"]!), Is.EqualTo(new[] { 3, 2 }));

        Task<HttpResponseMessage> SendAsync(string under, int units) => PostAsync("/checkout",
        [
            ("customer_id", customer), ("key", under), ("product_id", product), ("unit_price_cents", "1000"),
            ("quantity", $"{units}"),
        ]);
    }

    [TestCase(0, 409)]
    [TestCase(1, 303)]
    [TestCase(100, 303)]
    [TestCase(101, 409)]
    public async Task Given_a_checkout_of_so_many_lines_then_it_takes_as_many_as_the_api(int lines, int status)
    {
        string product = await _shop.ProductAsync(stock: 200);
        using HttpResponseMessage answer = await PostAsync("/checkout",
        [
            ("customer_id", "x"), ("key", $"{Guid.NewGuid()}"), .. Enumerable.Repeat(new[]
            {
                ("product_id", product), ("unit_price_cents", "1000"), ("quantity", "1"),
            }, lines).SelectMany(line => line),
        ]);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
        if (status == 409)
            Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain(">must have 1 to 100 lines<"));
        Assert.That((await _shop.StockAsync(product)).Reserved, Is.EqualTo(status == 409 ? 0 : lines));
    }

    [Test]
    public async Task Given_a_filter_then_the_board_has_those_orders_alone_the_form_shows_it_and_no_order_has_words_of_its_own()
    {
        string ada = $"Ada & {Guid.NewGuid()}", bob = $"{Guid.NewGuid()}";
        var placed = new List<(string Id, string Customer, string Status)>();
        foreach ((string customer, string steps) in new[]
        {
            (ada, ""), (bob, "pay"), (ada, "pay"), (ada, "cancel"), (bob, ""), (ada, "pay,ship"), (ada, ""),
        })
        {
            string id = await _shop.OrderAsync("prod_21", 1, customer), status = "created";
            foreach (string step in steps.Split(',', StringSplitOptions.RemoveEmptyEntries))
                status = (string)(await _shop.Orders.PostAsync($"/orders/{id}/{step}")).Json!["status"]!;
            placed.Insert(0, (id, customer, status));
        }

        foreach (string customer in new[] { ada, bob })
        {
            foreach (string status in new[] { "", "created", "paid", "shipped", "delivered", "cancelled", "unknown" })
            {
                string html = await _shop.Orders.HtmlAsync(
                    $"/?status={status}&customer_id={Uri.EscapeDataString(customer)}");
                string[] wanted = [.. placed.Where(order => order.Customer == customer
                    && (status is "" or "unknown" || order.Status == status)).Select(order => order.Id)];
                Assert.That(Texts(html, "<tr data-order-id=\"(?<text>[^\"]*)\""), Is.EqualTo(wanted), status);
                string shown = Texts(html, "name=\"customer_id\" value=\"(?<text>[^\"]*)\"").Single();
                Assert.That(WebUtility.HtmlDecode(shown), Is.EqualTo(customer));
                Assert.That(Texts(html, "<option value=\"(?<text>[^\"]+)\" selected"),
                    Is.EqualTo(status is "" or "unknown" ? [] : new[] { status }));
                Assert.That(html, Does.Contain("No order matches.").And.Not.Contain("Nobody has ordered yet"));
            }
        }

        Assert.That(await _shop.Orders.HtmlAsync("/?status=&customer_id="), Does.Contain("Nobody has ordered yet")
            .And.Not.Contain("No order matches."));
    }

    [TestCase("0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e", "2A4B-5D6E")]
    [TestCase("0198d6a27c1e7b609d5e3f1c2a4b5d6e", "0198d6a27c1e7b609d5e3f1c2a4b5d6e")]
    [TestCase("checkout-17", "checkout-17")]
    public void Given_an_id_then_its_short_form_is_its_end_in_two_parts_if_it_is_long(string id, string shown) =>
        Assert.That(ShortId.Of(id), Is.EqualTo(shown));

    private Task<HttpResponseMessage> PressAsync(string id, string step) => PostAsync($"/order/{id}", [("step", step)]);

    private Task<HttpResponseMessage> PostAsync(string path, (string Name, string Value)[] fields) =>
        _shop.Orders.PostFormAsync(path, _shop.Origin, fields);

    // The statuses of the way of an order that are marked, and how.
    private static IEnumerable<string> Progress(string html) =>
        Regex.Matches(html, "<li class=\"(?<mark>[a-z]+)\">(?<status>[a-z]+)</li>", RegexOptions.ExplicitCapture,
            Second).Select(stage => $"{stage.Groups["status"].Value} {stage.Groups["mark"].Value}");

    private static (string, string)[] Errors(string html) =>
        [.. Regex.Matches(html, "<span class=\"error\" id=\"(?<id>[^\"]*)\">(?<text>[^<]*)<",
            RegexOptions.ExplicitCapture, Second)
            .Select(error => (error.Groups["id"].Value, error.Groups["text"].Value))];

    private static string[] Texts(string html, string pattern) =>
        [.. Regex.Matches(html, pattern, RegexOptions.ExplicitCapture, Second)
            .Select(match => match.Groups["text"].Value)];
}
