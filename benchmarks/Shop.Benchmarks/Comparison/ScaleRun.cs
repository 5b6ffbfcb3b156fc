using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Shop.Benchmarks.Comparison;

/// <summary>Measures the shop on PostgreSQL, with one host and with two.</summary>
internal sealed class ScaleRun(int rounds) : MeasuredRun(rounds)
{
    private const int Clients = 64;

    private static readonly string[] OrderColumns =
        ["", "orders/s", "hosts' CPU, µs each", "database's CPU, µs each", "p50, ms", "p99, ms", "ratio", "goal"];

    private PostgresServer _postgres = null!;

    // Fewer requests are in a turn than on files, and the runtime compiles what is often used anew.
    protected override int WarmTurns => 3;

    /// <param name="only">Sections to measure; all, if none is named.</param>
    public async Task<Report> MeasureAsync(string[] only)
    {
        (string Name, Func<Task> Measure)[] sections =
        [
            ("lone", LoneAsync), ("orders", OrdersAsync), ("many", ManyAsync), ("hosts", HostsAsync),
            ("reads", ReadsAsync), ("peers", PeersAsync), ("batches", BatchesAsync), ("growth", GrowthAsync),
            ("scrapes", ScrapesAsync), ("changes", ChangesAsync),
        ];
        string[] known = [.. sections.Select(static section => section.Name)];
        if (only.Except(known, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            throw new InvalidOperationException($"There is no '{unknown}': {string.Join(' ', known)}");
        _postgres = Keep(await PostgresServer.StartAsync());
        Report.Line("## PostgreSQL");
        Report.Line();
        Report.Line($"What follows is written by `benchmarks/run scale`: {Rounds} interleaved rounds, 2 s a turn. "
            + "Hosts, PostgreSQL and the load share the same cores; PostgreSQL has its defaults for durability.");
        Report.Line();
        await MachineAsync();
        Report.Line($"- {RuntimeInformation.FrameworkDescription}; {await Says("postgres", "--version")}; "
            + $"{await Says("go", "version")}");
        foreach ((string name, Func<Task> measure) in sections)
        {
            if (only.Length == 0 || only.Contains(name)) await measure();
        }

        return Report;
    }

    private async Task LoneAsync()
    {
        Report.Section("PostgreSQL: a lone client",
            "One client, order after order. The ratio is of the middle latency.", OrderColumns);
        Subject files = OnFiles(Keep(await ShopServer.StartAsync("SQLite")));
        Subject own = Orders("**PostgreSQL**", await HostAsync("lone"));
        Dictionary<Subject, List<Sample>> samples = await RoundsAsync(1, 2, files, own);
        Row(samples, files);
        Row(samples, own, Ratio(samples, own, files, static sample => sample.P50Millis));
        ReleaseAll();
    }

    private async Task OrdersAsync()
    {
        Report.Section($"PostgreSQL: orders of {Clients} clients", "Two lines over 190 products. A transaction an "
            + "order is the same shop with `Shop:WriteBatchLimit=1`.", OrderColumns);
        Subject own = Orders("**PostgreSQL**", await HostAsync("orders"));
        ShopServer each = await HostAsync("single", "Shop:WriteBatchLimit=1");
        Subject single = Orders("PostgreSQL, a transaction an order", each);
        Subject files = OnFiles(Keep(await ShopServer.StartAsync("SQLite")));
        Dictionary<Subject, List<Sample>> samples = await RoundsAsync(Clients, 2, own, single, files);
        Row(samples, single);
        Row(samples, files);
        Row(samples, own, Ratio(samples, own, single, PerSecond), Goal.AtLeast(3));
        ReleaseAll();
    }

    private async Task ManyAsync()
    {
        Report.Section("PostgreSQL: orders of 256 clients", "Bare Kestrel reads the body and answers the same bytes, "
            + "and keeps nothing. The ratios: orders of PostgreSQL and of SQLite to bare Kestrel's, and the host's "
            + "CPU for an order to that on SQLite.", OrderColumns);
        ShopServer onFiles = Keep(await ShopServer.StartAsync("SQLite"));
        await SaveAnswersAsync(onFiles);
        Server bare = await BaselineAsync("bare Kestrel");
        Subject baseline = new("bare Kestrel", bare, Address(bare, "/"), Script("order.lua"));
        Subject files = OnFiles(onFiles);
        Subject own = Orders("**PostgreSQL**", await HostAsync("many"));
        Dictionary<Subject, List<Sample>> samples = await RoundsAsync(256, 2, baseline, files, own);
        Row(samples, baseline);
        Row(samples, files, Ratio(samples, files, baseline, PerSecond));
        Row(samples, own, Ratio(samples, own, baseline, PerSecond), Goal.AtLeast(0.10));
        Figures cpu = Ratio(samples, own, files, static sample => sample.CpuMicros);
        Report.Row("host's CPU, PostgreSQL to SQLite", "", "", "", "", "", cpu.In("0.00"),
            Goal.AtMost(1.3).Verdict(cpu.Median));
        ReleaseAll();
    }

    private async Task HostsAsync()
    {
        Report.Section("PostgreSQL: two hosts", $"{Clients} clients in all, on one host or half of them on each of "
            + "two, which share a database and these cores. First with two lines over 190 products, "
            + "then all want the same product.", OrderColumns);
        Subject one = Orders("one host", await HostAsync("one"));
        string shared = await _postgres.CreateDatabaseAsync("two");
        Subject two = Orders("**two hosts**", await HostOnAsync(shared));
        ShopServer second = await HostOnAsync(shared);
        two = two with { Second = (second.Server, second.Orders) };
        foreach ((string what, int products, double goal) in new[] { ("", 190, 0.85), (", one product", 1, 0.6) })
        {
            Subject alone = one with { Name = one.Name + what, Arguments = [$"{products}"] };
            Subject both = two with { Name = two.Name + what, Arguments = [$"{products}"] };
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(Clients, 2, alone, both);
            Row(samples, alone);
            Row(samples, both, Ratio(samples, both, alone, PerSecond), Goal.AtLeast(goal));
        }

        ReleaseAll();
    }

    private async Task ReadsAsync()
    {
        Report.Section("PostgreSQL: reads of products", $"`/products/prod_0`, {ReadConnections} connections.",
            "", "requests/s", "CPU, µs each", "p99, ms", "of bare: rate", "goal", "of bare: CPU");
        ShopServer host = await HostAsync("reads");
        await SaveAnswersAsync(host);
        Server bare = await BaselineAsync("bare Kestrel");
        ShopServer onFiles = Keep(await ShopServer.StartAsync("SQLite"));
        Subject baseline = new("bare Kestrel", bare, Address(bare, "/products/prod_0"));
        Subject files = new("SQLite", onFiles.Server, new Uri(onFiles.Products, "/products/prod_0"));
        Subject own = new("**PostgreSQL**", host.Server, new Uri(host.Products, "/products/prod_0"));
        Dictionary<Subject, List<Sample>> samples = await RoundsAsync(ReadConnections, 2, baseline, files, own);
        RateRow(samples, baseline, baseline, null);
        RateRow(samples, files, baseline, null);
        RateRow(samples, own, baseline, Goal.AtLeast(0.95));
        Report.Row("PostgreSQL to SQLite", "", "", "", Ratio(samples, own, files, PerSecond).In("0.00"), "", "");
        ReleaseAll();
    }

    private async Task PeersAsync()
    {
        Report.Section("PostgreSQL: peers", $"Orders of {Clients} clients on what a user might write instead "
            + "(benchmarks/peers): a transaction an order takes the stock and inserts the order and its lines; no "
            + "reservations, movements or idempotency keys. The ratio is the shop against it.", OrderColumns);
        Subject own = Orders("**shop**", await HostAsync("peers"));
        Subject efCore = await PeerAsync("ASP.NET with EF Core", "efcore", "dotnet",
            Repository.Program("benchmarks", "peers", "Shop.EfCorePeer"));
        Subject go = await PeerAsync("Go, database/sql", "go_orders", await BuildGoAsync("go-orders"));
        Dictionary<Subject, List<Sample>> samples = await RoundsAsync(Clients, 2, own, efCore, go);
        Row(samples, own);
        Row(samples, efCore, Ratio(samples, own, efCore, PerSecond));
        Row(samples, go, Ratio(samples, own, go, PerSecond));
        ReleaseAll();

        async Task<Subject> PeerAsync(string name, string database, string program, params string[] arguments)
        {
            string connection = await _postgres.CreateDatabaseAsync(database);
            await PostgresServer.ExecuteAsync(connection,
                await File.ReadAllTextAsync(Repository.PathOf("benchmarks", "peers", "orders.sql")));
            int port = Server.FreePort();
            Server server = Keep(await Server.StartAsync(name, new Uri($"http://127.0.0.1:{port}/health"), program,
                arguments, null, ("PORT", $"{port}"), ("CONNECTION", connection), ("PGHOST", "127.0.0.1"),
                ("PGPORT", $"{_postgres.Port}"), ("PGUSER", "postgres"), ("PGDATABASE", database),
                ("PGSSLMODE", "disable")), port);
            var peer = new Subject(name, server, Address(server, "/"), Script("order.lua"))
            {
                Database = _postgres.Server,
            };
            await Wrk.RunAsync(peer, 2, 2); // its first requests take long
            return peer;
        }
    }

    private async Task BatchesAsync()
    {
        Report.Section("PostgreSQL: batches", "One host, 4 s each, the database's statements counted by "
            + "pg_stat_statements: how many orders share the transaction that reserves their stock, how long it "
            + "holds the locks of the products (its statement and the flush of the log), "
            + "and what of that is for an order.",
            "clients", "orders/s", "hosts' CPU, µs each", "database's CPU, µs each", "orders a reservation's commit",
            "orders an order's commit", "statement, ms", "flush, ms", "statement, µs an order", "log, bytes an order");
        PostgresServer counted = Keep(await PostgresServer.StartAsync(
            "shared_preload_libraries=pg_stat_statements", "track_wal_io_timing=on"));
        string connection = await counted.CreateDatabaseAsync("batches");
        await PostgresServer.ExecuteAsync(connection, "CREATE EXTENSION pg_stat_statements");
        ShopServer host = await HostOnAsync(connection);
        Subject own = Orders("batches", host) with { Database = counted.Server };
        await Wrk.RunAsync(own, Clients, 4);
        foreach (int clients in new[] { 1, 16, 64, 256, 1024 })
        {
            double[] before = await StatisticsAsync();
            Sample sample = await Wrk.RunAsync(own, clients, 4);
            double[] grown = [.. (await StatisticsAsync()).Zip(before, static (after, earlier) => after - earlier)];
            (double orders, double reserves, double millis, double places) = (grown[0], grown[1], grown[2], grown[3]);
            Report.Row($"{clients}", Text(sample.PerSecond, "N0"), Text(sample.CpuMicros, "0"),
                Text(sample.DatabaseMicros, "0"), Text(orders / reserves, "0.0"), Text(orders / places, "0.0"),
                Text(millis / reserves, "0.00"), Text(grown[5] / grown[4], "0.00"), Text(millis / orders * 1000, "0"),
                Text(grown[6] / orders, "N0"));
        }

        ReleaseAll();

        // Orders; calls and milliseconds of the statement that reserves; calls of the one that inserts orders; flushes
        // of the log, their milliseconds, and its bytes.
        async Task<double[]> StatisticsAsync() =>
        [
            await ShopServer.MetricAsync(host.Orders, "orders_created_total"),
            .. await PostgresServer.NumbersAsync(connection, """
                SELECT sum(calls) FILTER (WHERE query LIKE 'WITH line AS%')::float8,
                    sum(total_exec_time) FILTER (WHERE query LIKE 'WITH line AS%')::float8,
                    sum(calls) FILTER (WHERE query LIKE 'INSERT INTO orders %')::float8,
                    (SELECT wal_sync::float8 FROM pg_stat_wal), (SELECT wal_sync_time::float8 FROM pg_stat_wal),
                    (SELECT wal_bytes::float8 FROM pg_stat_wal)
                FROM pg_stat_statements
                """),
        ];
    }

    private async Task GrowthAsync()
    {
        const int Orders = 1_000_000, Products = 100_000, Few = 100;
        Report.Section("PostgreSQL: growth", $"{Orders:N0} orders and {Products:N0} products stored, against {Few} "
            + "orders and 200 products; 1 s a turn. The ratio is against the small one.",
            "", "small", "large", "ratio", "goal");
        ShopServer small = await HostAsync("small");
        await Fill.OrdersAsync(small, Few); // more than a page: if a page has all, nothing is counted
        string connection = await _postgres.CreateDatabaseAsync("large");
        Release(await HostOnAsync(connection)); // makes the tables
        string sql = await File.ReadAllTextAsync(Repository.PathOf("benchmarks", "load", "growth.sql"));
        string[] statements = sql.Split(";\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string statement in statements) await PostgresServer.ExecuteAsync(connection, statement);
        ShopServer large = await HostOnAsync(connection);
        (string What, int Connections, Func<ShopServer, int, Subject> Of)[] loads =
        [
            ("reads of all products, a second", ReadConnections, static (shop, products) =>
                new Subject("", shop.Server, shop.Products, Script("product.lua"), $"{products}")),
            ("`GET /orders?limit=20`, a second", ReadConnections, static (shop, _) =>
                new Subject("", shop.Server, new Uri(shop.Orders, "/orders?limit=20"))),
            ("orders of 190 products, a second", Clients, static (shop, _) =>
                new Subject("", shop.Server, shop.Orders, Script("order.lua"))),
            ("orders of all products, a second", Clients, static (shop, products) =>
                new Subject("", shop.Server, shop.Orders, Script("order.lua"), $"{Math.Max(190, products)}")),
        ];
        foreach ((string what, int connections, Func<ShopServer, int, Subject> of) in loads)
        {
            (Subject few, Subject many) = (of(small, 190), of(large, Products));
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(connections, 1, few, many);
            Figures ratio = Ratio(samples, many, few, PerSecond);
            Report.Row(what, Figures.Of(samples[few].Select(PerSecond)).In("N0"),
                Figures.Of(samples[many].Select(PerSecond)).In("N0"), ratio.In("0.00"),
                Goal.AtLeast(0.9).Verdict(ratio.Median));
        }

        ReleaseAll();
    }

    private async Task ScrapesAsync()
    {
        Report.Section("PostgreSQL: scrapes", $"{Rounds * 4} scrapes of each service's `/metrics`, one after the "
            + "other. The state is read from the database, at most once for all scrapes that wait for it.",
            "", "time, ms", "size, KB", "series");
        ShopServer host = await HostAsync("scrapes");
        await Fill.OrdersAsync(host, 1000);
        using var client = new HttpClient();
        (string Name, Uri Address)[] services =
            [("products", host.Products), ("orders", host.Orders), ("inventory", host.Inventory)];
        foreach ((string name, Uri address) in services) await ScrapeAsync(client, address, name);
        ReleaseAll();
    }

    private async Task ChangesAsync()
    {
        int changes = 100 * Rounds;
        Report.Section("PostgreSQL: changes seen on another host", $"The price of a product is changed on one host, "
            + $"and read on another until it is the new one: {changes} changes, one after the other. The time is from "
            + "the answer to the change; it is 0 if the other host was first.",
            "", "p50, ms", "p99, ms", "most, ms", "goal of p99");
        string shared = await _postgres.CreateDatabaseAsync("changes");
        (ShopServer one, ShopServer other) = (await HostOnAsync(shared), await HostOnAsync(shared));
        await SeenAsync("idle", one, other, changes);
        Subject load = Orders("load", one) with { Second = (other.Server, other.Orders) };
        Task<Sample> loaded = Wrk.RunAsync(load, Clients, 10);
        await SeenAsync($"while {Clients} clients order on both", one, other, changes, loaded);
        await loaded;
        ReleaseAll();
    }

    private async Task SeenAsync(string name, ShopServer one, ShopServer other, int changes, Task? during = null)
    {
        using var client = new HttpClient();
        var times = new List<double>();
        for (int n = 0; n < changes && during?.IsCompleted != true; n++)
        {
            string price = string.Create(CultureInfo.InvariantCulture, $"\"price\":{100 + n}");
            string content = $"{{\"name\":\"A thing\",\"category\":\"Things\",{price}}}";
            using HttpResponseMessage changed = await client.PutAsync(new Uri(one.Products, "/products/prod_0"),
                new StringContent(content, Encoding.UTF8, "application/json"));
            changed.EnsureSuccessStatusCode();
            long start = Stopwatch.GetTimestamp();
            var read = new Uri(other.Products, "/products/prod_0");
            bool isFirst = true;
            while (!(await client.GetStringAsync(read)).Contains(price, StringComparison.Ordinal)) isFirst = false;
            times.Add(isFirst ? 0 : Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        times.Sort();
        double p99 = times[(int)(times.Count * 0.99)];
        Report.Row(name, Text(times[times.Count / 2], "0.0"), Text(p99, "0.0"), Text(times[^1], "0.0"),
            Goal.AtMost(100).Verdict(p99));
    }

    private static double PerSecond(Sample sample) => sample.PerSecond;

    private async Task<ShopServer> HostAsync(string database, params string[] settings) =>
        await HostOnAsync(await _postgres.CreateDatabaseAsync(database), settings);

    private async Task<ShopServer> HostOnAsync(string connection, params string[] settings) =>
        Keep(await ShopServer.StartAsync("shop", [$"ConnectionStrings:Shop={connection}", .. settings]));

    private Subject Orders(string name, ShopServer shop) =>
        new(name, shop.Server, shop.Orders, Script("order.lua")) { Database = _postgres.Server };

    private static Subject OnFiles(ShopServer shop) => new("SQLite", shop.Server, shop.Orders, Script("order.lua"));

    private void Row(
        Dictionary<Subject, List<Sample>> samples, Subject subject, Figures? ratio = null, Goal? goal = null)
    {
        string Of(Func<Sample, double> figure, string format) => Figures.Of(samples[subject].Select(figure)).In(format);
        Report.Row(subject.Name, Of(PerSecond, "N0"), Of(static sample => sample.CpuMicros, "0.0"),
            Of(static sample => sample.DatabaseMicros, "0.0"), Of(static sample => sample.P50Millis, "0.00"),
            Of(static sample => sample.P99Millis, "0.0"), ratio?.In("0.000") ?? "",
            ratio is null ? "" : goal?.Verdict(ratio.Median) ?? "");
    }

    // Each section has the machine for itself.
    private void ReleaseAll() => ReleaseAllBut(_postgres);
}
