using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>Streams of events, as proxies and browsers that lose their connection need them.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class EventTests(Engine engine) : EngineFixture(engine)
{
    private static readonly string[][] Streams =
    [
        ["orders", "/live/events"], ["orders", "/board/events"], ["products", "/live/events"],
        ["inventory", "/live/events"],
    ];

    [TestCaseSource(nameof(Streams))]
    public async Task Given_a_stream_then_no_proxy_is_to_collect_it(string module, string path)
    {
        using EventReader stream = await EventReader.OpenAsync(SharedShop.Shop.ByName[module], path);
        Assert.Multiple(() =>
        {
            Assert.That(stream.Response.Header("X-Accel-Buffering"), Is.EqualTo("no"));
            Assert.That(stream.Response.Header("Cache-Control"), Does.Contain("no-store").And.Contain("no-transform"));
            Assert.That(stream.Response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        });
    }

    [TestCaseSource(nameof(Streams))]
    [Category("CI")]
    public async Task Given_a_stream_on_which_nothing_happens_then_it_is_never_silent_for_15_seconds(
        string module, string path)
    {
        using EventReader stream = await EventReader.OpenAsync(SharedShop.Shop.ByName[module], path);
        long last = Stopwatch.GetTimestamp();
        for (int i = 0; i < 3; i++)
        {
            ServerEvent happened = await stream.NextAsync();
            Assert.That(happened.Id, Is.Not.Null);
            Assert.That(Stopwatch.GetElapsedTime(last), Is.LessThan(TimeSpan.FromSeconds(15)));
            last = Stopwatch.GetTimestamp();
        }
    }

    [Test]
    public async Task Given_a_stream_that_is_cut_at_any_event_when_it_goes_on_by_its_last_id_then_no_order_of_the_gap_is_missing_and_none_comes_twice()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using EventReader first = await EventReader.OpenAsync(shop.Orders, "/board/events");
        string lastId = (await first.NextAsync("beat")).Id!; // before any order
        var placed = new List<string>();
        var seen = new List<string>();
        for (int round = 0; round < 4; round++)
        {
            for (int i = 0; i < 150; i++) placed.Add(await shop.OrderAsync($"prod_{i}"));
            using EventReader next = await EventReader.OpenAsync(shop.Orders, "/board/events", lastId);
            // All but the last few: those are the beginning of the next gap.
            int upTo = round == 3 ? placed.Count : placed.Count - 7;
            while (seen.Count < upTo)
            {
                ServerEvent order = await next.NextAsync("order");
                seen.Add((string)JsonNode.Parse(order.Data)!["order_id"]!);
                lastId = order.Id!;
            }
        }

        Assert.That(seen, Is.EqualTo(placed));
    }

    [Test]
    public async Task Given_a_client_that_was_away_during_a_restart_then_it_is_told_to_look_again_and_gets_the_newest_orders()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string lastId;
        using (EventReader stream = await EventReader.OpenAsync(shop.Orders, "/board/events"))
        {
            await shop.OrderAsync("prod_0");
            lastId = (await stream.NextAsync("order")).Id!;
        }

        string[] missed = [await shop.OrderAsync("prod_1"), await shop.OrderAsync("prod_2")];
        await shop.RestartAsync();
        using EventReader again = await EventReader.OpenAsync(shop.Orders, "/board/events", lastId);
        ServerEvent[] events =
        [
            await again.NextAsync(), await again.NextAsync(), await again.NextAsync(), await again.NextAsync(),
        ];
        Assert.That(events.Select(happened => happened.Name), Is.EqualTo(new[] { "reset", "order", "order", "order" }));
        Assert.That(events[2..].Select(happened => (string)JsonNode.Parse(happened.Data)!["order_id"]!),
            Is.EqualTo(missed));
        string next = await shop.OrderAsync("prod_3");
        Assert.That((string)JsonNode.Parse((await again.NextAsync("order")).Data)!["order_id"]!, Is.EqualTo(next));
    }

    [Test]
    public async Task Given_a_client_that_asks_for_JSON_then_it_gets_what_happened_since_its_last_event_and_how_many_places_there_are()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        JsonNode start = await AskAsync(shop, null);
        string order = await shop.OrderAsync("prod_0");
        JsonNode then = await AskAsync(shop, (string)start["id"]!), nothing = await AskAsync(shop, (string)then["id"]!),
            lost = await AskAsync(shop, "of-another-start");
        Assert.Multiple(() =>
        {
            Assert.That((start["events"]!.AsArray().Count, (int)start["places"]!), Is.EqualTo((0, 256)));
            Assert.That(then["events"]!.AsArray()
                    .Select(happened => ((string)happened!["event"]!, (string)happened["data"]!["order_id"]!)),
                Is.EqualTo(new[] { ("order", order) }));
            Assert.That(nothing["events"]!.AsArray(), Is.Empty);
            Assert.That(lost["events"]!.AsArray().Select(happened => (string)happened!["event"]!),
                Is.EqualTo(new[] { "reset", "order" }));
        });
    }

    [TestCase(null, "text/event-stream")]
    [TestCase("*/*", "text/event-stream")]
    [TestCase("text/html", "text/event-stream")]
    [TestCase("application/json, text/event-stream", "text/event-stream")]
    [TestCase("text/event-stream, application/json;q=0.9", "text/event-stream")]
    [TestCase("application/json", "application/json")]
    [TestCase("text/html, application/json;q=0.9", "application/json")]
    public async Task Given_a_client_that_takes_a_stream_then_it_gets_one_and_JSON_only_if_it_asks_for_that_and_no_stream(
        string? accept, string type)
    {
        foreach (string path in new[] { "/board/events", "/live/events" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
            using HttpResponseMessage answer =
                await SharedShop.Shop.Orders.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo(type), path);
        }
    }

    [Test]
    public async Task Given_HEAD_of_a_stream_then_it_is_answered_to_its_end_and_takes_no_place()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage answer =
                await shop.Orders.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/board/events"));
            Assert.That((int)answer.StatusCode, Is.EqualTo(200));
            Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        }

        Assert.That((int)(await AskAsync(shop, null))["places"]!, Is.EqualTo(256));
    }

    [Test]
    public async Task Given_as_many_viewers_as_there_may_be_then_each_gets_every_second_and_they_share_one_reading()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        EventReader[] viewers = await Task.WhenAll(
            Enumerable.Range(0, 256).Select(_ => EventReader.OpenAsync(shop.Products, "/live/events")));
        try
        {
            using HttpResponseMessage head =
                await shop.Products.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/live/events"));
            Assert.That((int)head.StatusCode, Is.EqualTo(200), "HEAD needs no place, and ends no viewer's stream");
            // The first second of each belongs to what it gets when it comes.
            await Task.WhenAll(viewers.Select(viewer => viewer.NextAsync("second")));
            ILookup<string, string> seconds = (await Task.WhenAll(viewers.Select(
                async viewer => new[] { await viewer.NextAsync("second"), await viewer.NextAsync("second") })))
                .SelectMany(events => events).DistinctBy(second => (second.Id, second.Data))
                .ToLookup(second => second.Id!, second => second.Data);
            Assert.That(seconds.Select(second => second.Count()), Is.All.EqualTo(1), "the same bytes for all");
        }
        finally
        {
            foreach (EventReader viewer in viewers) viewer.Dispose();
        }
    }

    private static async Task<JsonNode> AskAsync(ShopUnderTest shop, string? lastEventId)
    {
        (HttpResponseMessage answer, JsonNode? json) = await shop.Orders.SendJsonAsync(
            HttpMethod.Get, "/board/events", null,
            [("Accept", "application/json"),
                .. lastEventId is null ? Array.Empty<(string, string)>() : [("Last-Event-ID", lastEventId)]]);
        Assert.That((int)answer.StatusCode, Is.EqualTo(200));
        return json!;
    }
}
