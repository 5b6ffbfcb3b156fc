using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Shop.Benchmarks.Comparison;

/// <summary>Servers with one kind of load on them.</summary>
internal sealed record Subject(
    string Name, Server Server, Uri Address, string? Script = null, params string[] Arguments)
{
    /// <summary>A second host of the same shop, which half of the clients ask.</summary>
    public (Server Server, Uri Address)? Second { get; init; }

    /// <summary>The database that they share.</summary>
    public Server? Database { get; init; }
}

/// <summary>
/// Measures in one run. Rounds are interleaved: each subject has its turn in each round, and a ratio is taken
/// within a round, so that what the machine does meanwhile falls on all of them.
/// </summary>
internal abstract class MeasuredRun(int rounds) : IDisposable
{
    protected const int ReadConnections = 32;

    private readonly List<IDisposable> _open = [];
    private readonly Dictionary<Server, int> _ports = [];

    protected int Rounds => rounds;

    /// <summary>Turns before the first that counts.</summary>
    protected virtual int WarmTurns => 1;

    protected Report Report { get; } = new();

    /// <summary>A folder with answers of a real shop.</summary>
    protected string Answers { get; } = Directory.CreateTempSubdirectory("shop-bench-answers-").FullName;

    public void Dispose()
    {
        foreach (IDisposable one in Enumerable.Reverse(_open)) one.Dispose();
        Directory.Delete(Answers, recursive: true);
    }

    protected async Task MachineAsync()
    {
        string cpu = File.ReadLines("/proc/cpuinfo")
            .First(line => line.StartsWith("model name", StringComparison.Ordinal)).Split(':')[1].Trim();
        string now = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        double memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024 / 1024 / 1024.0;
        Report.Line($"- {now} UTC, commit {await Says("git", "-C", Repository.Root, "rev-parse", "--short", "HEAD")}");
        Report.Line(
            $"- {Environment.ProcessorCount} cores of {cpu}, {memory:0.#} GB, {RuntimeInformation.OSDescription}; "
            + "the load's own processes run on the same cores");
    }

    protected async Task<Dictionary<Subject,
        List<Sample>>> RoundsAsync(int connections, int seconds, params Subject[] subjects)
    {
        var samples = subjects.ToDictionary(static subject => subject, static _ => new List<Sample>());
        for (int round = -WarmTurns; round < rounds; round++)
        {
            foreach (Subject subject in subjects)
            {
                Sample sample = await Wrk.RunAsync(subject, connections, seconds);
                if (round >= 0) samples[subject].Add(sample);
            }
        }

        return samples;
    }

    protected void RateRow(Dictionary<Subject, List<Sample>> samples, Subject subject, Subject baseline, Goal? goal)
    {
        Figures rate = Ratio(samples, subject, baseline, static sample => sample.PerSecond);
        bool isBaseline = subject == baseline;
        Report.Row(
            [subject.Name, .. Speed(samples[subject]), isBaseline ? "" : rate.In("0.00"),
            goal?.Verdict(rate.Median) ?? "",
            isBaseline ? "" : Ratio(samples, baseline, subject, static sample => sample.CpuMicros).In("0.00")]);
    }

    protected static string[] Speed(List<Sample> samples) =>
    [
        Figures.Of(samples.Select(static sample => sample.PerSecond)).In("N0"),
        Figures.Of(samples.Select(static sample => sample.CpuMicros)).In("0.0"),
        Figures.Of(samples.Select(static sample => sample.P99Millis)).In("0.0"),
    ];

    protected static Figures Ratio(
        Dictionary<Subject, List<Sample>> samples, Subject over, Subject under, Func<Sample, double> figure) =>
        Figures.Of(samples[over].Zip(samples[under], (one, other) => figure(one) / figure(other)));

    protected async Task ScrapeAsync(HttpClient client, Uri service, string name)
    {
        var times = new List<double>();
        string text = "";
        for (int i = 0; i < Rounds * 4; i++)
        {
            long start = Stopwatch.GetTimestamp();
            text = await client.GetStringAsync(new Uri(service, "/metrics"));
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        Report.Row(
            name, Figures.Of(times).In("0.00"), Text(text.Length / 1024.0, "0"),
            Text(text.Split('\n').Count(line => line.Length > 0 && line[0] != '#'), "0"));
    }

    protected async Task<Server> BaselineAsync(string name, params string[] arguments)
    {
        int port = Server.FreePort();
        return Keep(await Server.StartAsync(name, new Uri($"http://127.0.0.1:{port}/products/prod_0"), "dotnet",
            [Repository.Program("benchmarks", "Shop.Baseline"), Answers, .. arguments], null, ("PORT", $"{port}")),
                port);
    }

    protected async Task SaveAnswersAsync(ShopServer shop)
    {
        using var client = new HttpClient();
        await File.WriteAllBytesAsync(
            Path.Combine(Answers, "product.json"),
            await client.GetByteArrayAsync(new Uri(shop.Products, "/products/prod_0")));
        await File.WriteAllBytesAsync(
            Path.Combine(Answers, "list.json"),
            await client.GetByteArrayAsync(new Uri(shop.Products, "/products?limit=20")));
        await File.WriteAllBytesAsync(
            Path.Combine(Answers, "products.json"),
            await client.GetByteArrayAsync(new Uri(shop.Products, "/products?limit=1000")));
        HttpResponseMessage order = await client.PostAsJsonAsync(new Uri(shop.Orders, "/orders"), Fill.Order(0));
        await File.WriteAllBytesAsync(Path.Combine(Answers, "order.json"), await order.Content.ReadAsByteArrayAsync());
    }

    protected static async Task<string> Says(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return text.Trim();
    }

    /// <summary>Builds a peer in Go; its program.</summary>
    protected async Task<string> BuildGoAsync(string folder)
    {
        string program = Path.Combine(Answers, $"{folder}-peer");
        var build = new ProcessStartInfo("go", ["build", "-o", program, "."])
        {
            WorkingDirectory = Repository.PathOf("benchmarks", "peers", folder),
        };
        // Packages of the system, not of a module proxy.
        build.Environment["GO111MODULE"] = "off";
        build.Environment["GOPATH"] = "/usr/share/gocode";
        build.Environment["GOFLAGS"] = "";
        using Process go = Process.Start(build)!;
        await go.WaitForExitAsync();
        return go.ExitCode == 0 ? program : throw new InvalidOperationException("go build failed.");
    }

    /// <summary>Ends all but one thing before the run does.</summary>
    protected void ReleaseAllBut(IDisposable kept)
    {
        foreach (IDisposable one in Enumerable.Reverse(_open).Where(one => one != kept).ToList()) Release(one);
    }

    /// <summary>Ends something before the run does.</summary>
    protected void Release(IDisposable one)
    {
        _open.Remove(one);
        one.Dispose();
    }

    protected Uri Address(Server server, string path) => new($"http://127.0.0.1:{_ports[server]}{path}");

    protected static string Script(string name) => Repository.PathOf("benchmarks", "load", name);

    protected static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    protected T Keep<T>(T one) where T : IDisposable
    {
        _open.Add(one);
        return one;
    }

    protected Server Keep(Server server, int port)
    {
        _ports[server] = port;
        return Keep(server);
    }
}
