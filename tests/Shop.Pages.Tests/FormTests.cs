using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Shop.Pages.Tests;

/// <summary>What stands between a form and the shop, without a browser.</summary>
internal sealed class FormTests
{
    private ShopUnderTest _shop = null!;

    // All pages are of one site, the storefront's.
    private string Origin => _shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority);

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
            (_shop.Orders, "/checkout", new[] { ("customer_id", "x"), ("product_id", "prod_0"), ("quantity", "1"), ("key", "k") }),
            (_shop.Orders, $"/order/{order}", [("step", "cancel")]),
            (_shop.Inventory, "/stock/prod_0", [("action", "increase"), ("quantity", "1")]),
            (_shop.Products, "/basket", [("action", "add"), ("product_id", "prod_0"), ("quantity", "1")]),
            (_shop.Products, "/live/traffic", [("action", "start"), ("rate", "1")]),
        })
        {
            using HttpResponseMessage answer = await PostAsync(client, path, origin, fields);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), path);
        }

        Assert.That((string)(await _shop.Orders.GetJsonAsync($"/orders/{order}"))["status"]!, Is.EqualTo("created"));
    }

    [TestCase(1025, "a=1&", 400, "The form can't be read")]
    [TestCase(17, "a=0123456789012345678901234567890123456789012345678901234567890123&", 303, null)]
    [TestCase(17 * 1024, "a=1&", 413, "The body is larger than 64 KiB.")]
    public async Task Given_a_form_in_chunks_then_it_is_taken_or_refused_with_the_reason(int times, string field, int status, string? error)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/basket")
        {
            Content = new StringContent("action=remove&product_id=prod_0&" + string.Concat(Enumerable.Repeat(field, times)), null, "application/x-www-form-urlencoded"),
        };
        request.Headers.TransferEncodingChunked = true;
        request.Headers.Add("Origin", Origin);
        using HttpResponseMessage answer = await _shop.Products.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), await answer.Content.ReadAsStringAsync());
        if (error is not null) Assert.That((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!, Does.StartWith(error));
    }

    [Test]
    public async Task Given_a_form_that_does_not_come_to_its_end_when_the_time_is_over_then_408_and_the_connection_is_closed()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=1");
        Uri address = shop.Products.BaseAddress!;
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /basket HTTP/1.1\r\nHost: {address.Authority}\r\nOrigin: {address.GetLeftPart(UriPartial.Authority)}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\naction="));
        byte[] bytes = new byte[4096];
        string answer = Encoding.UTF8.GetString(bytes, 0, await client.GetStream().ReadAsync(bytes)); // a small answer comes in one piece
        Assert.That(answer, Does.StartWith("HTTP/1.1 408").And.Contain("The body did not arrive within 1 s."));
    }

    [Test]
    public async Task Given_a_checkout_that_is_sent_twice_then_there_is_one_order()
    {
        (string, string)[] fields = [("customer_id", "twice"), ("product_id", "prod_0"), ("quantity", "1"), ("key", $"{Guid.NewGuid()}")];
        HttpResponseMessage[] answers = await Task.WhenAll(PostAsync(_shop.Orders, "/checkout", Origin, fields), PostAsync(_shop.Orders, "/checkout", Origin, fields));
        Assert.That(answers.Select(answer => answer.StatusCode), Is.All.EqualTo(HttpStatusCode.SeeOther));
        Assert.That(answers[0].Headers.Location, Is.EqualTo(answers[1].Headers.Location));
    }

    [TestCase("bell\u0007", "1", "must not contain control characters")]
    [TestCase("", "1", "must have 1 to 100 characters")]
    [TestCase("x", "10001", "must be a whole number from 1 to 10000")]
    [TestCase("x", "1.5", "must be a whole number from 1 to 10000")]
    public async Task Given_a_checkout_that_the_api_would_refuse_then_the_page_says_the_same(string customer, string quantity, string fault)
    {
        using HttpResponseMessage answer = await CheckOutAsync(customer, quantity);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain(fault));
    }

    [TestCase("increase", "0", "Units must be a whole number from 1 to 1000000000.")]
    [TestCase("increase", "many", "Units must be a whole number from 1 to 1000000000.")]
    [TestCase("steal", "1", "There is no such change.")]
    public async Task Given_a_change_of_stock_that_makes_no_sense_then_the_page_says_why(string action, string quantity, string fault)
    {
        using HttpResponseMessage answer = await PostAsync(_shop.Inventory, "/stock/prod_0", Origin, [("action", action), ("quantity", quantity)]);
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
    public async Task Given_a_wish_when_the_root_is_asked_for_then_a_page_for_those_who_prefer_one_and_else_the_card(string? accept, string type)
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
            (HttpResponseMessage plain, HttpResponseMessage compressed) = (await _shop.Orders.GetAsync(asset), await GetAsync(asset, "br"));
            Assert.That(plain.Header("Cache-Control"), Is.EqualTo("public, max-age=31536000, immutable"));
            Assert.That(compressed.Header("Content-Encoding"), Is.EqualTo("br"));
            Assert.That(compressed.Content.Headers.ContentLength, Is.LessThan(plain.Content.Headers.ContentLength!.Value));
        }

        Exposition metrics = await Exposition.OfAsync(_shop.Orders);
        Assert.That(metrics["""app_requests_total{endpoint="/assets/{file}",method="GET"}"""], Is.EqualTo(6));
    }

    [Test]
    public async Task Given_as_many_watchers_as_there_may_be_when_one_more_comes_then_503_and_when_the_shop_stops_they_don_t_hold_it_up()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        HttpResponseMessage[] watchers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => shop.Orders.GetAsync("/live/events", HttpCompletionOption.ResponseHeadersRead)));
        Assert.That(watchers.Select(watcher => (int)watcher.StatusCode), Is.All.EqualTo(200));
        using HttpResponseMessage oneMore = await shop.Orders.GetAsync("/live/events");
        Assert.That(((int)oneMore.StatusCode, oneMore.Header("Retry-After")), Is.EqualTo((503, "1")));
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That(metrics["app_requests_in_progress"], Is.Zero, "who watches is not counted as work");
    }

    private async Task<HttpResponseMessage> GetAsync(string path, string encoding)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept-Encoding", encoding } } };
        return await _shop.Orders.SendAsync(request);
    }

    private Task<HttpResponseMessage> CheckOutAsync(string customer, string quantity) => PostAsync(_shop.Orders, "/checkout", Origin,
        [("customer_id", customer), ("product_id", "prod_0"), ("quantity", quantity), ("key", $"{Guid.NewGuid()}")]);

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string? origin, (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))),
        };
        if (origin is not null) request.Headers.TryAddWithoutValidation("Origin", origin);
        return await client.SendAsync(request);
    }
}
