namespace Shop.EndToEnd.Tests;

/// <summary>Which pages of elsewhere may read answers and send changes: those that are named, and none that is nearly
/// so.</summary>
internal sealed class OriginTests
{
    private static readonly string[] Allowed = ["https://front.example", "http://localhost:3000",
        "https://front.example:8443"];

    private static readonly string[] Near =
    [
        "https://front.example.evil.example", "https://front.examplex", "https://front.exampl",
            "https://xfront.example", "https://www.front.example",
        "https://front.example:8444", "https://front.example:84430", "https://front.example:844",
            "http://front.example", "http://front.example:8443",
        "https://front.example@evil.example", "https://evil.example/https://front.example", "https://front-example",
            "front.example", "//front.example",
        "http://localhost", "http://localhost:30000", "http://localhost:300", "https://localhost:3000",
            "http://127.0.0.1:3000", "http://localhost.evil.example:3000",
        "null", "*", "https://*", "https://evil.example, https://front.example",
            "https://front.example https://evil.example", "https://example",
    ];

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop =
        await ShopUnderTest.StartAsync($"Shop:CorsOrigins={string.Join(',', Allowed)}");

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_origins_when_pages_of_them_and_of_others_read_then_only_they_may([Values("GET", "HEAD",
        "OPTIONS")] string method)
    {
        var wrong = new List<string>();
        foreach ((string origin, bool isAllowed) in Allowed.Select(origin => (origin, true))
            .Concat(Near.Select(origin => (origin, false))))
        {
            foreach ((HttpClient client, string path) in new[] { (_shop.Products, "/products/prod_0"),
                (_shop.Products, "/products/none"), (_shop.Orders, "/orders"), (_shop.Orders, "/metrics"),
                (_shop.Inventory, "/live") })
            {
                foreach (bool isPreflight in method == "OPTIONS" ? [true] : new[] { false })
                {
                    (string, string)[] headers = [("Origin", origin), .. isPreflight
                        ? new[] { ("Access-Control-Request-Method", "PUT"),
                        ("Access-Control-Request-Headers", "content-type,if-match") } : []];
                    using var request = new HttpRequestMessage(new HttpMethod(method), path);
                    foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name,
                        value);
                    using HttpResponseMessage answer = await client.SendAsync(request);
                    string? expected = isAllowed ? origin : null;
                    string?[] said = [answer.Header("Access-Control-Allow-Origin"), .. isPreflight
                        ? new[] { answer.Header("Access-Control-Allow-Methods"),
                        answer.Header("Access-Control-Allow-Headers") } : []];
                    string?[] due = [expected, .. isPreflight
                        ? new[] { isAllowed ? "PUT" : null, isAllowed ? "content-type,if-match" : null } : []];
                    if (!said.SequenceEqual(due))
                        wrong.Add($"{method} {path} from {origin}: {string.Join("; ", said)}");
                }
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public async Task Given_origins_when_pages_of_them_and_of_others_send_a_change_then_only_theirs_is_made(
        [Values("same-site", "cross-site", null)] string? site)
    {
        string product = await _shop.ProductAsync(stock: 1000);
        int made = 0;
        foreach ((string origin, bool isAllowed) in Allowed.Select(origin => (origin, true))
            .Concat(Near.Select(origin => (origin, false))))
        {
            (string, string)[] headers = [("Origin", origin), .. site is null ? []
                : new[] { ("Sec-Fetch-Site", site) }];
            (HttpResponseMessage answer, _) = await _shop.Inventory.PostAsync("/inventory/decrease",
                new { product_id = product, quantity = 1 }, headers);
            Assert.That((int)answer.StatusCode, Is.EqualTo(isAllowed ? 200 : 403), origin);
            made += isAllowed ? 1 : 0;
        }

        Assert.That((await _shop.StockAsync(product)).OnHand, Is.EqualTo(1000 - made));
    }

    [Test]
    public async Task Given_pages_of_any_origin_may_read_and_send_then_the_answer_says_any_and_never_that_cookies_go_along()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:CorsOrigins=*");
        (HttpResponseMessage answer, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"),
            ("Origin", "https://anybody.example"), ("Sec-Fetch-Site", "cross-site"));
        Assert.That(((int)answer.StatusCode, answer.Header("Access-Control-Allow-Origin"),
            answer.Header("Access-Control-Allow-Credentials")), Is.EqualTo((201, "*", (string?)null)));
    }

    // A sibling service is known by its port, or by its PublicUrl.
    [TestCase("", "{0}", true)]
    [TestCase("", "{0}0", false)]
    [TestCase("", "{0}.evil.example", false)]
    [TestCase("", "{0}/x", false)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://orders.shop.example", true)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://orders.shop.example:443", true)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://orders.shop.example.evil.example", false)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://xorders.shop.example", false)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://shop.example", false)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "https://orders.shop.example:4430", false)]
    [TestCase("Shop:Orders:PublicUrl=https://orders.shop.example", "http://orders.shop.example", false)]
    public async Task Given_a_page_of_another_service_of_the_shop_or_nearly_when_it_sends_a_change_or_a_form_then_only_the_shops_own_is_taken(
        string setting, string origin, bool isOwn)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting.Length == 0 ? [] : [setting]);
        origin = origin.Replace("{0}", shop.Orders.BaseAddress!.GetLeftPart(UriPartial.Authority),
            StringComparison.Ordinal);
        (HttpResponseMessage change, _) = await shop.Inventory.PostAsync("/inventory/decrease",
            new { product_id = "prod_0", quantity = 1 }, ("Origin", origin));
        using var form = new HttpRequestMessage(HttpMethod.Post,
            "/stock/prod_0")
        { Content = new FormUrlEncodedContent([new("action", "decrease"), new("quantity", "1")]) };
        form.Headers.TryAddWithoutValidation("Origin", origin);
        using HttpResponseMessage posted = await shop.Inventory.SendAsync(form);
        Assert.That(((int)change.StatusCode, (int)posted.StatusCode), Is.EqualTo(isOwn ? (200, 303) : (403, 403)));
        Assert.That((await shop.StockAsync("prod_0")).OnHand, Is.EqualTo(isOwn ? 999_998 : 1_000_000));
    }

    [TestCase("Shop:TrustedProxies=127.0.0.1", true)]
    [TestCase("Shop:TrustedProxies=127.0.0.2,10.0.0.0/8", false)]
    [TestCase("Shop:DemoData=true", false, Description = "no proxy is trusted")]
    public async Task Given_what_a_proxy_forwards_then_the_scheme_is_believed_from_a_trusted_one_alone_and_host_and_prefix_from_none(
        string setting, bool isBelieved)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync(setting);
        (string, string)[] forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Prefix", "/evil")];
        using var form = new HttpRequestMessage(HttpMethod.Post,
            "/basket")
        {
            Content = new FormUrlEncodedContent([new("action", "add"), new("product_id", "prod_0"),
            new("quantity", "1")])
        };
        form.Headers.Add("Origin", shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority));
        using var page = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Accept", "text/html" } } };
        using var list = new HttpRequestMessage(HttpMethod.Get, "/products?limit=1");
        using var document = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json");
        foreach (HttpRequestMessage request in new[] { form, page, list, document })
        {
            foreach ((string name, string value) in forwarded) request.Headers.Add(name, value);
        }

        using HttpResponseMessage posted = await shop.Products.SendAsync(form);
        Assert.That((int)posted.StatusCode, Is.EqualTo(303));
        Assert.That(posted.Header("Set-Cookie")!.Contains("; secure", StringComparison.Ordinal),
            Is.EqualTo(isBelieved));
        foreach (HttpRequestMessage request in new[] { page, list, document })
        {
            using HttpResponseMessage answer = await shop.Products.SendAsync(request);
            string all = $"{answer.Headers} {await answer.Content.ReadAsStringAsync()}";
            Assert.That(all, Does.Not.Contain("evil"), $"{request.RequestUri}");
            string scheme = isBelieved ? "https" : "http";
            if (request == document)
                Assert.That(all, Does.Contain($"\"url\": \"{scheme}://{shop.Products.BaseAddress.Authority}\""));
        }
    }
}
