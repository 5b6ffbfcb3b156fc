using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Shop.Benchmarks.Comparison;

/// <summary>Measures the shop, with its data in files, against baselines.</summary>
internal sealed class ComparisonRun(int rounds) : MeasuredRun(rounds)
{
    public async Task<Report> MeasureAsync()
    {
        await HeadAsync();
        await StartAndMemoryAsync();
        await NativeAsync();
        ShopServer shop = Keep(await ShopServer.StartAsync("shop"));
        await SaveAnswersAsync(shop);
        await ScrapesAsync(shop);
        Server bare = await BaselineAsync("bare Kestrel");
        await ReadsAsync(shop, bare);
        await OrdersAsync(shop, bare);
        await FsyncsAsync();
        await TracesAsync();
        await PeersAsync(shop);
        await MoreProductsAsync();
        await MoreOrdersAsync(shop);
        return Report;
    }

    private const string PythonVersions =
        "import sys,flask,fastapi;print(sys.version.split()[0],'with Flask',"
        + "__import__('importlib.metadata').metadata.version('flask'),'and FastAPI',fastapi.__version__)";

    private async Task HeadAsync()
    {
        Report.Line("# Results");
        Report.Line();
        Report.Line("Written by `benchmarks/run`; benchmarks/README.md says what is measured and how. "
            + $"Figures are the median of {Rounds} interleaved rounds, with the least and the most in brackets. "
            + "A ratio is taken within a round.");
        Report.Line();
        await MachineAsync();
        Report.Line(
            $"- {RuntimeInformation.FrameworkDescription}; {(await Says("wrk", "-v")).Split('\n')[0].Split(" [")[0]}; "
            + $"{await Says("go", "version")}; Python {await Says("/usr/bin/python3", "-c", PythonVersions)}");
    }

    private async Task StartAndMemoryAsync()
    {
        Report.Section("Start and memory", "From the start of the process until it answers on its ports, "
                + "on an empty folder (so with its 200 products written). Resident memory 10 s later.",
            "", "runtime", "goal", "native", "goal");
        (List<double> onRuntime, List<double> native) = ([], []);
        (double idle, double nativeIdle) = (0, 0);
        for (int round = 0; round < Rounds; round++)
        {
            idle = await StartAsync(() => ShopServer.StartAsync("shop"), onRuntime, isLast: round == Rounds - 1);
            nativeIdle = await StartAsync(
                () => ShopServer.StartNativeAsync("native shop"), native, isLast: round == Rounds - 1);
        }

        (Figures seconds, Figures nativeSeconds) = (Figures.Of(onRuntime), Figures.Of(native));
        Report.Row("start to ready, s", seconds.In("0.00"), Goal.AtMost(0.5).Verdict(seconds.Median),
            nativeSeconds.In("0.00"), Goal.AtMost(0.15).Verdict(nativeSeconds.Median));
        Report.Row("memory idle, MB", Text(idle, "0"), Goal.AtMost(90).Verdict(idle),
            Text(nativeIdle, "0"), Goal.AtMost(45).Verdict(nativeIdle));
    }

    /// <returns>The memory of the shop when it has been idle for 10 s, if this is the last start.</returns>
    private static async Task<double> StartAsync(Func<Task<ShopServer>> start, List<double> seconds, bool isLast)
    {
        long begin = Stopwatch.GetTimestamp();
        using ShopServer shop = await start();
        seconds.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
        if (!isLast) return 0;
        await Task.Delay(TimeSpan.FromSeconds(10));
        return shop.Server.MemoryMegabytes;
    }

    private async Task NativeAsync()
    {
        Report.Section("Native code", "The native program (`dotnet publish src/Shop.Host -p:PublishProfile=linux-x64`) "
                + "against the same code on the runtime; 64 connections, 2 s a turn.",
            "", "requests/s", "CPU, µs each", "p99, ms", "of runtime: rate", "goal", "of runtime: CPU");
        using ShopServer runtime = await ShopServer.StartAsync("shop");
        using ShopServer native = await ShopServer.StartNativeAsync("native shop");
        (string Name, Func<ShopServer, Uri> Address, string? Script)[] loads =
        [
            ("`/products/prod_0`", static shop => new Uri(shop.Products, "/products/prod_0"), null),
            ("`POST /orders`", static shop => shop.Orders, Script("order.lua")),
        ];
        foreach ((string name, Func<ShopServer, Uri> address, string? script) in loads)
        {
            Subject baseline = new($"on the runtime, {name}", runtime.Server, address(runtime), script);
            Subject own = new($"**native**, {name}", native.Server, address(native), script);
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(64, 2, baseline, own);
            RateRow(samples, baseline, baseline, null);
            RateRow(samples, own, baseline, Goal.AtLeast(0.9));
        }

        double peak = native.Server.PeakMegabytes;
        long bytes = Directory.GetFiles(Path.GetDirectoryName(Repository.NativeProgram)!)
            .Sum(static file => new FileInfo(file).Length);
        Report.Line();
        Report.Line($"Most memory under this load: {Text(peak, "0")} MB (goal {Goal.AtMost(120).Verdict(peak)}); "
            + $"on the runtime {Text(runtime.Server.PeakMegabytes, "0")} MB. "
            + $"The program and its SQLite: {Text(bytes / 1e6, "0.0")} MB.");
    }

    private async Task ScrapesAsync(ShopServer shop)
    {
        Report.Section(
            "Scrapes", $"Of the products service: {Rounds * 4} scrapes one after the other.", "", "time, ms",
            "size, KB", "series");
        using var client = new HttpClient();
        await Task.Delay(TimeSpan.FromSeconds(1));
        await ScrapeAsync(client, shop.Products, "idle");
        for (int i = 0; i < 200; i++) await client.GetByteArrayAsync(new Uri(shop.Products, $"/products/prod_{i}"));
        await ScrapeAsync(client, shop.Products, "200 products viewed");
        await Fill.ProductsAsync(shop, 200, 1000);
        for (int i = 200; i < 1000; i++) await client.GetByteArrayAsync(new Uri(shop.Products, $"/products/prod_{i}"));
        await ScrapeAsync(client, shop.Products, "1,000 products viewed");
    }

    private async Task ReadsAsync(ShopServer shop, Server bare)
    {
        Server counted = await BaselineAsync("bare Kestrel with UseHttpMetrics", "metrics");
        Report.Section("Reads", $"wrk with {ReadConnections} connections, for 2 s a turn. "
                + "CPU is the server's own, on both cores; the second ratio is of that, and swings less.",
            "", "requests/s", "CPU, µs each", "p99, ms", "of bare: rate", "goal", "of bare: CPU");
        foreach (string path in new[] { "/products/prod_0", "/products?limit=20" })
        {
            Subject baseline = new($"bare Kestrel, {path}", bare, Address(bare, path));
            Subject own = new($"**shop**, {path}", shop.Server, new Uri(shop.Products, path));
            Subject library = new($"bare Kestrel with UseHttpMetrics, {path}", counted, Address(counted, path));
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(ReadConnections, 2, baseline, own, library);
            RateRow(samples, baseline, baseline, null);
            RateRow(samples, own, baseline, Goal.AtLeast(0.95));
            RateRow(samples, library, baseline, null);
        }
    }

    private async Task OrdersAsync(ShopServer shop, Server bare)
    {
        using ShopServer each = await ShopServer.StartAsync("shop, a commit for each write", "Shop:WriteBatchLimit=1");
        Report.Section("Orders", "`POST /orders`, two lines over 190 products, 201 when it is on disk; 2 s a turn. "
                + "Bare Kestrel reads the body and answers the same bytes, and keeps nothing.",
            "", "orders/s", "CPU, µs each", "p50, ms", "p99, ms", "of bare", "goal");
        foreach ((int clients, double goal) in new[] { (1, 0), (16, 0), (64, 0.15), (256, 0.20) })
        {
            Subject baseline = new($"bare Kestrel, {clients} clients", bare, Address(bare, "/"), Script("order.lua"));
            Subject own = new($"**shop**, {clients} clients", shop.Server, shop.Orders, Script("order.lua"));
            Subject single = new($"shop, a commit for each write, {clients} clients", each.Server,
                each.Orders, Script("order.lua"));
            Dictionary<Subject, List<Sample>> samples =
                await RoundsAsync(clients, 2, clients == 64 ? [baseline, own, single] : [baseline, own]);
            OrderRow(samples, baseline, baseline, null);
            OrderRow(samples, own, baseline, goal > 0 ? Goal.AtLeast(goal) : null);
            if (clients != 64) continue;
            OrderRow(samples, single, baseline, null);
            Figures gain = Ratio(samples, own, single, static sample => sample.PerSecond);
            Report.Row(
                "shop against a commit for each write", "", "", "", "", $"{gain.In("0.0")} times",
                Goal.AtLeast(5).Verdict(gain.Median));
        }

        double peak = shop.Server.PeakMegabytes;
        Report.Line();
        Report.Line($"Most memory of the shop up to here, under all this load: {Text(peak, "0")} "
            + $"MB (goal {Goal.AtMost(200).Verdict(peak)}).");
    }

    /// <summary>Counts the calls that bring data to the disk, and the commits, of the same orders.</summary>
    private async Task FsyncsAsync()
    {
        Report.Section("Durability", "500 orders one after the other, "
                + "and the calls of fsync and fdatasync that the kernel saw of the shop meanwhile (strace).",
            "", "orders service", "inventory service", "both");
        using ShopServer shop = await ShopServer.StartAsync("shop");
        string log = Path.Combine(Answers, "strace");
        using Process strace = Process.Start("strace", ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", log, "-p",
            shop.Server.Id.ToString(CultureInfo.InvariantCulture)])!;
        while (!IsTraced(shop.Server.Id)) await Task.Delay(10);
        double[] before = await CommitsAsync(shop);
        await Fill.OrdersAsync(shop, 500);
        double[] commits = [.. (await CommitsAsync(shop)).Zip(before, static (after, earlier) => after - earlier)];
        using (Process.Start("kill", ["-INT", strace.Id.ToString(CultureInfo.InvariantCulture)])!)
            await strace.WaitForExitAsync();
        int synced = File.ReadLines(log).Count(static line => line.Contains("sync(", StringComparison.Ordinal));
        Report.Row(
            "commits (`db_commit_seconds_count`)", Text(commits[0], "0"), Text(commits[1], "0"),
            Text(commits.Sum(), "0"));
        Report.Row("fsync and fdatasync", "", "", $"{synced} " + (synced >= commits.Sum()
            ? "(one for each commit, and those of checkpoints)"
            : "(**fewer than commits**)"));
    }

    /// <summary>What traces cost a request, by the share of them that is recorded and sent.</summary>
    private async Task TracesAsync()
    {
        const int Seconds = 2;
        Server receiver = await BaselineAsync("receiver of traces");
        Report.Section("Traces",
            $"A shop that records and sends 1 % or all of its traces, against one without; {ReadConnections} "
            + $"connections, {Seconds} s a turn. Bare Kestrel receives the spans, and throws them away.",
            "", "requests/s", "CPU, µs each", "p99, ms", "of none: rate", "goal", "of none: CPU");
        ShopServer[] shops =
        [
            await ShopServer.StartAsync("without"),
            await ShopServer.StartTracedAsync("1 %", Address(receiver, "/"), share: 0.01),
            await ShopServer.StartTracedAsync("100 %", Address(receiver, "/"), share: 1),
        ];
        (string Name, Func<ShopServer, Uri> Address, string? Script)[] loads =
        [
            ("`/products/prod_0`", static shop => new Uri(shop.Products, "/products/prod_0"), null),
            ("`POST /orders`", static shop => shop.Orders, Script("order.lua")),
        ];
        var garbage = new List<string>();
        foreach ((string name, Func<ShopServer, Uri> address, string? script) in loads)
        {
            Subject[] subjects =
                [.. shops.Select(
                shop => new Subject($"{shop.Server.Name}, {name}", shop.Server, address(shop), script))];
            (double Bytes, double Requests)[] before = await AllocatedAsync(shops, address);
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(ReadConnections, Seconds, subjects);
            (double Bytes, double Requests)[] after = await AllocatedAsync(shops, address);
            for (int i = 0; i < subjects.Length; i++)
            {
                RateRow(samples, subjects[i], subjects[0], null);
                double each = (after[i].Bytes - before[i].Bytes) / (after[i].Requests - before[i].Requests);
                garbage.Add($"{subjects[i].Name}: {Text(each, "N0")}");
            }
        }

        Report.Line();
        Report.Line($"Bytes that a request allocates: {string.Join("; ", garbage)}.");
        foreach (ShopServer shop in shops) shop.Dispose();
    }

    /// <summary>
    /// Bytes that each shop has allocated so far, and requests that one of its services has answered.
    /// </summary>
    private static Task<(double Bytes, double Requests)[]> AllocatedAsync(
        ShopServer[] shops, Func<ShopServer, Uri> service) =>
        Task.WhenAll(shops.Select(async shop => (
            await ShopServer.MetricAsync(shop.Products, "dotnet_gc_allocated_bytes_total", "/metrics/process"),
            await ShopServer.MetricAsync(service(shop), "app_requests_total"))));

    private async Task PeersAsync(ShopServer shop)
    {
        Report.Section("Peers", $"The two reads on what a user might take instead, each as its users would write it "
                + $"(benchmarks/peers), with Prometheus metrics; {ReadConnections} connections, 1 s a turn.",
            "", "requests/s", "CPU, µs each", "p99, ms", "the shop against it: rate", "goal",
            "the shop against it: CPU");
        string products = Path.Combine(Answers, "products.json");
        (Server Server, double Goal)[] peers =
        [
            (await PeerAsync("Flask, gunicorn with 2 workers", "gunicorn", "flask",
                port => ["--workers", "2", "--bind", $"127.0.0.1:{port}", "app:app"]), 7),
            (await PeerAsync("FastAPI, uvicorn", "uvicorn", "fastapi",
                port => ["app:app", "--port", $"{port}", "--no-access-log"]), 30),
            (await PeerAsync("Go, net/http", await BuildGoAsync("go"), "go", _ => []), 1.15),
        ];
        foreach (string path in new[] { "/products/prod_0", "/products?limit=20" })
        {
            Subject own = new($"**shop**, {path}", shop.Server, new Uri(shop.Products, path));
            Subject[] others = [.. peers.Select(
                peer => new Subject($"{peer.Server.Name}, {path}", peer.Server, Address(peer.Server, path)))];
            Dictionary<Subject, List<Sample>> samples = await RoundsAsync(ReadConnections, 1, [own, .. others]);
            Report.Row([own.Name, .. Speed(samples[own]), "", "", ""]);
            foreach ((Subject other, double goal) in others.Zip(peers, static (other, peer) => (other, peer.Goal)))
            {
                Figures ratio = Ratio(samples, own, other, static sample => sample.PerSecond);
                Report.Row(
                    [other.Name, .. Speed(samples[other]), ratio.In("0.0#"), Goal.AtLeast(goal).Verdict(ratio.Median),
                    Ratio(samples, other, own, static sample => sample.CpuMicros).In("0.0#")]);
            }
        }

        async Task<Server> PeerAsync(string name, string program, string folder, Func<int, string[]> arguments)
        {
            int port = Server.FreePort();
            return Keep(await Server.StartAsync(name, new Uri($"http://127.0.0.1:{port}/products/prod_0"), program,
                arguments(port), Repository.PathOf("benchmarks", "peers", folder),
                ("PRODUCTS", products), ("PORT", $"{port}"),
                    ("PROMETHEUS_MULTIPROC_DIR", Directory.CreateDirectory(Path.Combine(Answers, folder)).FullName),
                    ("PYTHONDONTWRITEBYTECODE", "1")), port);
        }
    }

    private async Task MoreProductsAsync()
    {
        Report.Section("Growth of the catalogue", "Reads and orders spread over all products alike; "
                + "32 and 64 connections, 1 s a turn. The ratio is against 200 products; the goal is within 10 %.",
            "products", "reads/s", "of 200", "lists/s", "of 200", "orders/s", "of 200", "goal for all");
        int[] sizes = [200, 10_000, 100_000];
        var shops = new List<ShopServer>();
        foreach (int size in sizes)
        {
            ShopServer shop = Keep(await ShopServer.StartAsync($"{size} products"));
            shops.Add(shop);
            await Fill.ProductsAsync(shop, 200, size);
            await Fill.ShortProductsAsync(shop);
        }

        Subject[] reads = [.. shops.Zip(sizes,
            (shop, size) => new Subject($"{size}", shop.Server, shop.Products, Script("product.lua"), $"{size}"))];
        Subject[] lists = [.. shops.Zip(sizes,
            (shop, size) => new Subject($"{size}", shop.Server, new Uri(shop.Products, "/products?limit=20")))];
        Subject[] orders = [.. shops.Zip(sizes,
            (shop, size) => new Subject($"{size}", shop.Server, shop.Orders, Script("order.lua"), $"{size}"))];
        await GrowthRowsAsync([reads, lists, orders],
            [.. sizes.Select(size => size.ToString("N0", CultureInfo.InvariantCulture))]);
        foreach (ShopServer shop in shops)
        {
            Release(shop);
        }
    }

    private async Task MoreOrdersAsync(ShopServer full)
    {
        const int Stored = 1_000_000;
        while (await ShopServer.MetricAsync(full.Orders, "orders_created_total") < Stored)
            await Wrk.RunAsync(new Subject(full.Server.Name, full.Server, full.Orders, Script("order.lua")), 256, 5);
        Report.Section("Growth of the orders", $"The same, against a shop that has no order yet; "
                + $"this one has {Stored:N0} and more stored. The lists are `GET /orders?limit=20`.",
            "orders stored at first", "reads/s", "of none", "lists/s", "of none", "orders/s",
            "of none", "goal for all");
        ShopServer empty = Keep(await ShopServer.StartAsync("no orders"));
        await Fill.OrdersAsync(empty, 20);
        ShopServer[] shops = [empty, full];
        await GrowthRowsAsync(
            [
                [.. shops.Select(shop => new Subject("", shop.Server, shop.Products, Script("product.lua")))],
                [.. shops.Select(shop => new Subject("", shop.Server, new Uri(shop.Orders, "/orders?limit=20")))],
                [.. shops.Select(shop => new Subject("", shop.Server, shop.Orders, Script("order.lua")))],
            ], ["20", $"{Stored:N0}"]);
    }

    private async Task GrowthRowsAsync(Subject[][] kinds, string[] names)
    {
        var samples = new List<Dictionary<Subject, List<Sample>>>();
        foreach ((Subject[] kind, int connections) in kinds.Zip([32, 32, 64]))
            samples.Add(await RoundsAsync(connections, 1, kind));
        for (int row = 0; row < names.Length; row++)
        {
            var cells = new List<string> { names[row] };
            double worst = double.MaxValue;
            for (int kind = 0; kind < kinds.Length; kind++)
            {
                Figures ratio = Ratio(samples[kind], kinds[kind][row], kinds[kind][0],
                    static sample => sample.PerSecond);
                cells.AddRange([Figures.Of(samples[kind][kinds[kind][row]].Select(static sample => sample.PerSecond))
                    .In("N0"), row == 0 ? "" : ratio.In("0.00")]);
                worst = Math.Min(worst, ratio.Median);
            }

            Report.Row([.. cells, row == 0 ? "" : Goal.AtLeast(0.9).Verdict(worst)]);
        }
    }

    private void OrderRow(Dictionary<Subject, List<Sample>> samples, Subject subject, Subject baseline, Goal? goal)
    {
        Figures ratio = Ratio(samples, subject, baseline, static sample => sample.PerSecond);
        string[] speed = Speed(samples[subject]);
        Report.Row(
            subject.Name, speed[0], speed[1],
            Figures.Of(samples[subject].Select(static sample => sample.P50Millis)).In("0.00"), speed[2],
            subject == baseline ? "" : ratio.In("0.000"), goal?.Verdict(ratio.Median) ?? "");
    }

    private static async Task<double[]> CommitsAsync(ShopServer shop) =>
    [
        await ShopServer.MetricAsync(shop.Orders, "db_commit_seconds_count"),
        await ShopServer.MetricAsync(shop.Inventory, "db_commit_seconds_count"),
    ];

    private static bool IsTraced(int id) => Directory.GetDirectories($"/proc/{id}/task").All(static task =>
        File.ReadLines(Path.Combine(task, "status")).Any(static line => line.StartsWith("TracerPid:",
            StringComparison.Ordinal) && !line.EndsWith("\t0", StringComparison.Ordinal)));
}
