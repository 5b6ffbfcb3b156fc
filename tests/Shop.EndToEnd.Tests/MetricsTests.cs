using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Each metric moves by exactly what clients did. Every test has a shop to itself: nobody else is counted.
/// </summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class MetricsTests(Engine engine) : EngineFixture(engine)
{
    private ShopUnderTest _shop = null!;

    [SetUp]
    public async Task Start() => _shop = await ShopUnderTest.StartAsync();

    [TearDown]
    public async Task Stop() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_requests_of_every_outcome_then_each_is_counted_once_under_its_method_route_and_code()
    {
        Exposition before = await Exposition.OfAsync(_shop.Products);
        await _shop.Products.GetJsonAsync("/products/prod_0");
        await _shop.Products.GetJsonAsync("/api/products/prod_1");
        await _shop.Products.SendJsonAsync(HttpMethod.Head, "/products/prod_1");
        await _shop.Products.SendJsonAsync(HttpMethod.Get, "/products/none");
        await _shop.Products.SendJsonAsync(HttpMethod.Get, "/nowhere/at/all");
        await _shop.Products.SendJsonAsync(new HttpMethod("PURGE"), "/products");
        await _shop.Products.PostAsync("/products", "{}");
        await _shop.Products.GetJsonAsync("/");
        await _shop.Products.GetJsonAsync("/health/ready");
        await _shop.Products.GetStringAsync("/docs");
        await _shop.Products.GetJsonAsync("/openapi/v1.json");
        IReadOnlyDictionary<string, double> moved = (await Exposition.OfAsync(_shop.Products)).Since(before);

        Assert.Multiple(() =>
        {
            Assert.That(Of(moved, "app_requests_total"), Is.EquivalentTo(new Dictionary<string, double>
            {
                ["""app_requests_total{endpoint="/products/{id}",method="GET"}"""] = 3,
                ["""app_requests_total{endpoint="/products/{id}",method="HEAD"}"""] = 1,
                ["""app_requests_total{endpoint="unmatched",method="GET"}"""] = 1,
                ["""app_requests_total{endpoint="unmatched",method="other"}"""] = 1,
                ["""app_requests_total{endpoint="/products",method="POST"}"""] = 1,
                ["""app_requests_total{endpoint="/",method="GET"}"""] = 1,
            }));
            Assert.That(Of(moved, "http_requests_by_status_code_total"), Is.EquivalentTo(new Dictionary<string, double>
            {
                ["""http_requests_by_status_code_total{code="200"}"""] = 4,
                ["""http_requests_by_status_code_total{code="400"}"""] = 1,
                ["""http_requests_by_status_code_total{code="404"}"""] = 2,
                ["""http_requests_by_status_code_total{code="405"}"""] = 1,
            }));
            Assert.That(Of(moved, "app_request_latency_seconds_count").Values.Sum(), Is.EqualTo(8));
            Assert.That(moved["""app_request_latency_seconds_count{endpoint="/products/{id}",method="GET"}"""],
                Is.EqualTo(3));
            Assert.That(
                moved["""app_request_latency_seconds_bucket{endpoint="/products/{id}",le="+Inf",method="GET"}"""],
                Is.EqualTo(3));
        });
    }

    [Test]
    public async Task Given_requests_that_the_server_refuses_before_the_shop_then_they_count_too()
    {
        Exposition before = await Exposition.OfAsync(_shop.Orders);
        Uri address = _shop.Orders.BaseAddress!;
        await RawHttp.SendAsync(address, "GET / HTTP/1.1\r\nHost: localhost\r\nno header\r\n\r\n");
        await RawHttp.SendAsync(address,
            $"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: {new string('x', 40_000)}\r\n\r\n");
        IReadOnlyDictionary<string, double> moved = (await Exposition.OfAsync(_shop.Orders)).Since(before);
        // The shop writes to its own databases at any time.
        Assert.That(moved.Where(series => !series.Key.StartsWith("db_", StringComparison.Ordinal)),
            Is.EquivalentTo(new Dictionary<string, double>
            {
                ["""app_requests_total{endpoint="unmatched",method="other"}"""] = 2,
                ["""http_requests_by_status_code_total{code="400"}"""] = 1,
                ["""http_requests_by_status_code_total{code="431"}"""] = 1,
            }));
    }

    [Test]
    public async Task Given_a_client_that_goes_away_in_the_middle_then_499_and_nothing_stays_in_progress()
    {
        Uri address = _shop.Orders.BaseAddress!;
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(address.Host, address.Port);
            await client.GetStream().WriteAsync(
                ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                    + "Content-Length: 100\r\n\r\n{"u8).ToArray());
            await UntilAsync(_shop.Orders, metrics => metrics["app_requests_in_progress"] == 1);
            client.LingerState = new LingerOption(true, 0);
        }

        // A scrape may come while the request is being counted: it has one of the two before the other.
        Exposition after = await UntilAsync(_shop.Orders, metrics =>
            metrics["""http_requests_by_status_code_total{code="499"}"""] == 1
                && metrics["app_requests_in_progress"] == 0);
        Assert.That(after["""app_requests_total{endpoint="/orders",method="POST"}"""], Is.EqualTo(1));
    }

    [Test]
    public async Task Given_refusals_by_a_limit_then_each_is_counted_under_its_reason()
    {
        await using ShopUnderTest small = await ShopUnderTest.StartAsync("Shop:MaxConcurrentRequests=1");
        Uri address = small.Inventory.BaseAddress!;
        using var slow = new TcpClient();
        await slow.ConnectAsync(address.Host, address.Port);
        await slow.GetStream().WriteAsync(
            ("POST /inventory/increase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                + "Content-Length: 9\r\n\r\n"u8).ToArray());
        await UntilAsync(small.Inventory, metrics => metrics["app_requests_in_progress"] == 1);
        (HttpResponseMessage refused, _) = await small.Inventory.SendJsonAsync(HttpMethod.Get, "/inventory");
        slow.Close();
        await UntilAsync(small.Inventory, metrics => metrics["app_requests_in_progress"] == 0);
        await small.Inventory.PostAsync("/inventory/increase", new string(' ', 70_000));

        Exposition after = await Exposition.OfAsync(small.Inventory);
        Assert.Multiple(() =>
        {
            Assert.That((refused.StatusCode, refused.Header("Retry-After")),
                Is.EqualTo((HttpStatusCode.TooManyRequests, "1")));
            Assert.That(after["""app_requests_rejected_total{reason="too_many_requests"}"""], Is.EqualTo(1));
            Assert.That(after["""app_requests_rejected_total{reason="body_too_large"}"""], Is.EqualTo(1));
            Assert.That(after["""http_requests_by_status_code_total{code="429"}"""], Is.EqualTo(1));
        });
    }

    [Test]
    public async Task Given_a_queue_of_one_when_many_write_at_once_then_503_with_Retry_After_and_every_answer_is_true()
    {
        await using ShopUnderTest small = await ShopUnderTest.StartHereAsync("Shop:WriteQueueLimit=1");
        Exposition before = await Exposition.OfAsync(small.Inventory);
        var replies = await FillInventorysQueueAsync(small);
        IReadOnlyDictionary<string, double> moved = (await Exposition.OfAsync(small.Inventory)).Since(before);
        int done = replies.Count(reply => (int)reply.Response.StatusCode == 200);
        HttpResponseMessage[] refused = [.. replies.Select(reply => reply.Response)
            .Where(response => (int)response.StatusCode == 503)];
        Assert.Multiple(() =>
        {
            Assert.That(done + refused.Length, Is.EqualTo(200));
            Assert.That(refused, Is.Not.Empty);
            Assert.That(refused.Select(response => response.Header("Retry-After")), Is.All.EqualTo("1"));
            Assert.That(moved["""app_requests_rejected_total{reason="queue_full"}"""], Is.EqualTo(refused.Length));
            Assert.That(moved["""inventory_units_moved_total{kind="received"}"""], Is.EqualTo(done));
        });
        Assert.That((await small.StockAsync("prod_0")).OnHand, Is.EqualTo(1_000_000 + done));
        Assert.That((await Exposition.OfAsync(small.Inventory))["db_write_queue_limit"], Is.EqualTo(1));
    }

    // Of 200 at once, some find the queue full: nothing leaves it before one was refused. PostgreSQL has no one writer
    // that could be held, and is far from being as quick as 200 requests.
    private static async Task<(HttpResponseMessage Response, JsonNode? Json)[]> FillInventorysQueueAsync(
        ShopUnderTest shop)
    {
        using Meeting.Stop? held = Current == Engine.Sqlite ? await Meeting.HoldWriterAsync(shop, "inventory") : null;
        var sent = Enumerable.Range(0, 200).Select(_ => shop.Inventory.PostAsync(
            "/inventory/increase", new { product_id = "prod_0", quantity = 1 })).ToArray();
        await Task.WhenAny(sent);
        held?.Dispose();
        return await Task.WhenAll(sent);
    }

    [Test]
    public async Task Given_writes_then_the_databases_metrics_count_them_and_their_commits()
    {
        Exposition before, after;
        IReadOnlyDictionary<string, double> moved;
        int tries = 0;
        do
        {
            before = await Exposition.OfAsync(_shop.Inventory);
            for (int i = 0; i < 3; i++)
                await _shop.Inventory.PostAsync("/inventory/increase", new { product_id = "prod_0", quantity = 1 });
            await _shop.Inventory.PostAsync("/inventory/decrease", new { product_id = "prod_190", quantity = 1 });
            after = await Exposition.OfAsync(_shop.Inventory);
            moved = after.Since(before);
        }
        // now and then one of the shop's own falls in between
        while (moved["""db_writes_total{result="committed"}"""] != 3 && ++tries < 10);

        Assert.Multiple(() =>
        {
            Assert.That(moved["""db_writes_total{result="committed"}"""], Is.EqualTo(3));
            Assert.That(moved["""db_writes_total{result="rolled_back"}"""], Is.EqualTo(1));
            Assert.That(moved.ContainsKey("""db_writes_total{result="failed"}"""), Is.False);
            Assert.That(moved["db_commit_seconds_count"], Is.EqualTo(4));
            Assert.That(moved["db_commit_seconds_sum"], Is.Positive);
            Assert.That(moved["""db_commit_batch_size_bucket{le="1"}"""], Is.EqualTo(4));
            Assert.That(after["""db_file_bytes{file="main"}"""], Is.Positive);
            if (Current == Engine.Sqlite) Assert.That(after["""db_file_bytes{file="wal"}"""], Is.Positive);
            Assert.That(after["db_write_queue_depth"], Is.Zero);
        });
    }

    [Test]
    public async Task Given_products_that_are_viewed_and_changed_then_the_catalogues_metrics_say_so()
    {
        Exposition before = await Exposition.OfAsync(_shop.Products);
        using HttpResponseMessage view = await _shop.Products.GetAsync("/products/prod_5");
        await _shop.Products.SendJsonAsync(HttpMethod.Get, "/api/products/prod_5", null,
            ("If-None-Match", view.Header("ETag")!));
        await _shop.Products.SendJsonAsync(HttpMethod.Head, "/products/prod_5");
        foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head })
        {
            using var page = new HttpRequestMessage(method, "/product/prod_5");
            using HttpResponseMessage shown = await _shop.Products.SendAsync(page);
            Assert.That((int)shown.StatusCode, Is.EqualTo(200));
        }

        string id = await _shop.ProductAsync(1);
        await _shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{id}", new { name = "n", price = 1 });
        await _shop.Products.GetJsonAsync($"/products/{id}");
        await _shop.ProductAsync(1);
        await _shop.Products.DeleteAsync($"/products/{id}");
        Exposition after = await Exposition.OfAsync(_shop.Products);
        IReadOnlyDictionary<string, double> moved = after.Since(before);
        Assert.Multiple(() =>
        {
            Assert.That(moved["""products_viewed_total{product_id="prod_5"}"""], Is.EqualTo(3), "HEAD is no view");
            Assert.That(moved[$$"""products_viewed_total{product_id="{{id}}"}"""], Is.EqualTo(1));
            Assert.That(moved["""product_changes_total{change="created"}"""], Is.EqualTo(2));
            Assert.That(moved["""product_changes_total{change="updated"}"""], Is.EqualTo(1));
            Assert.That(moved["""product_changes_total{change="deleted"}"""], Is.EqualTo(1));
            Assert.That((before["product_catalog_size"], after["product_catalog_size"]), Is.EqualTo((200d, 201d)));
        });
    }

    [Test]
    public async Task Given_more_than_1000_products_when_each_is_viewed_then_1000_have_a_series_and_the_rest_share_one()
    {
        string[] ids = await Task.WhenAll(Enumerable.Range(0, 850).Select(_ => _shop.ProductAsync(0)));
        await Task.WhenAll(ids.Concat(Enumerable.Range(0, 200).Select(n => $"prod_{n}"))
            .Select(id => _shop.Products.GetJsonAsync($"/products/{id}")));
        Exposition after = await Exposition.OfAsync(_shop.Products);
        string[] views = [.. after.Series.Where(
            series => series.StartsWith("products_viewed_total", StringComparison.Ordinal))];
        Assert.That(
            (views.Length, views.Sum(series => after[series]), after["""products_viewed_total{product_id="other"}"""]),
            Is.EqualTo((1001, 1050d, 50d)));
        Assert.That(after.Series, Has.Count.LessThanOrEqualTo(2500));
    }

    [Test]
    public async Task Given_orders_taken_and_refused_then_each_is_counted_with_its_value_and_reason()
    {
        string product = await _shop.ProductAsync(stock: 5, price: 12.34m);
        Exposition before = await Exposition.OfAsync(_shop.Orders);
        await _shop.OrderAsync(product, 2);
        (string, string) key = ("Idempotency-Key", "k");
        await _shop.Orders.PostAsync("/orders", Http.Order(product), key);
        await _shop.Orders.PostAsync("/orders", Http.Order(product), key);
        await _shop.Orders.PostAsync("/orders", Http.Order(product, 2), key);
        await _shop.Orders.PostAsync("/orders", Http.Order(product, 99));
        await _shop.Orders.PostAsync("/orders", Http.Order("ghost"));
        await _shop.Orders.PostAsync("/orders", "{}");
        await _shop.Orders.PostAsync("/orders", "not json");
        IReadOnlyDictionary<string, double> moved = (await Exposition.OfAsync(_shop.Orders)).Since(before);
        Assert.That(moved.Where(series => series.Key.StartsWith("order", StringComparison.Ordinal)),
            Is.EquivalentTo(new Dictionary<string, double>
            {
                ["orders_created_total"] = 2,
                ["orders_replayed_total"] = 1,
                ["""orders_rejected_total{reason="conflict"}"""] = 1,
                ["""orders_rejected_total{reason="insufficient_stock"}"""] = 1,
                ["""orders_rejected_total{reason="unknown_product"}"""] = 1,
                ["""orders_rejected_total{reason="invalid"}"""] = 2,
                ["""orders_by_status{status="created"}"""] = 2,
                ["""order_value_sum{currency="EUR"}"""] = 37.02,
                ["""order_value_count{currency="EUR"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="25"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="50"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="100"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="250"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="500"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="1000"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="2500"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="5000"}"""] = 2,
                ["""order_value_bucket{currency="EUR",le="+Inf"}"""] = 2,
                ["order_lines_sum"] = 2,
                ["order_lines_count"] = 2,
                ["""order_lines_bucket{le="1"}"""] = 2,
                ["""order_lines_bucket{le="2"}"""] = 2,
                ["""order_lines_bucket{le="3"}"""] = 2,
                ["""order_lines_bucket{le="5"}"""] = 2,
                ["""order_lines_bucket{le="10"}"""] = 2,
                ["""order_lines_bucket{le="20"}"""] = 2,
                ["""order_lines_bucket{le="50"}"""] = 2,
                ["""order_lines_bucket{le="100"}"""] = 2,
                ["""order_lines_bucket{le="+Inf"}"""] = 2,
            }));
    }

    [Test]
    public async Task Given_each_way_to_refuse_an_order_then_it_is_counted_under_its_reason_and_what_is_no_order_under_none()
    {
        string product = await _shop.ProductAsync(stock: 5), id = $"own-{Guid.NewGuid():N}";
        object Own(int quantity) =>
            new { order_id = id, customer_id = "c", items = new[] { new { product_id = product, quantity } } };
        await _shop.Orders.PostAsync("/orders", Own(1));
        foreach ((Func<Task<int>> send, int status, string? reason) in new (Func<Task<int>>, int, string?)[]
        {
            (() => OrderAsync(Own(2)), 409, "conflict"), (() => CheckOutAsync(product, "999", "1"), 409, "conflict"),
            (() => CheckOutAsync(product, "", "1"), 409, "conflict"),
            (() => CheckOutAsync(product, "1000", "5"), 409, "insufficient_stock"),
            (() => CheckOutAsync("ghost", "1000", "1"), 409, "unknown_product"),
            (() => BodyAsync("[1", "application/json"), 400, "invalid"),
            (() => BodyAsync("{}", "application/json"), 400, "invalid"),
            (() => BodyAsync("{}", "text/plain"), 415, null),
            (() => BodyAsync(new string(' ', 65_535) + "{}", "application/json"), 413, null),
        })
        {
            Exposition before = await Exposition.OfAsync(_shop.Orders);
            Assert.That(await send(), Is.EqualTo(status));
            IReadOnlyDictionary<string, double> moved = (await Exposition.OfAsync(_shop.Orders)).Since(before);
            Assert.That(moved.Where(series => series.Key.StartsWith("order", StringComparison.Ordinal)),
                Is.EquivalentTo(reason is null ? new Dictionary<string, double>()
                    : new() { [$$"""orders_rejected_total{reason="{{reason}}"}"""] = 1 }), $"{status} {reason}");
        }

        async Task<int> OrderAsync(object order) =>
            (int)(await _shop.Orders.PostAsync("/orders", order)).Response.StatusCode;

        async Task<int> BodyAsync(string body, string type)
        {
            using var content = new StringContent(body, null, type);
            using HttpResponseMessage answer = await _shop.Orders.PostAsync("/orders", content);
            return (int)answer.StatusCode;
        }

        async Task<int> CheckOutAsync(string of, string cents, string units)
        {
            using HttpResponseMessage answer = await _shop.Orders.PostFormAsync("/checkout", _shop.Origin,
                [("customer_id", "c"), ("product_id", of), ("unit_price_cents", cents), ("quantity", units),
                    ("key", $"{Guid.NewGuid()}")]);
            return (int)answer.StatusCode;
        }
    }

    [Test]
    public async Task Given_a_full_orders_queue_then_the_refused_orders_are_overloaded_and_hold_nothing()
    {
        await using ShopUnderTest small = await ShopUnderTest.StartHereAsync("Shop:WriteQueueLimit=2");
        var replies = await FillOrdersQueueAsync(small);
        int placed = replies.Count(reply => (int)reply.Response.StatusCode == 201);
        int refused = replies.Count(reply => (int)reply.Response.StatusCode == 503);
        Assert.That(replies.Select(reply => (int)reply.Response.StatusCode),
            Is.All.AnyOf(201, 503).And.Some.EqualTo(503),
            string.Join("\n", replies.Where(reply => (int)reply.Response.StatusCode is not (201 or 503))
                .Select(reply => reply.Json!.ToJsonString())));
        // What was held for a refused order goes back behind the answer.
        await UntilAsync(small.Inventory, metrics => metrics["inventory_reservations_open"] == placed);
        Assert.That(await small.StockAsync("prod_0"), Is.EqualTo((1_000_000L - placed, 1_000_000L, (long)placed)));
        Exposition orders = await Exposition.OfAsync(small.Orders);
        Assert.That((orders["orders_created_total"], orders["""orders_rejected_total{reason="overloaded"}"""]),
            Is.EqualTo(((double)placed, (double)refused)));
        if (Current != Engine.Sqlite) return; // Inventory may have refused some of them
        Assert.That((await Exposition.OfAsync(small.Inventory))["""inventory_units_moved_total{kind="released"}"""],
            Is.EqualTo(refused));
    }

    // One by one: each reserves before it is written, and would else find Inventory's queue full, which is as short.
    private static async Task<(HttpResponseMessage Response, JsonNode? Json)[]> FillOrdersQueueAsync(ShopUnderTest shop)
    {
        Task<(HttpResponseMessage, JsonNode?)> OrderAsync() => shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        if (Current != Engine.Sqlite)
            return await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => OrderAsync()));
        var sent = new List<Task<(HttpResponseMessage, JsonNode?)>>();
        using (await Meeting.HoldWriterAsync(shop, "orders"))
        {
            do
            {
                int waiting = shop.UnwrittenWrites("orders");
                sent.Add(OrderAsync());
                await Eventually.IsSoAsync(() => sent[^1].IsCompleted || shop.UnwrittenWrites("orders") > waiting);
            }
            while (!sent[^1].IsCompleted);
        }

        return await Task.WhenAll(sent);
    }

    [Test]
    public async Task Given_orders_that_go_on_then_changes_revenue_and_refunds_are_exact_and_the_gauges_survive_a_restart()
    {
        string product = await _shop.ProductAsync(stock: 50, price: 0.1m);
        string[] ids = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => _shop.OrderAsync(product)));
        foreach (string id in ids[..7]) await _shop.Orders.PostAsync($"/orders/{id}/pay");
        foreach (string id in ids[..3]) await _shop.Orders.PostAsync($"/orders/{id}/ship");
        await _shop.Orders.PostAsync($"/orders/{ids[0]}/deliver");
        foreach (string id in ids[5..8]) await _shop.Orders.PostAsync($"/orders/{id}/cancel");
        Exposition orders = await Exposition.OfAsync(_shop.Orders);
        Assert.Multiple(() =>
        {
            Assert.That(orders["""order_status_changes_total{from="created",to="paid"}"""], Is.EqualTo(7));
            Assert.That(orders["""order_status_changes_total{from="paid",to="shipped"}"""], Is.EqualTo(3));
            Assert.That(orders["""order_status_changes_total{from="shipped",to="delivered"}"""], Is.EqualTo(1));
            Assert.That(orders["""order_status_changes_total{from="paid",to="cancelled"}"""], Is.EqualTo(2));
            Assert.That(orders["""order_status_changes_total{from="created",to="cancelled"}"""], Is.EqualTo(1));
            Assert.That(orders["""order_revenue_total{currency="EUR"}"""], Is.EqualTo(0.7));
            Assert.That(orders["""order_refunds_total{currency="EUR"}"""], Is.EqualTo(0.2));
        });
        await _shop.RestartAsync();
        orders = await Exposition.OfAsync(_shop.Orders);
        Exposition inventory = await Exposition.OfAsync(_shop.Inventory);
        Assert.That(new[] { "created", "paid", "shipped", "delivered", "cancelled" }.Select(
            status => orders[$$"""orders_by_status{status="{{status}}"}"""]), Is.EqualTo([2d, 2, 2, 1, 3]));
        Assert.That(inventory["inventory_reservations_open"], Is.EqualTo(4));
    }

    [Test]
    public async Task Given_orders_of_ten_cents_then_the_sum_of_their_values_is_exact_and_their_count_is_right()
    {
        string product = await _shop.ProductAsync(stock: 1000, price: 0.1m);
        for (int i = 1; i <= 100; i++)
        {
            await _shop.OrderAsync(product);
            Exposition orders = await Exposition.OfAsync(_shop.Orders);
            Assert.That((orders["""order_value_sum{currency="EUR"}"""], orders["""order_value_count{currency="EUR"}"""],
                    orders["""order_value_bucket{currency="EUR",le="5"}"""]),
                Is.EqualTo(((double)(0.1m * i), (double)i, (double)i)));
        }
    }

    [Test]
    public async Task Given_every_kind_of_movement_then_movements_units_and_levels_are_exact()
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        string product = await _shop.ProductAsync(stock: 100);
        string shipped = await _shop.OrderAsync(product, 3), cancelled = await _shop.OrderAsync(product, 4);
        await _shop.OrderAsync(product, 5);
        await _shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 89 });
        await _shop.Orders.PostAsync($"/orders/{cancelled}/cancel");
        await _shop.Orders.PostAsync($"/orders/{shipped}/pay");
        await _shop.Orders.PostAsync($"/orders/{shipped}/ship");
        Exposition after = await Exposition.OfAsync(_shop.Inventory);
        IReadOnlyDictionary<string, double> moved = after.Since(before);
        (string Kind, double Movements, double Units)[] expected =
            [("received", 1, 100), ("removed", 1, 88), ("reserved", 3, 12), ("released", 1, 4), ("shipped", 1, 3)];
        Assert.Multiple(() =>
        {
            foreach ((string kind, double movements, double units) in expected.Where(each => each.Kind != "removed"))
            {
                Assert.That(moved[$$"""inventory_movements_total{kind="{{kind}}"}"""], Is.EqualTo(movements), kind);
                Assert.That(moved[$$"""inventory_units_moved_total{kind="{{kind}}"}"""], Is.EqualTo(units), kind);
            }

            // 88 could go, 89 could not.
            Assert.That(moved.ContainsKey("""inventory_movements_total{kind="removed"}"""), Is.False);
            Assert.That(after[$$"""inventory_stock_level{product_id="{{product}}"}"""], Is.EqualTo(92));
            Assert.That(moved["inventory_reservations_open"], Is.EqualTo(1));
            Assert.That((before["""inventory_products{state="out"}"""], before["""inventory_products{state="low"}"""],
                after["""inventory_products{state="in_stock"}"""]), Is.EqualTo((1d, 9d, 191d)));
        });
        await _shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 88 });
        IReadOnlyDictionary<string, double> removed = (await Exposition.OfAsync(_shop.Inventory)).Since(after);
        Assert.That((removed["""inventory_movements_total{kind="removed"}"""],
            removed["""inventory_units_moved_total{kind="removed"}"""],
            removed["""inventory_products{state="low"}"""]), Is.EqualTo((1d, 88d, 1d)));
    }

    [Test]
    public async Task Given_an_idle_module_then_its_series_are_few_and_a_hostile_client_adds_none()
    {
        foreach ((string name, HttpClient client) in _shop.ByName)
        {
            IReadOnlyCollection<string> idle = (await Exposition.OfAsync(client)).Series;
            Assert.That(idle, Has.Count.LessThan(600), name);
            // rate() sees a route's first failure only if its series was there before.
            Assert.That(Labels(idle, "app_requests_failed_total"), Is.EquivalentTo(Labels(idle, "app_requests_total")),
                name);
            foreach (string method in new[]
            {
                "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW",
            })
            {
                await client.SendJsonAsync(new HttpMethod(method), "/first/of/its/kind");
            }

            Exposition known = await Exposition.OfAsync(client);
            foreach (string path in new[]
            {
                "/%00", "/a\"b", "/products/{id}", "/metrics/x", "/../../etc/passwd", "/orders/%0a",
            })
            {
                await client.SendJsonAsync(new HttpMethod("BREW"), path);
            }

            Assert.That((await Exposition.OfAsync(client)).Series, Is.EquivalentTo(known.Series), name);
        }
    }

    [Test]
    public async Task Given_the_process_then_one_registry_of_its_own_with_runtime_and_build()
    {
        Exposition process = await Exposition.OfAsync(_shop.Orders, "/metrics/process");
        Exposition orders = await Exposition.OfAsync(_shop.Orders);
        Assert.Multiple(() =>
        {
            Assert.That(process["process_cpu_seconds_total"], Is.Positive);
            Assert.That(process["process_working_set_bytes"], Is.Positive);
            Assert.That(process.Series, Has.Some.StartsWith("dotnet_gc_collections_total{"));
            Assert.That(process.Series, Has.Some.StartsWith("dotnet_thread_pool_queue_length"));
            Assert.That(process.Series, Has.Some.StartsWith("dotnet_lock_contentions_total"));
            Assert.That(process.Series, Has.Exactly(1)
                .Matches("""^shop_build_info\{revision=".+",runtime="\.NET 10.*",version="\d+\.\d+\.\d+"\}$"""));
            Assert.That(orders.Series.Intersect(process.Series), Is.Empty);
        });
    }

    [Test]
    public async Task Given_a_scraper_that_asks_for_OpenMetrics_then_it_gets_it()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.TryAddWithoutValidation("Accept",
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
        using HttpResponseMessage response = await _shop.Orders.SendAsync(request);
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/openmetrics-text"));
        Assert.That(await response.Content.ReadAsStringAsync(), Does.EndWith("# EOF\n"));
    }

    [Test]
    public async Task Given_scrapes_while_clients_work_then_no_counter_ever_goes_back_and_the_last_one_equals_what_they_counted()
    {
        using var done = new CancellationTokenSource();
        Task<Exposition> scraper = Task.Run(async () =>
        {
            Exposition last = await Exposition.OfAsync(_shop.Orders);
            while (!done.IsCancellationRequested)
            {
                Exposition next = await Exposition.OfAsync(_shop.Orders);
                string[] back = [.. next.Series.Where(series => (series.Contains("_total", StringComparison.Ordinal)
                    || series.Contains("_count", StringComparison.Ordinal)
                    || series.Contains("_bucket", StringComparison.Ordinal)) && next[series] < last[series])];
                Assert.That(back, Is.Empty);
                last = next;
            }

            return last;
        });
        Dictionary<int, int>[] counted = await Task.WhenAll(Enumerable.Range(0, 8).Select(async worker =>
        {
            var codes = new Dictionary<int, int>();
            for (int i = 0; i < 60; i++)
            {
                object body = (i % 4) switch
                {
                    0 => Http.Order("prod_199", 9),
                    1 => Http.Order("ghost"),
                    _ => Http.Order($"prod_{worker}"),
                };
                int code = (int)(await _shop.Orders.PostAsync("/orders", body)).Response.StatusCode;
                codes[code] = codes.GetValueOrDefault(code) + 1;
            }

            return codes;
        }));
        // Straight after the last answer: what a client has, the metrics have.
        Exposition after = await Exposition.OfAsync(_shop.Orders);
        await done.CancelAsync();
        await scraper;
        foreach (int code in new[] { 201, 409, 422 })
            Assert.That(after[$$"""http_requests_by_status_code_total{code="{{code}}"}"""],
                Is.EqualTo(counted.Sum(codes => codes.GetValueOrDefault(code))), $"{code}");
        Assert.That(after["orders_created_total"], Is.EqualTo(counted.Sum(codes => codes.GetValueOrDefault(201))));
    }

    private static Dictionary<string, double> Of(IReadOnlyDictionary<string, double> moved, string metric) =>
        moved.Where(series => series.Key == metric || series.Key.StartsWith(metric + "{", StringComparison.Ordinal))
            .ToDictionary();

    private static IEnumerable<string> Labels(IEnumerable<string> series, string metric) =>
        series.Where(each => each.StartsWith(metric + "{", StringComparison.Ordinal))
            .Select(each => each[metric.Length..]);

    /// <summary>Waits for a condition, for as long as a slow machine may need.</summary>
    private static async Task<Exposition> UntilAsync(HttpClient client, Func<Exposition, bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            Exposition metrics = await Exposition.OfAsync(client);
            if (condition(metrics)) return metrics;
            await Task.Delay(10, patience.Token);
        }
    }
}
