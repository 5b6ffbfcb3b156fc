using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.EndToEnd.Tests;

/// <summary>The values of metrics on input that is neither steady nor round, beside a calculation of the test's own.
/// Each test has a shop to itself.</summary>
internal sealed class FigureTests
{
    private static readonly decimal[] ValueBounds = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000];

    private ShopUnderTest _shop = null!;

    [SetUp]
    public async Task Start() => _shop = await ShopUnderTest.StartAsync("Shop:Currency=CHF");

    [TearDown]
    public async Task Stop() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_orders_of_uneven_amounts_then_their_values_lines_revenue_and_refunds_are_what_a_pocket_calculator_says()
    {
        // 139.93; 4.999.. does not exist, but 5.00 and 5.01 do; 24.99 + 0.07 x 13; 999.90; 1000.10; 5000.01.
        (decimal Price, int Quantity)[][] wanted =
        [
            [(19.99m, 7)], [(1.25m, 4)], [(1.67m, 3)], [(24.99m, 1), (0.07m, 13)], [(333.30m, 3)], [(100.01m, 10)],
                [(1666.67m, 3)], [(0.01m, 1)], [(33.33m, 3), (0.01m, 1)],
        ];
        decimal[] totals = [139.93m, 5.00m, 5.01m, 25.90m, 999.90m, 1000.10m, 5000.01m, 0.01m, 100.00m];
        var ids = new List<string>();
        for (int i = 0; i < wanted.Length; i++)
        {
            var items = new List<object>();
            foreach ((decimal price, int quantity) in wanted[i])
                items.Add(new { product_id = await _shop.ProductAsync(stock: 100, price), quantity });
            (_, JsonNode? order) = await _shop.Orders.PostAsync("/orders", new { customer_id = "c", items });
            Assert.That((decimal)order!["total_amount"]!, Is.EqualTo(totals[i]));
            Assert.That(order["items"]!.AsArray().Select(line =>
                ((decimal)line!["unit_price"]!, (decimal)line["line_total"]!)),
                Is.EqualTo(wanted[i].Select(line => (line.Price, line.Price * line.Quantity))));
            ids.Add((string)order["order_id"]!);
        }

        int[] paid = [0, 1, 2, 3, 6], refunded = [0, 2], cancelledUnpaid = [4], shipped = [3, 6];
        foreach (int i in paid) await StepAsync(ids[i], "pay");
        foreach (int i in paid) await StepAsync(ids[i], "pay"); // changes nothing
        foreach (int i in refunded.Concat(cancelledUnpaid)) await StepAsync(ids[i], "cancel");
        foreach (int i in shipped) await StepAsync(ids[i], "ship");
        Exposition orders = await Exposition.OfAsync(_shop.Orders);
        Assert.Multiple(() =>
        {
            Assert.That(orders["""order_value_sum{currency="CHF"}"""], Is.EqualTo((double)totals.Sum()));
            Assert.That(orders["""order_value_count{currency="CHF"}"""], Is.EqualTo(totals.Length));
            foreach (decimal bound in ValueBounds)
                Assert.That(orders[$$"""order_value_bucket{currency="CHF",le="{{bound}}"}"""],
                    Is.EqualTo(totals.Count(total => total <= bound)), $"{bound}");
            Assert.That((orders["order_lines_sum"], orders["order_lines_count"],
                orders["""order_lines_bucket{le="1"}"""], orders["""order_lines_bucket{le="2"}"""]),
                Is.EqualTo((11d, 9d, 7d, 9d)));
            Assert.That(orders["""order_revenue_total{currency="CHF"}"""],
                Is.EqualTo(139.93 + 5.00 + 5.01 + 25.90 + 5000.01).Within(1e-9));
            Assert.That(orders["""order_refunds_total{currency="CHF"}"""], Is.EqualTo(144.94));
            Assert.That(orders.Series, Has.None.Contains("EUR"));
            Assert.That(new[] { "created", "paid", "shipped", "delivered", "cancelled" }
                .Select(status => orders[$$"""orders_by_status{status="{{status}}"}"""]), Is.EqualTo([3d, 1, 2, 0, 3]));
        });

        Task StepAsync(string id, string step) => _shop.Orders.PostAsync($"/orders/{id}/{step}");
    }

    // What METRICS.md says: rules and panels ask for these bounds by their names.
    [TestCase("app_request_latency_seconds", "0.0005,0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,+Inf")]
    [TestCase("db_commit_seconds", "0.0005,0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,+Inf")]
    [TestCase("db_commit_batch_size", "1,2,4,8,16,32,64,128,256,512,1024,+Inf")]
    [TestCase("order_value", "5,10,25,50,100,250,500,1000,2500,5000,+Inf")]
    [TestCase("order_lines", "1,2,3,5,10,20,50,100,+Inf")]
    public async Task Given_a_histogram_then_its_buckets_are_those_that_rules_and_panels_ask_for(string name,
        string bounds)
    {
        foreach (HttpClient client in name.StartsWith("order", StringComparison.Ordinal) ? [_shop.Orders]
            : _shop.ByName.Values)
        {
            string[] found = [.. (await client.GetStringAsync("/metrics")).Split('\n')
                .Where(line => line.StartsWith($"{name}_bucket{{", StringComparison.Ordinal))
                .Select(line => line.Split("le=\"")[1].Split('"')[0]).Distinct(StringComparer.Ordinal)];
            Assert.That(found, Is.EqualTo(bounds.Split(',')));
        }
    }

    [Test]
    public async Task Given_a_request_that_takes_as_long_as_its_client_then_its_latency_is_that_time_in_seconds_and_two_at_work_are_two()
    {
        const string Series = """app_request_latency_seconds_{0}{endpoint="/inventory/increase",method="POST"}""";
        Uri address = _shop.Inventory.BaseAddress!;
        const string Body = """{"product_id":"prod_0","quantity":3}""";
        using TcpClient one = new(), other = new();
        long before = Stopwatch.GetTimestamp();
        foreach (TcpClient client in new[] { one, other })
        {
            await client.ConnectAsync(address.Host, address.Port);
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(
                $"POST /inventory/increase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + $"Content-Length: {Body.Length}\r\nConnection: close\r\n\r\n"));
        }

        while ((await Exposition.OfAsync(_shop.Inventory))["app_requests_in_progress"] < 2) await Task.Yield();
        long atWork = Stopwatch.GetTimestamp();
        // Until both have certainly passed a bound of the histogram.
        while (Stopwatch.GetElapsedTime(atWork) < TimeSpan.FromSeconds(0.3)) await Task.Yield();
        Exposition during = await Exposition.OfAsync(_shop.Inventory);
        double least = Stopwatch.GetElapsedTime(atWork).TotalSeconds;
        foreach (TcpClient client in new[] { one, other })
        {
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(Body));
            using var reader = new StreamReader(client.GetStream());
            Assert.That(RawHttp.Status(await reader.ReadToEndAsync()), Is.EqualTo(200));
        }

        double most = Stopwatch.GetElapsedTime(before).TotalSeconds;
        Exposition after = await Exposition.OfAsync(_shop.Inventory);
        Assert.Multiple(() =>
        {
            Assert.That((during["app_requests_in_progress"], after["app_requests_in_progress"]), Is.EqualTo((2d, 0d)));
            Assert.That(after[Series.Replace("{0}", "count", StringComparison.Ordinal)], Is.EqualTo(2));
            Assert.That(after[Series.Replace("{0}", "sum", StringComparison.Ordinal)], Is.InRange(2 * least, 2 * most));
            Assert.That(
                after["""app_request_latency_seconds_bucket{endpoint="/inventory/increase",le="0.25",method="POST"}"""],
                Is.Zero);
            Assert.That(
                after["""app_request_latency_seconds_bucket{endpoint="/inventory/increase",le="+Inf",method="POST"}"""],
                Is.EqualTo(2));
            Assert.That(after["""inventory_units_moved_total{kind="received"}"""]
                - during["""inventory_units_moved_total{kind="received"}"""], Is.EqualTo(6));
        });
    }

    [Test]
    public async Task Given_writes_that_come_together_then_batches_and_commits_add_up_to_them_undone_ones_too_and_sizes_are_those_of_the_files()
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        // Two of seven are undone: there is too little.
        int[] statuses = await Task.WhenAll(Enumerable.Range(0, 210).Select(async n =>
            (int)(await _shop.Inventory.PostAsync("/inventory/decrease",
                new { product_id = "prod_0", quantity = n % 7 < 2 ? 1_000_001 : 3 })).Response.StatusCode));
        Exposition after = await Exposition.OfAsync(_shop.Inventory);
        IReadOnlyDictionary<string, double> moved = after.Since(before);
        double committed = moved["""db_writes_total{result="committed"}"""], undone =
            moved["""db_writes_total{result="rolled_back"}"""];
        Assert.Multiple(() =>
        {
            Assert.That((statuses.Count(status => status == 200), statuses.Count(status => status == 409)),
                Is.EqualTo((150, 60)));
            Assert.That(undone, Is.EqualTo(60));
            Assert.That(committed, Is.InRange(150, 250), "now and then one of the shop's own falls in between");
            Assert.That(moved["db_commit_batch_size_sum"], Is.EqualTo(committed + undone));
            Assert.That(moved["db_commit_batch_size_count"], Is.EqualTo(moved["db_commit_seconds_count"])
                .And.InRange(1, committed + undone));
            Assert.That(moved["""inventory_units_moved_total{kind="removed"}"""], Is.EqualTo(450));
            Assert.That(after["db_write_queue_limit"], Is.EqualTo(4096));
        });
        foreach ((string name, HttpClient client) in _shop.ByName)
        {
            string file = Path.Combine(_shop.DataDirectory, $"{name}.db");
            (double Main, double Wal) shown, stored;
            long start = Stopwatch.GetTimestamp();
            do
            {
                stored = (new FileInfo(file).Length, new FileInfo($"{file}-wal").Length);
                Exposition metrics = await Exposition.OfAsync(client);
                shown = (metrics["""db_file_bytes{file="main"}"""], metrics["""db_file_bytes{file="wal"}"""]);
            }
            // A write of the shop's own may fall in between.
            while (shown != stored && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
            Assert.That(shown, Is.EqualTo(stored), name);
        }
    }

    [Test]
    public async Task Given_levels_at_every_edge_then_products_are_counted_in_their_states_and_the_shortest_have_their_level()
    {
        Exposition before = await Exposition.OfAsync(_shop.Inventory);
        (long Stock, int Ordered)[] made = [(0, 0), (7, 7), (1, 0), (5, 4), (9, 0), (20, 11), (10, 0), (23, 13),
            (11, 0)];
        var levels = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach ((long stock, int ordered) in made)
        {
            string product = await _shop.ProductAsync(stock);
            if (ordered > 0) await _shop.OrderAsync(product, ordered);
            levels[product] = stock - ordered;
        }

        Exposition after = await Exposition.OfAsync(_shop.Inventory);
        Assert.That(new[] { "out", "low", "in_stock" }.Select(state =>
            after[$$"""inventory_products{state="{{state}}"}"""]
                - before[$$"""inventory_products{state="{{state}}"}"""]), Is.EqualTo([2d, 4, 3]));
        Assert.That(levels.Keys.Select(product => after[$$"""inventory_stock_level{product_id="{{product}}"}"""]),
            Is.EqualTo(levels.Values));
        Assert.That(after.Series.Count(series => series.StartsWith("inventory_stock_level{", StringComparison.Ordinal)),
            Is.EqualTo(50));
        Assert.That(after["inventory_reservations_open"] - before["inventory_reservations_open"], Is.EqualTo(4));
    }

    [Test]
    public async Task Given_a_day_at_the_shop_then_the_business_figures_of_each_console_add_up_to_what_was_done()
    {
        foreach (HttpClient client in _shop.ByName.Values)
            await Eventually.IsSoAsync(async () => (await HistoryAsync(client)).Length > 0);
        string[] made = [await _shop.ProductAsync(stock: 40, price: 12.34m), await _shop.ProductAsync(stock: 0)];
        for (int n = 0; n < 7; n++) await _shop.Products.SendJsonAsync(HttpMethod.Get, $"/products/{made[0]}");
        var ids = new List<string>();
        for (int units = 1; units <= 6; units++) ids.Add(await _shop.OrderAsync(made[0], units));
        foreach (int refused in Enumerable.Range(0, 4)) await _shop.Orders.PostAsync("/orders", Http.Order(made[1]));
        foreach (string id in ids[3..]) await _shop.Orders.PostAsync($"/orders/{id}/pay"); // of 4, 5 and 6 units
        await _shop.Orders.PostAsync($"/orders/{ids[4]}/cancel");
        await _shop.Orders.PostAsync($"/orders/{ids[5]}/ship");
        int soldOut = int.Parse((await _shop.Inventory.GetAsync("/inventory?max_level=0&limit=1"))
            .Header("X-Total-Count")!);
        foreach ((HttpClient client, (string Title, double Value)[] wanted) in new[]
        {
            (_shop.Orders, new[]
            {
                ("Orders placed a second", 6), ("Orders not placed a second", 4),
                ("Revenue a minute", 60 * 12.34 * (4 + 5 + 6)), ("Orders not paid yet", 3),
            }),
            (_shop.Products,
            [
                ("Product views a second", 7d), ("Changes of products a second", 2), ("Products on sale", 202),
            ]),
            (_shop.Inventory,
            [
                ("Units reserved a second", 1 + 2 + 3 + 4 + 5 + 6d), ("Units shipped a second", 6),
                ("Reservations open", 4), ("Products out of stock", soldOut),
            ]),
        })
        {
            string html = await client.HtmlAsync("/live");
            foreach ((string title, double value) in wanted)
            {
                string place = $"<dt>{title} .*?</dt>\\s*<dd><span data-column=\"(?<n>[0-9]+)\"";
                int column = int.Parse(Regex.Match(html, place, RegexOptions.ExplicitCapture | RegexOptions.Singleline,
                    TimeSpan.FromMinutes(1)).Groups["n"].Value);
                bool isRate = title.EndsWith(" a second", StringComparison.Ordinal) || title == "Revenue a minute";
                await Eventually.IsSoAsync(async () =>
                {
                    double?[][] points = await HistoryAsync(client);
                    double all = isRate
                        ? points.Zip(points.Skip(1), (before, point) =>
                            point[column]!.Value * (point[0]!.Value - before[0]!.Value) / 1000).Sum()
                        : points[^1][column]!.Value;
                    return Math.Abs(all - value) <= value / 50;
                });
            }
        }

        static async Task<double?[][]> HistoryAsync(HttpClient client)
        {
            JsonNode told = (await client.SendJsonAsync(HttpMethod.Get, "/live/events", null,
                ("Accept", "application/json"))).Json!;
            JsonNode? history = told["events"]!.AsArray().FirstOrDefault(happened =>
                (string)happened!["event"]! == "history");
            return history is null ? [] : [.. history["data"]!.AsArray()
                .Select(point => point!.AsArray().Select(value => (double?)value).ToArray())];
        }
    }

    [Test]
    public async Task Given_lists_and_pages_then_they_are_compressed_for_those_who_can_read_it()
    {
        string product = await _shop.ProductAsync(stock: 100);
        for (int n = 0; n < 9; n++) await _shop.OrderAsync(product);
        foreach ((HttpClient client, string path) in new[]
        {
            (_shop.Products, "/products"), (_shop.Orders, "/orders"), (_shop.Inventory, "/inventory"),
            (_shop.Inventory, $"/inventory/{product}/movements"), (_shop.Products, "/live"), (_shop.Orders, "/live"),
        })
        {
            foreach ((string accepted, string? used) in new[]
            {
                ("br", "br"), ("gzip", "gzip"), ("identity", null), ("gzip;q=0", null),
            })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                request.Headers.TryAddWithoutValidation("Accept-Encoding", accepted);
                using HttpResponseMessage answer = await client.SendAsync(request);
                Assert.That(((int)answer.StatusCode, answer.Header("Content-Encoding")), Is.EqualTo((200, used)),
                    $"{path} {accepted}");
            }
        }
    }

    [Test]
    public async Task Given_lists_with_filters_then_their_totals_are_counted_here_too()
    {
        decimal[] prices = [19.99m, 20.00m, 20.01m, 7.07m, 0.01m, 1_000_000.00m, 33.33m];
        var ids = new List<string>();
        foreach (decimal price in prices)
        {
            (_, JsonNode? made) = await _shop.Products.PostAsync("/products",
                new { name = $"Odd {price}", price, category = "Odd", initial_stock = 1000 });
            ids.Add((string)made!["id"]!);
        }

        for (int i = 0; i < 11; i++) await _shop.OrderAsync(ids[i % 3], 1 + i, i % 4 == 0 ? "ada" : "bob");
        foreach (JsonNode? order in (await _shop.Orders.GetJsonAsync("/orders?customer_id=ada")).AsArray())
            await _shop.Orders.PostAsync($"/orders/{order!["order_id"]}/pay");
        (HttpClient Client, string Path, int Total)[] cases =
        [
            (_shop.Products, "/products?category=Odd", 7),
            (_shop.Products, "/products?category=Odd&min_price=20.00", prices.Count(price => price >= 20)),
            (_shop.Products, "/products?category=Odd&max_price=20.00", prices.Count(price => price <= 20)),
            (_shop.Products, "/products?category=Odd&min_price=19.99&max_price=20", 2),
            (_shop.Products, "/products?category=odd", 0),
            (_shop.Products, "/products", 207),
            (_shop.Orders, "/orders", 11),
            (_shop.Orders, "/orders?customer_id=ada", 3),
            (_shop.Orders, "/orders?customer_id=bob", 8),
            (_shop.Orders, "/orders?status=paid", 3),
            (_shop.Orders, "/orders?status=created", 8),
            (_shop.Orders, $"/orders?product_id={ids[1]}", 4),
            (_shop.Orders, $"/orders?product_id={ids[1]}&customer_id=ada", 1),
            (_shop.Orders, $"/orders?product_id={ids[6]}", 0),
            (_shop.Inventory, "/inventory", 207),
            (_shop.Inventory, "/inventory?max_level=9", 10),
            (_shop.Inventory, "/inventory?max_level=0", 1),
            (_shop.Inventory, $"/inventory/{ids[0]}/movements", 5),
        ];
        foreach ((HttpClient client, string path, int total) in cases)
        {
            foreach (int limit in new[] { 2, 1000 })
            {
                using HttpResponseMessage answer =
                    await client.GetAsync(
                        $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}limit={limit}");
                int rows = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!.AsArray().Count;
                Assert.That((answer.Header("X-Total-Count"), rows, answer.Header("X-Total-Count-Relation")),
                    Is.EqualTo((total.ToString(CultureInfo.InvariantCulture), Math.Min(limit, total), (string?)null)),
                    $"{path} limit {limit}");
            }
        }

        JsonNode categories = await _shop.Products.GetJsonAsync("/categories");
        Assert.That((int)categories.AsArray().Single(category => (string)category!["category"]! == "Odd")!["products"]!,
            Is.EqualTo(7));
        Assert.That(categories.AsArray().Sum(category => (int)category!["products"]!), Is.EqualTo(207));
    }

    // This shop runs in this process, so the runtime can be asked for the same.
    [Test]
    public async Task Given_the_process_then_what_its_metrics_say_lies_between_what_the_runtime_says_before_and_after()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartHereAsync();
        GC.Collect(1);
        (string Series, double Value)[] before = [.. Runtime()];
        Exposition shown = await Exposition.OfAsync(shop.Orders, "/metrics/process");
        (string Series, double Value)[] after = [.. Runtime()];
        Assert.Multiple(() =>
        {
            foreach (((string series, double least), (_, double most)) in before.Zip(after)) Assert.That(shown[series],
                Is.InRange(least, most), series);
            Assert.That(shown["dotnet_processors"], Is.EqualTo(Environment.ProcessorCount));
        });

        static IEnumerable<(string, double)> Runtime()
        {
            // Each collection under the oldest generation that it collected.
            yield return ("""dotnet_gc_collections_total{generation="gen2"}""", GC.CollectionCount(2));
            yield return ("""dotnet_gc_collections_total{generation="gen1"}""",
                GC.CollectionCount(1) - GC.CollectionCount(2));
            yield return ("dotnet_gc_pause_seconds_total", GC.GetTotalPauseDuration().TotalSeconds);
            yield return ("dotnet_gc_allocated_bytes_total", GC.GetTotalAllocatedBytes());
            yield return ("dotnet_thread_pool_completed_items_total", ThreadPool.CompletedWorkItemCount);
            yield return ("dotnet_lock_contentions_total", Monitor.LockContentionCount);
            using var process = Process.GetCurrentProcess();
            yield return ("process_cpu_seconds_total", process.TotalProcessorTime.TotalSeconds);
        }
    }

    // Between two collections these figures stand still, so they are asked for until there was no collection meanwhile.
    [Test]
    public async Task Given_a_collection_then_each_generation_has_the_size_that_it_had_after_it_and_the_threads_are_the_pools()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartHereAsync();
        GCMemoryInfo before;
        Exposition shown;
        do
        {
            // Something goes in each generation, so that it is smaller than before.
            for (int i = 0; i < 100; i++) _ = (new byte[50_000], new byte[200_000], GC.AllocateArray<byte>(50, true));
            GC.Collect();
            before = GC.GetGCMemoryInfo();
            shown = await Exposition.OfAsync(shop.Orders, "/metrics/process");
        }
        while (before.Index != GC.GetGCMemoryInfo().Index);

        string[] generations = ["gen0", "gen1", "gen2", "loh", "poh"];
        Assert.That(generations.Select(name => shown[$$"""dotnet_gc_heap_bytes{generation="{{name}}"}"""]),
            Is.EqualTo(before.GenerationInfo.ToArray().Select(generation => (double)generation.SizeAfterBytes)));
        Assert.That(shown["dotnet_gc_committed_bytes"], Is.EqualTo(before.TotalCommittedBytes));
        // Threads come and go, but not always.
        await Eventually.IsSoAsync(async () =>
        {
            int threads = ThreadPool.ThreadCount;
            Exposition now = await Exposition.OfAsync(shop.Orders, "/metrics/process");
            return now["dotnet_thread_pool_threads"] == threads && ThreadPool.ThreadCount == threads;
        });
    }

    [Test]
    public async Task Given_an_order_that_asks_for_too_much_in_several_lines_then_each_short_product_is_named_with_both_figures()
    {
        string one = await _shop.ProductAsync(stock: 13), other = await _shop.ProductAsync(stock: 5), enough =
            await _shop.ProductAsync(stock: 7);
        await _shop.OrderAsync(one, 4);
        (HttpResponseMessage answer, JsonNode? problem) = await _shop.Orders.PostAsync("/orders", new
        {
            customer_id = "c",
            items = new[] { (one, 6), (enough, 7), (one, 5), (other, 6) }
                .Select(line => new { product_id = line.Item1, quantity = line.Item2 }),
        });
        Assert.That((int)answer.StatusCode, Is.EqualTo(409));
        Assert.That(problem!["shortages"]!.AsArray().Select(line =>
            ((string)line!["product_id"]!, (int)line["requested"]!, (int)line["available"]!)),
            Is.EquivalentTo(new[] { (one, 11, 9), (other, 6, 5) }));
        Assert.That((string)problem["error"]!, Does.Contain($"{one} has 9, 11 are wanted")
            .And.Contain($"{other} has 5, 6 are wanted").And.Not.Contain(enough));
        Assert.That(problem["errors"]!.AsObject().Select(fault => fault.Key),
            Is.EquivalentTo(new[] { "items[0].quantity", "items[2].quantity", "items[3].quantity" }));
    }
}
