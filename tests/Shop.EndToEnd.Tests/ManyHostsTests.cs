using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>What holds for one host holds for several on one database.</summary>
[NonParallelizable]
[Category("CI")]
internal sealed class ManyHostsTests
{
    private const int Continue = 18;

    private ShopHosts _hosts = null!;

    [OneTimeSetUp]
    public async Task Start() => _hosts = await ShopHosts.StartAsync(3, "Shop:DemoData=false");

    [OneTimeTearDown]
    public async Task End() => await _hosts.DisposeAsync();

    [Test]
    public async Task Given_a_product_made_on_one_host_then_the_others_have_it_at_once_and_its_changes_and_its_end_soon()
    {
        string id = await _hosts[0].ProductAsync(5);
        (HttpResponseMessage placed, JsonNode? order) = await _hosts[1].PlaceAsync(id);
        Assert.That((int)placed.StatusCode, Is.EqualTo(201), order?.ToJsonString());
        Assert.That(await _hosts[2].Products.CodeAsync($"/products/{id}"), Is.EqualTo(200));
        var change = new { name = "Another thing", price = 12.5m };
        (HttpResponseMessage changed, _) = await _hosts[0].Products.SendJsonAsync(
            HttpMethod.Put, $"/products/{id}", change);
        Assert.That((int)changed.StatusCode, Is.EqualTo(200));
        foreach (ShopProcess host in _hosts.All)
        {
            await Eventually.IsAsync(async () => (string)(await host.Products.GetJsonAsync($"/products/{id}"))["name"]!,
                Is.EqualTo(change.name));
        }

        using HttpResponseMessage deleted = await _hosts[2].Products.DeleteAsync($"/products/{id}");
        Assert.That((int)deleted.StatusCode, Is.EqualTo(204));
        foreach (ShopProcess host in _hosts.All)
            await Eventually.IsAsync(() => host.Products.CodeAsync($"/products/{id}"), Is.EqualTo(404));
        Assert.That((int)(await _hosts[1].PlaceAsync(id)).Response.StatusCode, Is.EqualTo(422));
    }

    [Test]
    public async Task Given_a_product_that_all_hosts_change_at_once_on_one_condition_then_one_change_is_made()
    {
        string id = await _hosts[0].ProductAsync(5);
        foreach (ShopProcess host in _hosts.All)
            await Eventually.IsAsync(() => host.Products.CodeAsync($"/products/{id}"), Is.EqualTo(200));
        for (int round = 0; round < 10; round++)
        {
            using HttpResponseMessage current = await _hosts[0].Products.GetAsync($"/products/{id}");
            string tag = current.Header("ETag")!;
            int[] codes = await Task.WhenAll(
                _hosts.All.SelectMany((host, n) => new[] { (6 * round) + n + 1, (6 * round) + n + 4 }
                    .Select(async price => (int)(await host.Products.SendJsonAsync(
                        HttpMethod.Put, $"/products/{id}", new { name = "A thing", price }, ("If-Match", tag)))
                        .Response.StatusCode)));
            Assert.That(codes.Order(), Is.EqualTo(new[] { 200, 412, 412, 412, 412, 412 }));
            await Eventually.IsSoAsync(
                async () => (await _hosts[0].Products.GetAsync($"/products/{id}")).Header("ETag") != tag);
        }
    }

    [Test]
    public async Task Given_products_made_on_all_hosts_at_once_then_their_ids_count_up_and_none_is_given_twice()
    {
        string first = await _hosts[0].ProductAsync(0);
        string[] ids = await Task.WhenAll(Enumerable.Range(0, 30).Select(n => _hosts[n % 3].ProductAsync(0)));
        long start = long.Parse(first.AsSpan("prod_".Length), CultureInfo.InvariantCulture);
        Assert.That(ids, Is.EquivalentTo(Enumerable.Range(1, 30).Select(n => $"prod_{start + n}")));
    }

    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public async Task Given_equal_requests_on_all_hosts_at_once_then_there_is_one_order_and_the_same_answer_for_all(
        bool hasKey, bool hasId)
    {
        string product = await _hosts[0].ProductAsync(1000);
        for (int round = 1; round <= 20; round++)
        {
            string name = Guid.NewGuid().ToString("N");
            (HttpResponseMessage Response, JsonNode? Json)[] answers = await Task.WhenAll(_hosts.All.SelectMany(host =>
                new[] { 0, 1 }.Select(_ => host.PlaceAsync(product, 2, hasId ? name : null, hasKey ? name : null))));
            Assert.That(answers.Select(answer => (int)answer.Response.StatusCode), Is.All.EqualTo(201),
                string.Join('\n', answers.Select(answer => answer.Json?.ToJsonString())));
            Assert.That(answers.Select(answer => answer.Json!.ToJsonString()).Distinct().Count(), Is.EqualTo(1));
            Assert.That(answers.Count(answer => answer.Response.Header("Idempotency-Replayed") is null), Is.EqualTo(1));
            await Eventually.IsAsync(() => _hosts[round % 3].StockAsync(product),
                Is.EqualTo((1000L - (2 * round), 1000L, 2L * round)));
        }
    }

    [Test]
    public async Task Given_one_id_with_other_content_on_each_host_at_once_then_one_is_placed_and_the_others_are_conflicts()
    {
        string product = await _hosts[0].ProductAsync(1000);
        for (int round = 0; round < 10; round++)
        {
            string id = Guid.NewGuid().ToString("N");
            (HttpResponseMessage Response, JsonNode? Json)[] answers = await Task.WhenAll(
                _hosts.All.Select((host, n) => host.PlaceAsync(product, n + 1, id)));
            Assert.That(answers.Select(answer => (int)answer.Response.StatusCode).Order(),
                Is.EqualTo(new[] { 201, 409, 409 }),
                string.Join('\n', answers.Select(answer => answer.Json?.ToJsonString())));
        }
    }

    [Test]
    public async Task Given_pairs_of_orders_for_a_last_unit_on_two_hosts_at_once_then_each_unit_is_sold_once()
    {
        string[] products = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => _hosts[n % 3].ProductAsync(1)));
        int[][] codes = await Task.WhenAll(products.Select((product, n) => Task.WhenAll(
            new[] { _hosts[n % 3], _hosts[(n + 1) % 3] }.Select(
                async host => (int)(await host.PlaceAsync(product)).Response.StatusCode))));
        Assert.That(codes.Select(pair => pair.Order()), Is.All.EqualTo(new[] { 201, 409 }));
        foreach (string product in products)
            Assert.That(await _hosts[0].StockAsync(product), Is.EqualTo((0, 1, 1)));
    }

    [Test]
    public async Task Given_a_status_that_all_hosts_change_at_once_then_one_change_is_made()
    {
        string product = await _hosts[0].ProductAsync(100);
        for (int round = 1; round <= 10; round++)
        {
            string id = (string)(await _hosts[round % 3].PlaceAsync(product, 1)).Json!["order_id"]!;
            int[] codes = await Task.WhenAll(_hosts.All.Select(async (host, n) =>
                (int)(await host.Orders.PostAsync($"/orders/{id}/{(n == 0 ? "pay" : "cancel")}")).Response.StatusCode));
            JsonNode[] events = [.. (await _hosts[0].Orders.GetJsonAsync($"/orders/{id}/events"))
                .AsArray().Select(each => each!)];
            Assert.That(codes[1..], Is.All.EqualTo(200), "an order that is created or paid can be cancelled");
            Assert.That(string.Join(' ', events.Select(each => (string)each["status"]!)),
                Is.EqualTo(codes[0] == 200 ? "created paid cancelled" : "created cancelled"));
            await Eventually.IsAsync(() => _hosts[1].StockAsync(product), Is.EqualTo((100, 100, 0)));
        }
    }

    [Test]
    public async Task Given_a_host_that_is_killed_between_reservation_and_order_then_another_releases_its_units_and_the_id_can_be_used()
    {
        string product = await _hosts[0].ProductAsync(3);
        ShopProcess doomed = await _hosts.StartOneAsync(("SHOP_FAULT_POINT", "reserved:1"));
        string id = Guid.NewGuid().ToString("N");
        Assert.ThrowsAsync<HttpRequestException>(() => doomed.PlaceAsync(product, 2, id));
        Assert.That(await _hosts[0].StockAsync(product), Is.EqualTo((1, 3, 2)));
        await Eventually.IsAsync(() => _hosts[0].StockAsync(product), Is.EqualTo((3, 3, 0)));
        Assert.That((int)(await _hosts[1].PlaceAsync(product, 3, id)).Response.StatusCode, Is.EqualTo(201));
        doomed.Dispose();
    }

    [Test]
    public async Task Given_a_host_that_stands_still_between_reservation_and_order_when_its_units_were_sold_to_another_then_it_places_nothing()
    {
        string product = await _hosts[0].ProductAsync(1);
        using ShopProcess slow = await _hosts.StartOneAsync(("SHOP_FAULT_POINT", "reserved:1:stop"));
        string id = Guid.NewGuid().ToString("N");
        Task<(HttpResponseMessage Response, JsonNode? Json)> placing = slow.PlaceAsync(product, 1, id);
        await Eventually.IsAsync(() => _hosts[0].StockAsync(product), Is.EqualTo((0, 1, 1)));
        await Eventually.IsAsync(() => _hosts[0].StockAsync(product), Is.EqualTo((1, 1, 0)));
        Assert.That((int)(await _hosts[1].PlaceAsync(product)).Response.StatusCode, Is.EqualTo(201));
        slow.Signal(Continue);
        (HttpResponseMessage response, JsonNode? answer) = await placing;
        Assert.That((int)response.StatusCode, Is.EqualTo(503), answer?.ToJsonString());
        Assert.That(await _hosts[2].Orders.CodeAsync($"/orders/{id}"), Is.EqualTo(404));
        await Eventually.IsAsync(() => _hosts[0].StockAsync(product), Is.EqualTo((0, 1, 1)));
        // It works on. While it still gives up what it had, the id is under way, which is a 503.
        await Eventually.IsAsync(
            async () => (int)(await slow.PlaceAsync(product, 1, id)).Response.StatusCode, Is.EqualTo(409));
    }

    [Test]
    public async Task Given_a_host_that_is_killed_before_the_stock_follows_a_change_then_another_lets_it_follow()
    {
        string product = await _hosts[0].ProductAsync(5);
        string id = (string)(await _hosts[0].PlaceAsync(product, 2)).Json!["order_id"]!;
        ShopProcess doomed = await _hosts.StartOneAsync(("SHOP_FAULT_POINT", "status-changed:1"));
        Assert.ThrowsAsync<HttpRequestException>(() => doomed.Orders.PostAsync($"/orders/{id}/cancel"));
        await Eventually.IsAsync(() => _hosts[1].StockAsync(product), Is.EqualTo((5, 5, 0)));
        doomed.Dispose();
    }

    [Test]
    public async Task Given_hosts_whose_connections_are_cut_then_changes_still_come_to_all_of_them()
    {
        string id = await _hosts[0].ProductAsync(0);
        for (int round = 0; round < 3; round++)
        {
            await _hosts.SqlAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                + "WHERE datname = current_database() AND pid <> pg_backend_pid()");
            var change = new { name = $"Thing {round}", price = 1m };
            await Eventually.IsAsync(async () =>
                (int)(await _hosts[round].Products.SendJsonAsync(HttpMethod.Put, $"/products/{id}", change))
                    .Response.StatusCode, Is.EqualTo(200));
            foreach (ShopProcess host in _hosts.All)
            {
                await Eventually.IsAsync(
                    async () => (string)(await host.Products.GetJsonAsync($"/products/{id}"))["name"]!,
                    Is.EqualTo(change.name));
            }
        }
    }

    [Test]
    public async Task Given_orders_on_one_host_then_the_boards_and_the_gauges_of_all_hosts_show_them()
    {
        string product = await _hosts[0].ProductAsync(50);
        var boards = new List<(ShopProcess Host, string Position)>();
        foreach (ShopProcess host in _hosts.All) boards.Add((host, await PositionAsync(host)));
        string id = (string)(await _hosts[0].PlaceAsync(product)).Json!["order_id"]!;
        await _hosts[1].Orders.PostAsync($"/orders/{id}/pay");
        foreach ((ShopProcess host, string position) in boards)
        {
            await Eventually.IsAsync(
                async () =>
                (await BoardAsync(host, position))
                .LastOrDefault(order => (string)order["order_id"]! == id)?["status"]?.ToString(),
                Is.EqualTo("paid"));
        }

        string[] gauges =
        [
            "orders_by_status", "product_catalog_size", "inventory_products", "inventory_reservations_open",
        ];
        string[] states = [];
        await Eventually.IsAsync(async () =>
        {
            states = await Task.WhenAll(_hosts.All.Select(async host => string.Join('\n',
                (await Task.WhenAll(new[] { host.Products, host.Orders, host.Inventory }.Select(
                    client => client.GetStringAsync("/metrics"))))
                .SelectMany(text => text.Split('\n'))
                .Where(line => gauges.Any(gauge => line.StartsWith(gauge, StringComparison.Ordinal))))));
            return states.Distinct().Count();
        }, Is.EqualTo(1), () => string.Join("\n\n", states));
    }

    [Test]
    public async Task Given_ten_hosts_that_start_at_once_on_an_empty_database_then_there_is_one_schema_and_one_catalogue()
    {
        await using ShopHosts hosts = await ShopHosts.StartAsync(10);
        foreach (ShopProcess host in hosts.All)
        {
            JsonArray products = (await host.Products.GetJsonAsync("/products?limit=1000")).AsArray();
            Assert.That(products.Select(product => (string)product!["id"]!),
                Is.EquivalentTo(Enumerable.Range(0, 200).Select(n => $"prod_{n}")));
        }

        JsonArray stock = (await hosts[9].Inventory.GetJsonAsync("/inventory?limit=1000")).AsArray();
        Assert.That(stock.Count(row => (long)row!["on_hand"]! == 1_000_000), Is.EqualTo(190));
        Assert.That(stock, Has.Count.EqualTo(200));
    }

    private static async Task<string> PositionAsync(ShopProcess host) =>
        (string)(await BoardJsonAsync(host, null))["id"]!;

    private static async Task<IEnumerable<JsonNode>> BoardAsync(ShopProcess host, string position) =>
        (await BoardJsonAsync(host, position))["events"]!.AsArray().Where(each => (string)each!["event"]! == "order")
            .Select(each => each!["data"]!);

    private static async Task<JsonNode> BoardJsonAsync(ShopProcess host, string? after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get,
            after is null ? "/board/events" : $"/board/events?after={after}");
        request.Headers.Accept.ParseAdd("application/json");
        using HttpResponseMessage response = await host.Orders.SendAsync(request);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }
}
