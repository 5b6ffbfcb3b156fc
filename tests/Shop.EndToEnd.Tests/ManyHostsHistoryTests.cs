using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Clients that change hosts between two requests and repeat what got no answer, while hosts are killed and stand still
/// and the database is restarted. In the end nothing that was acknowledged is lost, nothing was done twice, and the
/// books agree. <c>SHOP_HISTORY_SECONDS</c> says how long that goes on, and <c>SHOP_HISTORY_ROUNDS</c> how often: each
/// round has products and a customer of its own, and ends with the books.
/// </summary>
[NonParallelizable]
[Category("CI")]
internal sealed class ManyHostsHistoryTests
{
    private const int Clients = 8, Products = 4;
    private const long Initial = 30;

    // Far more than it ever takes, on any machine.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly string[] Verbs = ["pay", "pay", "ship", "deliver", "cancel"];
    private static readonly string[] Life = ["created", "paid", "shipped", "delivered"];

    private readonly ConcurrentDictionary<string, Placed> _orders = new(StringComparer.Ordinal);
    private readonly long[] _received = new long[Products];
    private readonly ConcurrentDictionary<string, int> _answers = new(StringComparer.Ordinal);
    private string _customer = null!;
    private string[] _products = null!;
    private PostgresCluster _cluster = null!;
    private ShopHosts _hosts = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _cluster = PostgresCluster.StartOwn();
        _hosts = await ShopHosts.StartAsync(_cluster, 3, "Shop:DemoData=false");
    }

    [OneTimeTearDown]
    public async Task End()
    {
        await _hosts.DisposeAsync();
        _cluster.Dispose();
    }

    [Test]
    public async Task Given_clients_that_change_hosts_while_hosts_and_the_database_fail_then_what_was_acknowledged_is_there_once_and_the_books_agree()
    {
        int seed = Setting("SHOP_HISTORY_SEED", Environment.TickCount);
        int rounds = Setting("SHOP_HISTORY_ROUNDS", 1);
        for (int round = 0; round < rounds; round++) await RunRoundAsync(seed + (round * (Clients + 1)));
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : otherwise;

    private async Task RunRoundAsync(int seed)
    {
        await TestContext.Progress.WriteLineAsync($"SHOP_HISTORY_SEED={seed}");
        _customer = Guid.NewGuid().ToString("N");
        _orders.Clear();
        _answers.Clear();
        Array.Clear(_received);
        _products = await Task.WhenAll(Enumerable.Range(0, Products).Select(n => _hosts[n % 3].ProductAsync(Initial)));
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(Setting("SHOP_HISTORY_SECONDS", 10)));
        Task[] clients = [.. Enumerable.Range(0, Clients).Select(n => RunClientAsync(new Random(seed + n), end.Token))];
        await BreakThingsAsync(new Random(seed - 1), end.Token);
        await Task.WhenAll(clients);
        await TestContext.Progress.WriteLineAsync(string.Join(", ",
            _answers.OrderBy(answer => answer.Key).Select(answer => $"{answer.Key}: {answer.Value}")));
        await CheckOrdersAsync();
        await CheckStockAsync();
    }

    private async Task BreakThingsAsync(Random random, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            await Task.Delay(random.Next(300, 1500), end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            int host = random.Next(3);
            switch (random.Next(6))
            {
                case 0 or 1:
                    Count("killed");
                    _hosts[host].Dispose();
                    _hosts.All[host] = await _hosts.StartOneAsync();
                    break;
                case 2 or 3:
                    Count("stood still");
                    _hosts[host].Signal(19);
                    await Task.Delay(random.Next(200, 6000), end)
                        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    _hosts[host].Signal(18);
                    break;
                case 4:
                    Count("cut");
                    await _hosts.SqlAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        + "WHERE datname = current_database() AND pid <> pg_backend_pid()");
                    break;
                default:
                    Count("restarted");
                    _cluster.Restart();
                    break;
            }
        }
    }

    private async Task RunClientAsync(Random random, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            Placed? some = _orders.Values.ElementAtOrDefault(random.Next(Math.Max(1, _orders.Count)));
            switch (random.Next(10))
            {
                case < 4:
                    await PlaceAsync(random, new Placed(Guid.NewGuid().ToString("N"), random.Next(Products),
                        random.Next(1, 4), random.Next(3)));
                    break;
                case < 8 when some is not null:
                    await ChangeAsync(random, some, Verbs[random.Next(Verbs.Length)]);
                    break;
                case 8 when some is not null:
                    await PlaceAsync(random, some);
                    break;
                default:
                    await ReceiveAsync(random, random.Next(Products), random.Next(1, 5));
                    break;
            }
        }
    }

    private async Task PlaceAsync(Random random, Placed order)
    {
        (int code, JsonNode? answer) = await RepeatAsync(random, "place",
            host => host.Orders.PostAsync("/orders", order.Body(_customer, _products), order.Headers));
        if (code == 409)
        {
            Assert.That((string)answer!["type"]!,
                Is.EqualTo("urn:shop:problem:insufficient-stock"), answer.ToJsonString());
            Assert.That(_orders.ContainsKey(order.Name), Is.False, "an order that was acknowledged");
            return;
        }

        Assert.That(code, Is.EqualTo(201), answer?.ToJsonString());
        Placed known = _orders.GetOrAdd(order.Name, order);
        lock (known)
        {
            string text = answer!.ToJsonString();
            Assert.That(text, Is.EqualTo(known.Answer ??= text), "every answer is the first");
            known.Id = (string)answer["order_id"]!;
        }
    }

    private async Task ChangeAsync(Random random, Placed order, string verb)
    {
        if (order.Id is null) return;
        (int code, JsonNode? answer) = await RepeatAsync(
            random, verb, host => host.Orders.PostAsync($"/orders/{order.Id}/{verb}"));
        Assert.That(code, Is.EqualTo(200).Or.EqualTo(409), $"{order.Id}: {answer?.ToJsonString()}");
        if (code != 200) return;
        lock (order) order.Status = Later(order.Status, (string)answer!["status"]!);
    }

    private async Task ReceiveAsync(Random random, int product, int quantity)
    {
        string key = Guid.NewGuid().ToString("N");
        (int code, JsonNode? answer) = await RepeatAsync(random, "receive",
            host => host.Inventory.PostAsync("/inventory/increase",
                new { product_id = _products[product], quantity_increased = quantity }, ("Idempotency-Key", key)));
        Assert.That(code, Is.EqualTo(200), answer?.ToJsonString());
        Interlocked.Add(ref _received[product], quantity);
    }

    /// <summary>Until a host answers that it was done, or can't be.</summary>
    private async Task<(int Code, JsonNode? Answer)> RepeatAsync(
        Random random, string what, Func<ShopProcess, Task<(HttpResponseMessage Response, JsonNode? Json)>> send)
    {
        for (long start = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                (HttpResponseMessage response, JsonNode? answer) = await send(_hosts[random.Next(3)]);
                using (response)
                {
                    int code = (int)response.StatusCode;
                    Count($"{what} {code}");
                    if (code < 500) return (code, answer);
                }
            }
            catch (Exception exception)
                when (exception is HttpRequestException or OperationCanceledException or ObjectDisposedException)
            {
                Count($"{what} without an answer");
            }

            Assert.That(Stopwatch.GetElapsedTime(start),
                Is.LessThan(TimeSpan.FromMinutes(2)), $"{what} gets no answer");
            await Task.Delay(random.Next(50));
        }
    }

    private async Task CheckOrdersAsync()
    {
        foreach (ShopProcess host in _hosts.All)
        {
            JsonNode[] stored = await AllAsync(host.Orders, $"/orders?customer_id={_customer}&limit=1000");
            var byId = stored.ToDictionary(order => (string)order["order_id"]!, StringComparer.Ordinal);
            Assert.That(byId.Keys, Is.EquivalentTo(_orders.Values.Select(order => order.Id)));
            foreach (Placed order in _orders.Values)
            {
                string status = (string)byId[order.Id!]["status"]!;
                Assert.That(Later(order.Status, status),
                    Is.EqualTo(status), $"{order.Id} was acknowledged as {order.Status}");
            }
        }
    }

    private async Task CheckStockAsync()
    {
        JsonNode[] stored = await AllAsync(_hosts[0].Orders, $"/orders?customer_id={_customer}&limit=1000");
        for (int n = 0; n < Products; n++)
        {
            long Units(params string[] statuses) => stored.Where(order => statuses.Contains((string)order["status"]!))
                .SelectMany(order => order["items"]!.AsArray())
                .Where(item => (string)item!["product_id"]! == _products[n]).Sum(item => (long)item!["quantity"]!);
            (long, long, long) Expected()
            {
                long onHand = Initial + _received[n] - Units("shipped", "delivered"),
                    reserved = Units("created", "paid");
                return (onHand - reserved, onHand, reserved);
            }

            (long Level, long OnHand, long Reserved) found = default;
            for (long start = Stopwatch.GetTimestamp();
                Stopwatch.GetElapsedTime(start) < Patience; await Task.Delay(50))
            {
                stored = await AllAsync(_hosts[0].Orders, $"/orders?customer_id={_customer}&limit=1000");
                found = await _hosts[n % 3].StockAsync(_products[n]);
                if (found == Expected()) break;
            }

            Assert.That(found, Is.EqualTo(Expected()), $"level, on hand and reserved of {_products[n]}");
            Assert.That(found.Level, Is.Not.Negative);
            JsonNode[] movements = await AllAsync(_hosts[n % 3].Inventory,
                $"/inventory/{_products[n]}/movements?limit=1000");
            long Moved(string kind) => movements.Where(movement => (string)movement["kind"]! == kind)
                .Sum(movement => (long)movement["quantity"]!);
            Assert.That((Moved("received") - Moved("removed") - Moved("shipped"),
                    Moved("reserved") - Moved("released") - Moved("shipped")),
                Is.EqualTo((found.OnHand, found.Reserved)), "the sum of the movements");
        }
    }

    private static async Task<JsonNode[]> AllAsync(HttpClient client, string path)
    {
        long start = Stopwatch.GetTimestamp();
        var rows = new List<JsonNode>();
        for (string? page = path; page is not null;)
        {
            (HttpResponseMessage response, JsonNode? json) = await client.SendJsonAsync(HttpMethod.Get, page);
            using (response)
            {
                if ((int)response.StatusCode == 503 && Stopwatch.GetElapsedTime(start) < Patience) continue;
                Assert.That((int)response.StatusCode, Is.EqualTo(200), json?.ToJsonString());
                rows.AddRange(json!.AsArray().Select(row => row!));
                page = response.NextPage();
            }
        }

        return [.. rows];
    }

    private static string Later(string one, string other) =>
        one == "cancelled" || other == "cancelled"
            ? "cancelled"
            : Life[Math.Max(Array.IndexOf(Life, one), Array.IndexOf(Life, other))];

    private void Count(string what) => _answers.AddOrUpdate(what, 1, (_, count) => count + 1);

    /// <summary>An order of one line, repeatable by an id, by a key, or by both.</summary>
    private sealed record Placed(string Name, int Product, int Quantity, int Kind)
    {
        public string? Id { get; set; }

        public string? Answer { get; set; }

        public string Status { get; set; } = "created";

        public (string Name, string Value)[] Headers => Kind == 0 ? [] : [("Idempotency-Key", Name)];

        public object Body(string customer, string[] products)
        {
            object items = new[] { new { product_id = products[Product], quantity = Quantity } };
            return Kind == 1
                ? new { customer_id = customer, items }
                : new { order_id = Name, customer_id = customer, items };
        }
    }
}
