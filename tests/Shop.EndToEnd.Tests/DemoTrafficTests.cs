using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>Demo traffic through HTTP: its rate is met, it has its shape, and it ends.</summary>
internal sealed class DemoTrafficTests
{
    // Spikes begin with twenty seconds of a quarter.
    [TestCase("constant", 60, 60)]
    [TestCase("spikes", 200, 50)]
    [Category("CI")]
    public async Task Given_a_rate_and_a_shape_when_demo_traffic_is_started_then_that_is_what_all_services_get_together(
        string shape, int rate, int wanted)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (HttpResponseMessage started, JsonNode? said) =
            await shop.Orders.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate, shape });
        Assert.That((int)started.StatusCode, Is.EqualTo(200));
        Assert.That(((int)said!["rate"]!, (string)said["shape"]!), Is.EqualTo((rate, shape)));
        while (await RequestsAsync(shop) < 2 * wanted) await Task.Delay(20);
        double reached = 0;
        // Again if the machine has stood still meanwhile: a wrong rate is wrong each time.
        for (int i = 0; i < 5 && Math.Abs(reached - wanted) > wanted / 10.0; i++)
        {
            (double before, long start) = (await RequestsAsync(shop), Stopwatch.GetTimestamp());
            while (await RequestsAsync(shop) < before + (8 * wanted)) await Task.Delay(20);
            reached = (await RequestsAsync(shop) - before) / Stopwatch.GetElapsedTime(start).TotalSeconds;
            TestContext.Out.WriteLine($"{reached:0.0} requests a second of {wanted}");
        }

        Assert.That(reached, Is.EqualTo(wanted).Within(10).Percent);
        // Each port says the same of it.
        foreach (HttpClient client in shop.ByName.Values)
        {
            JsonNode state = await client.GetJsonAsync("/traffic");
            Assert.That((double)state["wanted"]!, Is.EqualTo(wanted).Within(5).Percent);
            Assert.That((double)state["answered"]!, Is.EqualTo(wanted).Within(25).Percent);
            Assert.That(
                DateTimeOffset.Parse((string)state["ends_at"]!, CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow,
                Is.InRange(TimeSpan.FromMinutes(55), TimeSpan.FromHours(1)));
        }
    }

    [Test]
    public async Task Given_demo_traffic_when_its_time_is_over_or_somebody_ends_it_then_none_runs()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 20, duration_seconds = 2 });
        Assert.That((int)(await shop.Inventory.GetJsonAsync("/traffic"))["rate"]!, Is.EqualTo(20));
        while ((int)(await shop.Inventory.GetJsonAsync("/traffic"))["rate"]! != 0) await Task.Delay(20);
        Assert.That(await RequestsAsync(shop), Is.GreaterThan(20));

        // A second start takes the place of the first, with its time.
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 20, duration_seconds = 90 });
        await shop.Orders.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 400, shape = "constant" });
        JsonNode changed = await shop.Inventory.GetJsonAsync("/traffic");
        Assert.That(((int)changed["rate"]!, (string)changed["shape"]!), Is.EqualTo((400, "constant")));
        Assert.That(
            DateTimeOffset.Parse((string)changed["ends_at"]!, CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow,
            Is.InRange(TimeSpan.FromMinutes(55), TimeSpan.FromHours(1)));
        // Its orders have lives of all kinds.
        foreach (string status in new[] { "created", "paid", "delivered", "cancelled" })
        {
            await Eventually.IsSoAsync(async () =>
                (await shop.Orders.GetJsonAsync($"/orders?status={status}&limit=1")).AsArray().Count > 0);
        }

        await shop.Products.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 500 });
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage ended = await shop.Orders.DeleteAsync("/traffic");
            Assert.That((int)ended.StatusCode, Is.EqualTo(204));
        }

        JsonNode state = await shop.Orders.GetJsonAsync("/traffic");
        Assert.That(state.ToJsonString(),
            Is.EqualTo("""{"rate":0,"shape":null,"wanted":null,"answered":null,"ends_at":null}"""));
    }

    [TestCase("""{"rate":0}""", "rate")]
    [TestCase("""{"rate":501}""", "rate")]
    [TestCase("""{"rate":1.5}""", "rate")]
    [TestCase("""{}""", "rate")]
    [TestCase(null, "rate")]
    [TestCase("""{"rate":5,"shape":"zigzag"}""", "shape")]
    [TestCase("""{"rate":5,"duration_seconds":0}""", "duration_seconds")]
    [TestCase("""{"rate":5,"duration_seconds":86401}""", "duration_seconds")]
    public async Task Given_demo_traffic_that_can_t_be_then_400_names_the_field_and_none_runs(
        string? body, string field)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Put, "/traffic");
        if (body is not null) request.Content = new StringContent(body, null, "application/json");
        using HttpResponseMessage answer = await shop.Products.SendAsync(request);
        JsonNode problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.That((int)answer.StatusCode, Is.EqualTo(400));
        Assert.That(problem["errors"]!.AsObject().Select(error => error.Key), Is.EqualTo(new[] { field }));
        Assert.That((int)(await shop.Products.GetJsonAsync("/traffic"))["rate"]!, Is.Zero);
    }

    // The page of the whole shop is one service's, and follows all of them.
    [Test]
    public async Task Given_events_of_the_console_when_pages_ask_for_them_then_those_of_the_shop_may_read_them_and_no_others()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string own = shop.Products.BaseAddress!.GetLeftPart(UriPartial.Authority);
        foreach ((string origin, string path, bool isAllowed) in new[]
        {
            (own, "/live/events", true), ($"{own}0", "/live/events", false),
            ("https://evil.example", "/live/events", false),
            ("null", "/live/events", false), (own, "/board/events", false), (own, "/orders", false),
            (own, "/metrics", false),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Accept", path == "/metrics" ? "text/plain" : "application/json");
            using HttpResponseMessage answer = await shop.Orders.SendAsync(request);
            Assert.That(answer.Header("Access-Control-Allow-Origin"),
                Is.EqualTo(isAllowed ? origin : null), $"{origin} {path}");
        }

        foreach ((string page, bool isAll) in new[] { ("/live/shop", true), ("/live", false), ("/", false) })
        {
            using var request =
                new HttpRequestMessage(HttpMethod.Get, page) { Headers = { { "Accept", "text/html" } } };
            using HttpResponseMessage answer = await shop.Orders.SendAsync(request);
            string connect = answer.Header("Content-Security-Policy")!.Split(';')
                .Single(part => part.Contains("connect-src", StringComparison.Ordinal));
            Assert.That(connect.Contains(own, StringComparison.Ordinal), Is.EqualTo(isAll), page);
        }
    }

    private static async Task<double> RequestsAsync(ShopUnderTest shop)
    {
        Exposition[] metrics = await Task.WhenAll(shop.ByName.Values.Select(client => Exposition.OfAsync(client)));
        return metrics.Sum(service => service.Series
            .Where(series => series.StartsWith("app_requests_total", StringComparison.Ordinal)
                && !series.Contains("/traffic", StringComparison.Ordinal))
            .Sum(series => service[series]));
    }
}
