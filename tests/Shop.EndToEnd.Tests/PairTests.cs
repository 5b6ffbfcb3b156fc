using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Shop.Platform.Data;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Any two requests that touch one thing, forced to meet: one is stopped wherever it waits, the other goes as far as it
/// comes, then the first goes on. What both are told, and what the shop is like after them, must be so as if one had
/// come after the other, in <see cref="PairModel"/>.
/// </summary>
[NonParallelizable]
internal sealed class PairTests
{
    /// <summary>
    /// For a request that waits for one that is stopped. Nothing says that it has come as far as it comes: if this is
    /// too short, the two meet less closely, and nothing fails.
    /// </summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private const string BehindAnswer = "before ConfirmAsync";

    private static readonly string[] OfPlacing =
        ["before FindAsync", "before ReserveAsync", "after ReserveAsync", BehindAnswer];

    // a: the order that is placed. w, x: orders that are created and paid. p: the product of all. q: another product.
    private static readonly Deed[] Deeds =
    [
        Place("place a, key k", "k", "a", 3, isAlike: false),
        Place("place a, key k, other content", "k", "a", 4),
        Place("place a, key l", "l", "a", 3),
        Place("place a, key l, another customer", "l", "a", 3, customer: "d"),
        Place("place a, key k, by another client", "k", "a", 3) with { Client = "bob" },
        Place("place a", null, "a", 3),
        Place("place b, key k", "k", "b", 3),
        Place("place, key k", "k", "", 3, isAlike: false),
        Place("place nearly all that is left", null, "", 14, isAlike: false),
        Place("place a with nearly all that is left, key k", "k", "a", 14),
        Place("place b with nearly all that is left, key k", "k", "b", 14),
        Place("place x again, its key", "kx", "x", 2),
        Place("place x again, key k", "k", "x", 2),
        Change("pay w", null, "w", "pay", "paid"),
        Change("pay w, key k", "k", "w", "pay", "paid"),
        Change("cancel w", null, "w", "cancel", "cancelled", "ReleaseAsync"),
        Change("ship x", null, "x", "ship", "shipped", "ShipAsync"),
        Change("ship x, key k", "k", "x", "ship", "shipped", "ShipAsync"),
        Change("deliver x", null, "x", "deliver", "delivered"),
        Change("cancel x, key k", "k", "x", "cancel", "cancelled", "ReleaseAsync"),
        Change("pay a", null, "a", "pay", "paid"),
        Change("cancel a, key l", "l", "a", "cancel", "cancelled", "ReleaseAsync"),
        Restock("increase by 5", null, 5),
        Restock("increase by 5, key k", "k", 5),
        Restock("decrease by 2, key k", "k", -2),
        Restock("decrease by nearly all that is left", null, -14),
        Replace("replace", null, 12m),
        Replace("replace, key k", "k", 12m),
        Replace("replace if it is as it was", null, 13m, ifFirst: true),
        Delete("delete", null),
        Delete("delete if it is as it was, key k", "k", ifFirst: true),
        Create("create q, key k", "k", 7),
        Create("create q, other stock", null, 8),
    ];

    private readonly Meeting _meeting = new();
    private readonly Dictionary<string, string> _clients = new(StringComparer.Ordinal);
    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        (string ada, string adasHash) = ApiKeys.Make();
        (string bob, string bobsHash) = ApiKeys.Make();
        (_clients["ada"], _clients["bob"]) = ($"Bearer {ada}", $"Bearer {bob}");
        _shop = await ShopUnderTest.StartAsync(
            _meeting.Contracts, null, $"Shop:ApiKeys=ada:write:{adasHash},bob:write:{bobsHash}", "Shop:DemoData=false",
            "Shop:RequestTimeout=300"); // a machine that is busy may let the writers wait for long
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [TestCaseSource(nameof(Names))]
    public async Task Given_a_request_that_is_stopped_anywhere_when_any_other_meets_it_there_then_it_is_as_if_one_had_come_after_the_other(
        string name)
    {
        Deed first = Deeds.Single(deed => deed.Name == name);
        Deed[] others = [.. Deeds.Where(first.Touches)];
        Dictionary<string, Exposition> before = await ScrapeAsync();
        (string position, _) = await WatchAsync("");
        var watched = new List<(string Order, string Status)>();
        var done = new List<Pair>();
        foreach (string place in first.Places)
        {
            Pair[] pairs = await BeginAsync(first, others, place);
            await Task.WhenAll(pairs.Select(MeetAtCallAsync));
            await NoteAsync(pairs);
        }

        foreach (string service in first.Writers)
        {
            Pair[] pairs = await BeginAsync(first, others, $"in the batch of {service}");
            await MeetInBatchAsync(service, pairs);
            await NoteAsync(pairs);
        }

        await Task.WhenAll(done.Select(CheckAsync));
        Compare(before, await ScrapeAsync(), done);
        // Who watches sees each order go on as it went on.
        ILookup<string, string> seen = watched.ToLookup(happened => happened.Order, happened => happened.Status);
        Assert.That(done.SelectMany(pair => pair.Lives).Select(order => (order.Id, string.Join(' ', seen[order.Id]))),
            Is.EquivalentTo(done.SelectMany(pair => pair.Lives).Select(order => (order.Id, order.Life))));

        async Task NoteAsync(Pair[] pairs)
        {
            done.AddRange(pairs);
            (position, IEnumerable<(string, string)> happened) = await WatchAsync(position);
            watched.AddRange(happened);
        }
    }

    [Test]
    public async Task Given_units_that_are_held_though_the_call_failed_when_the_order_is_placed_again_before_they_are_back_then_503_and_after_that_it_is_placed()
    {
        var pair = (await BeginAsync(Deeds[0], [Deeds[5]], "after ReserveAsync")).Single();
        using Meeting.Stop reserved = _meeting.StopAt(pair.Place, pair.Id("p"));
        using Meeting.Stop beforeRelease = _meeting.StopAt("before ReleaseAsync", pair.Id("a"));
        using Meeting.Stop afterRelease = _meeting.StopAt("after ReleaseAsync", pair.Id("a"));
        Task<PairAnswer> first = DoAsync(pair, pair.First);
        await reserved.Reached.WaitAsync(Patience);
        reserved.Fail(new StoreUnavailableException("inventory", new IOException("no")));
        Assert.That((await first).Status, Is.EqualTo(503));
        foreach (Meeting.Stop stop in new[] { beforeRelease, afterRelease })
        {
            await stop.Reached.WaitAsync(Patience);
            foreach (Deed again in new[] { pair.First, pair.Second })
                Assert.That(await DoAsync(pair, again), Is.EqualTo(new PairAnswer(503, false, "order-being-undone")));
            Assert.That((await DoAsync(pair, Deeds.Single(deed => deed.Name == "pay a"))).Status, Is.EqualTo(404));
            stop.Dispose();
        }

        using var patience = new CancellationTokenSource(Patience);
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            pair.SecondAnswer = await DoAsync(pair, pair.Second);
        }
        while (pair.SecondAnswer.Status == 503);
        pair.FirstAnswer = await DoAsync(pair, pair.First);
        Assert.That((pair.FirstAnswer.IsReplayed, pair.SecondAnswer.IsReplayed), Is.EqualTo((true, false)));
        await CheckAsync(pair);
    }

    private static IEnumerable<string> Names() => Deeds.Select(deed => deed.Name);

    private async Task<(string Position, IEnumerable<(string Order, string Status)> Happened)> WatchAsync(string after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/board/events?after={after}");
        request.Headers.Add("Accept", "application/json");
        using HttpResponseMessage response = await _shop.Orders.SendAsync(request);
        JsonNode batch = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        return ((string)batch["id"]!,
            batch["events"]!.AsArray().Where(happened => (string)happened!["event"]! == "order")
            .Select(happened => ((string)happened!["data"]!["order_id"]!, (string)happened["data"]!["status"]!)));
    }

    private async Task<Pair[]> BeginAsync(Deed first, Deed[] others, string place) =>
        await Task.WhenAll(others.Select(async other =>
    {
        var pair = new Pair(first, other, place, $"{Guid.NewGuid():N}"[..12]);
        object product = new { id = pair.Id("p"), name = "A thing", price = 10, initial_stock = 20 };
        pair.Tag = (await SendAsync(pair, "products", HttpMethod.Post, "/products", product)).Header("ETag")!;
        await DoFirstAsync(Place("", "kx", "x", 2));
        await DoFirstAsync(Change("", null, "x", "pay", "paid"));
        await DoFirstAsync(Place("", null, "w", 2));
        return pair;

        async Task DoFirstAsync(Deed deed) =>
            Assert.That(await DoAsync(pair, deed), Is.EqualTo(deed.ApplyTo(pair.Start)));
    }));

    private async Task MeetAtCallAsync(Pair pair)
    {
        bool isBehindAnswer = pair.Place == BehindAnswer;
        // The shop's own work may come to the same place first; what is behind the answer is always such work.
        using Meeting.Stop stop = _meeting.StopAt(
            pair.Place, pair.Id(isBehindAnswer ? "a" : pair.First.Subject!), isForRequest: !isBehindAnswer);
        Task<PairAnswer> first = DoAsync(pair, pair.First);
        if (isBehindAnswer) pair.FirstAnswer = await first;
        // It may be refused before it comes there; and an order that was there is not confirmed.
        bool comes = !isBehindAnswer || pair.FirstAnswer is { Status: 201, IsReplayed: false };
        Task came = comes ? stop.Reached : Task.CompletedTask;
        await Task.WhenAny(came, isBehindAnswer ? came : first).WaitAsync(Patience);
        bool isStopped = stop.Reached.IsCompleted;
        if (!isStopped) stop.Dispose(); // the second must not be stopped there
        Task<PairAnswer> second = DoAsync(pair, pair.Second);
        await Task.WhenAny(second, Task.Delay(Moment));
        if (!isBehindAnswer && isStopped)
            Assert.That(first.IsCompleted, Is.False, () => $"{pair} was answered before all was done");
        // Who is told that a product is there finds its units, too, and may not have to wait for somebody else.
        if (pair.Second.Subject == "q" && second.IsCompleted && (await second).Status == 201)
            await _shop.StockAsync(pair.Id("q"));
        stop.Dispose();
        (pair.FirstAnswer, pair.SecondAnswer) = (await first, await second);
    }

    private async Task MeetInBatchAsync(string service, Pair[] pairs)
    {
        using Meeting.Stop held = await Meeting.HoldWriterAsync(_shop, service);
        Task<PairAnswer>[] firsts = [.. pairs.Select(pair => DoAsync(pair, pair.First))];
        await WaitsAsync(1 + pairs.Length, firsts);
        Task<PairAnswer>[] seconds = [.. pairs.Select(pair => DoAsync(pair, pair.Second))];
        await WaitsAsync(1 + (2 * pairs.Length), seconds);
        held.Dispose();
        for (int i = 0; i < pairs.Length; i++)
            (pairs[i].FirstAnswer, pairs[i].SecondAnswer) = (await firsts[i], await seconds[i]);

        async Task WaitsAsync(int writes, Task[] requests)
        {
            Task moment = Task.Delay(Moment);
            while (_shop.UnwrittenWrites(service) < writes && !moment.IsCompleted
                && !requests.All(request => request.IsCompleted))
                await Task.Delay(1);
        }
    }

    private async Task<PairAnswer> DoAsync(Pair pair, Deed deed)
    {
        using HttpResponseMessage response =
            await SendAsync(pair, deed.Service, deed.Method, deed.Path(pair), deed.Body(pair), deed);
        string text = await response.Content.ReadAsStringAsync();
        JsonNode? json = text.Length == 0 ? null : JsonNode.Parse(text);
        bool isReplayed = response.Header("Idempotency-Replayed") == "true";
        if (response.StatusCode == HttpStatusCode.Created && deed.Service == "orders")
            pair.Placed.Add((isReplayed, text));
        string says = json switch
        {
            null => "",
            _ when json["type"] is { } type => $"{type}".Replace("urn:shop:problem:", "", StringComparison.Ordinal),
            _ when json["new_stock_level"] is { } level => $"{level}",
            _ when json["version"] is { } version => $"{version} {Money(json["price"])}",
            _ => $"{json["status"]} {Money(json["total_amount"])}",
        };
        return new PairAnswer((int)response.StatusCode, isReplayed, says);
    }

    private async Task<HttpResponseMessage> SendAsync(Pair pair, string service, HttpMethod method, string path,
        object? body, Deed? deed = null)
    {
        var headers = new List<(string, string)> { ("Authorization", _clients[deed?.Client ?? "ada"]) };
        if (deed?.Key is { } key) headers.Add(("Idempotency-Key", pair.Id(key)));
        if (deed?.IfFirst == true) headers.Add(("If-Match", pair.Tag));
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = System.Net.Http.Json.JsonContent.Create(body);
        foreach ((string header, string value) in headers) request.Headers.Add(header, value);
        return await _shop.ByName[service].SendAsync(request);
    }

    // What is undone is so a moment after its answer.
    private async Task CheckAsync(Pair pair)
    {
        Found[] possible = [.. pair.Possible()];
        Assert.That(possible, Is.Not.Empty, () => $"{pair} were answered {pair.FirstAnswer} and {pair.SecondAnswer}");
        using var patience = new CancellationTokenSource(Patience);
        Found found = await FindAsync(pair);
        while (!possible.Contains(found) && !patience.IsCancellationRequested)
        {
            await Task.Delay(5);
            found = await FindAsync(pair);
        }

        Assert.That(possible, Does.Contain(found),
            () => $"{pair} were answered {pair.FirstAnswer} and {pair.SecondAnswer}");
        string[] bodies = [.. pair.Placed.Where(placed => placed.IsReplayed).Select(placed => placed.Body)];
        Assert.That(pair.Placed.Where(placed => !placed.IsReplayed).Select(placed => placed.Body),
            Is.SupersetOf(bodies.Distinct()), pair.ToString());
        pair.Movements = [.. await MovementsAsync(pair.Id("p")), .. await MovementsAsync(pair.Id("q"))];
        await EventsAsync(pair);
    }

    private async Task<Found> FindAsync(Pair pair)
    {
        (HttpResponseMessage read, JsonNode? product) =
            await _shop.Products.SendJsonAsync(HttpMethod.Get, $"/products/{pair.Id("p")}");
        string sold = read.IsSuccessStatusCode ? $"{product!["version"]} {Money(product["price"])}" : "";
        (_, long onHand, long reserved) = await _shop.StockAsync(pair.Id("p"));
        (HttpResponseMessage other, JsonNode? stock) =
            await _shop.Inventory.SendJsonAsync(HttpMethod.Get, $"/inventory/{pair.Id("q")}");
        JsonArray orders = (await _shop.Orders.GetJsonAsync($"/orders?product_id={pair.Id("p")}&limit=1000")).AsArray();
        pair.Orders = [.. orders.Select(order => ((string)order!["order_id"]!, (decimal)order["total_amount"]!))];
        IEnumerable<string> lines = orders.Select(order => Found.Line(
            pair.Name((string)order!["order_id"]!), (string)order["customer_id"]!,
            (int)order["items"]![0]!["quantity"]!,
            (string)order["status"]!, Money(order["total_amount"])));
        return new Found(sold, onHand, reserved, string.Join("; ", lines.Order(StringComparer.Ordinal)),
            other.IsSuccessStatusCode ? (long)stock!["on_hand"]! : null);
    }

    private async Task<IReadOnlyList<(string Kind, long Quantity)>> MovementsAsync(string product)
    {
        (HttpResponseMessage read, JsonNode? rows) =
            await _shop.Inventory.SendJsonAsync(HttpMethod.Get, $"/inventory/{product}/movements?limit=1000");
        if (!read.IsSuccessStatusCode) return [];
        long onHand = 0, reserved = 0;
        foreach (JsonNode? row in rows!.AsArray().Reverse())
        {
            long units = (long)row!["quantity"]!;
            string kind = (string)row["kind"]!;
            onHand += kind switch { "received" => units, "removed" or "shipped" => -units, _ => 0 };
            reserved += kind switch { "reserved" => units, "released" or "shipped" => -units, _ => 0 };
            Assert.That(((long)row["on_hand"]!, (long)row["reserved"]!), Is.EqualTo((onHand, reserved)),
                $"movement {row["id"]} of {product}");
        }

        Assert.That(await _shop.StockAsync(product), Is.EqualTo((onHand - reserved, onHand, reserved)), product);
        return [.. rows.AsArray().Select(row => ((string)row!["kind"]!, (long)row["quantity"]!))];
    }

    private async Task EventsAsync(Pair pair)
    {
        foreach ((string order, decimal total) in pair.Orders)
        {
            JsonArray events = (await _shop.Orders.GetJsonAsync($"/orders/{order}/events")).AsArray();
            string life = string.Join(' ', events.Select(step => (string)step!["status"]!));
            Assert.That("created paid shipped delivered".StartsWith(life, StringComparison.Ordinal)
                || life is "created cancelled" or "created paid cancelled",
                Is.True, $"{pair}: {life}");
            pair.Lives.Add((order, life, total));
        }
    }

    private async Task<Dictionary<string, Exposition>> ScrapeAsync()
    {
        var scraped = new Dictionary<string, Exposition>(StringComparer.Ordinal);
        foreach ((string service, HttpClient client) in _shop.ByName)
            scraped[service] = await Exposition.OfAsync(client);
        return scraped;
    }

    private static void Compare(Dictionary<string, Exposition> before, Dictionary<string, Exposition> after,
        List<Pair> pairs)
    {
        double Moved(string service, string series) => after[service][series] - before[service][series];
        (Deed Deed, PairAnswer Answer)[] told = [.. pairs.SelectMany(
            pair => new[] { (pair.First, pair.FirstAnswer!), (pair.Second, pair.SecondAnswer!) })];
        PairAnswer[] placings =
            [.. told.Where(each => each.Deed.Path(pairs[0]) == "/orders").Select(each => each.Answer)];
        (string Id, string Life, decimal Total)[] lives = [.. pairs.SelectMany(pair => pair.Lives)];
        int Told(params string[] problems) => placings.Count(answer => problems.Contains(answer.Says));
        Assert.Multiple(() =>
        {
            Assert.That(Moved("orders", "orders_created_total"), Is.EqualTo(pairs.Sum(pair => pair.Orders.Length)),
                "orders created");
            Assert.That(Moved("orders", "orders_replayed_total"),
                Is.EqualTo(placings.Count(answer => answer.IsReplayed)), "orders replayed");
            Assert.That(Moved("orders", """orders_rejected_total{reason="conflict"}"""),
                Is.EqualTo(Told("idempotency-key-reused", "order-id-reused")), "conflicts");
            Assert.That(Moved("orders", """orders_rejected_total{reason="insufficient_stock"}"""),
                Is.EqualTo(Told("insufficient-stock")), "short");
            Assert.That(Moved("orders", """orders_rejected_total{reason="unknown_product"}"""),
                Is.EqualTo(Told("unknown-product")), "unknown");
            Assert.That(
                after["orders"].Series.Where(series =>
                    series.StartsWith("order_status_changes_total", StringComparison.Ordinal))
                    .Sum(series => Moved("orders", series)),
                Is.EqualTo(lives.Sum(order => order.Life.Count(character => character == ' '))), "changes of orders");
            foreach (string status in new[] { "created", "paid", "shipped", "delivered", "cancelled" })
            {
                Assert.That(Moved("orders", $$"""orders_by_status{status="{{status}}"}"""),
                    Is.EqualTo(lives.Count(order => order.Life.EndsWith(status, StringComparison.Ordinal))), status);
            }

            double Total(string life) =>
                (double)lives.Where(order => order.Life.Contains(life, StringComparison.Ordinal))
                .Sum(order => order.Total);
            Assert.That(Moved("orders", """order_revenue_total{currency="EUR"}"""),
                Is.EqualTo(Total("paid")).Within(0.001), "revenue");
            Assert.That(Moved("orders", """order_refunds_total{currency="EUR"}"""),
                Is.EqualTo(Total("paid cancelled")).Within(0.001), "refunds");
            Assert.That(Moved("inventory", "inventory_reservations_open"),
                Is.EqualTo(lives.Count(order => order.Life is "created" or "created paid")), "reservations");
            foreach (string kind in new[] { "received", "removed", "reserved", "released", "shipped" })
            {
                (string Kind, long Quantity)[] movements =
                    [.. pairs.SelectMany(pair => pair.Movements).Where(movement => movement.Kind == kind)];
                Assert.That(Moved("inventory", $$"""inventory_movements_total{kind="{{kind}}"}"""),
                    Is.EqualTo(movements.Length), kind);
                Assert.That(Moved("inventory", $$"""inventory_units_moved_total{kind="{{kind}}"}"""),
                    Is.EqualTo(movements.Sum(movement => movement.Quantity)), kind);
            }

            foreach ((int status, string change) in new[] { (201, "created"), (200, "updated"), (204, "deleted") })
            {
                int answers = told.Count(each => each.Deed.Service == "products" && each.Answer.Status == status
                    && !each.Answer.IsReplayed);
                Assert.That(Moved("products", $$"""product_changes_total{change="{{change}}"}"""),
                    Is.EqualTo(answers + (change == "created" ? pairs.Count : 0)), change);
            }
        });
    }

    private static string Money(JsonNode? amount) => ((decimal)amount!).ToString("0.00", CultureInfo.InvariantCulture);

    // Of those that are alike, one is stopped everywhere.
    private static Deed Place(string name, string? key, string id, int quantity, string customer = "c",
        bool isAlike = true) => new(
        name, "orders", HttpMethod.Post, _ => "/orders",
        pair => id.Length == 0
            ? new { customer_id = customer, items = new[] { new { product_id = pair.Id("p"), quantity } } }
            : new
            {
                order_id = pair.Id(id),
                customer_id = customer,
                items = new[] { new { product_id = pair.Id("p"), quantity } },
            },
        key, (model, kept) => model.Place(kept, id, customer, quantity))
        {
            Subject = "p",
            Places = isAlike ? ["after ReserveAsync"]
                : [.. OfPlacing.Where(place => id == "a" || place != BehindAnswer)],
            Writers = isAlike ? ["orders"] : ["inventory", "orders"],
        };

    private static Deed Change(string name, string? key, string order, string verb, string status,
        string? call = null) => new(
        name, "orders", HttpMethod.Post, pair => $"/orders/{pair.Id(order)}/{verb}", _ => null, key,
        (model, kept) => model.Change(kept, order, status))
        {
            Subject = order,
            Places = call is null ? [] : [$"before {call}", $"after {call}"],
            Writers = ["orders"],
        };

    private static Deed Restock(string name, string? key, int units) => new(
        name, "inventory", HttpMethod.Post, _ => units > 0 ? "/inventory/increase" : "/inventory/decrease",
        pair => new { product_id = pair.Id("p"), quantity = Math.Abs(units) }, key,
        (model, kept) => model.Restock(kept, units))
    {
        Writers = ["inventory"],
    };

    private static Deed Replace(string name, string? key, decimal price, bool ifFirst = false) => new(
        name, "products", HttpMethod.Put, pair => $"/products/{pair.Id("p")}", _ => new { name = "A thing", price },
        key, (model, kept) => model.Replace(kept, price, ifFirst))
    {
        Writers = ["products"],
        IfFirst = ifFirst,
    };

    private static Deed Delete(string name, string? key, bool ifFirst = false) => new(
        name, "products", HttpMethod.Delete, pair => $"/products/{pair.Id("p")}", _ => null,
        key, (model, kept) => model.Delete(kept, ifFirst))
    {
        Subject = "p",
        Places = ["before RetireAsync", "after RetireAsync"],
        Writers = ["products"],
        IfFirst = ifFirst,
    };

    private static Deed Create(string name, string? key, int stock) => new(
        name, "products", HttpMethod.Post, _ => "/products",
        pair => new { id = pair.Id("q"), name = "Another", price = 5, initial_stock = stock },
        key, (model, kept) => model.Create(kept, "q", stock))
    {
        Subject = "q",
        Places = ["before OpenAsync", "after OpenAsync"],
        Writers = ["products"],
    };

    /// <summary>A request, and what it does to the model.</summary>
    private sealed record Deed(
        string Name, string Service, HttpMethod Method, Func<Pair, string> Path, Func<Pair, object?> Body, string? Key,
        Func<PairModel, string?, PairAnswer> Apply)
    {
        /// <summary>Whose API key it has.</summary>
        public string Client { get; init; } = "ada";

        /// <summary>What the calls are about that it is stopped at.</summary>
        public string? Subject { get; init; }

        /// <summary>The calls from one module to another that it is stopped at.</summary>
        public string[] Places { get; init; } = [];

        /// <summary>The services whose writers it waits for.</summary>
        public string[] Writers { get; init; } = [];

        public bool IfFirst { get; init; }

        public PairAnswer ApplyTo(PairModel model) => Apply(model, Key is null ? null : $"{Client} {Key}");

        /// <summary>
        /// Whether both touch one thing: an order, the stock of a product, its place in the catalogue, a key.
        /// </summary>
        public bool Touches(Deed other) =>
            Service == other.Service || (Key is not null && Key == other.Key) || IsOfStock(this) == IsOfStock(other);

        // Orders move stock; whether there is a product, and its price, concerns who places one.
        private static bool IsOfStock(Deed deed) => deed.Service != "products" || deed.Method == HttpMethod.Delete;
    }

    /// <summary>Two requests, and what became of them.</summary>
    private sealed record Pair(Deed First, Deed Second, string Place, string Mark)
    {
        public PairModel Start { get; } = new();

        public string Tag { get; set; } = "";

        public PairAnswer? FirstAnswer { get; set; }

        public PairAnswer? SecondAnswer { get; set; }

        public ConcurrentBag<(bool IsReplayed, string Body)> Placed { get; } = [];

        public (string Id, decimal Total)[] Orders { get; set; } = [];

        /// <summary>The statuses that each order has been in.</summary>
        public List<(string Id, string Life, decimal Total)> Lives { get; } = [];

        public IReadOnlyList<(string Kind, long Quantity)> Movements { get; set; } = [];

        /// <summary>What is called so in the model, as it is called in the shop.</summary>
        public string Id(string name) => $"{name}-{Mark}";

        /// <summary>An order's name in the model; nothing if the shop made its id.</summary>
        public string Name(string id) =>
            id.EndsWith($"-{Mark}", StringComparison.Ordinal) ? id[..^(Mark.Length + 1)] : "";

        /// <summary>What the shop may be like after these answers.</summary>
        public IEnumerable<Found> Possible()
        {
            foreach (bool isInOrder in new[] { true, false })
            {
                PairModel model = Start.Copy();
                PairAnswer one = (isInOrder ? First : Second).ApplyTo(model);
                PairAnswer other = (isInOrder ? Second : First).ApplyTo(model);
                if ((isInOrder ? (one, other) : (other, one)) == (FirstAnswer!, SecondAnswer!))
                    yield return Found.Of(model);
            }
        }

        public override string ToString() => $"\"{First.Name}\", stopped {Place}, and \"{Second.Name}\"";
    }

    /// <summary>What can be seen of a shop.</summary>
    private sealed record Found(string Product, long OnHand, long Reserved, string Orders, long? Other)
    {
        public static Found Of(PairModel model) => new(
            model.IsSold ? string.Create(CultureInfo.InvariantCulture, $"{model.Version} {model.Price:0.00}") : "",
            model.OnHand, model.Reserved,
            string.Join("; ", model.Orders
                .Select(order => Line(order.Id, order.Customer, order.Quantity, order.Status, $"{order.Total:0.00}"))
                .Order(StringComparer.Ordinal)),
            model.Created.TryGetValue("q", out int stock) ? stock : null);

        public static string Line(string id, string customer, int quantity, string status, string total) =>
            $"{id} {customer} {quantity} {status} {total}";
    }
}
