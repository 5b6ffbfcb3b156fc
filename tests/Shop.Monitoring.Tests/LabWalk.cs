using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Monitoring.Tests;

/// <summary>
/// Does what a page of the labs says, with the real programs on free ports. Windows of queries and rules, and loads
/// that the reader waits for, are <see cref="Speed"/> times as short as on the page; rates stay as they are.
/// </summary>
internal sealed partial class LabWalk : IAsyncDisposable
{
    private const int Speed = 4;

    private static readonly int[] Ports = [5001, 5002, 5003, 5004, 6001, 6002, 6003, 4318, 9090, 9093];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly string _directory = Directory.CreateTempSubdirectory("shop-lab-").FullName;
    private readonly Dictionary<int, int> _ports = Ports.Zip(FreePort.Next(Ports.Length)).ToDictionary();
    private readonly List<Process> _processes = [];
    private readonly HttpClient _client = DirectHttpClient.Create();
    private readonly ConcurrentQueue<string> _output = [];
    private readonly DateTimeOffset _start = DateTimeOffset.UtcNow;
    private ShopProcess? _shop, _second;
    private Process? _load, _prometheus;
    private PostgresCluster? _cluster;
    private string? _database;
    private OtlpStandIn? _traces;

    private Uri Prometheus => new($"http://127.0.0.1:{_ports[9090]}");

    private string[] PortSettings =>
        [$"--Shop:Products:Port={_ports[5001]}", $"--Shop:Orders:Port={_ports[5002]}",
            $"--Shop:Inventory:Port={_ports[5003]}"];

    private string ShopProgram => typeof(Shop.Host.ShopHost).Assembly.Location;

    private string TrafficProgram => Path.Combine(AppContext.BaseDirectory, "Shop.Traffic.dll");

    public static async Task<LabWalk> StartAsync()
    {
        var walk = new LabWalk();
        await walk.StartShopAsync();
        await walk.StartPrometheusAsync("prometheus.yml");
        return walk;
    }

    public async Task DoAsync(LabStep step)
    {
        switch (step.Language, step.Mark)
        {
            case ("promql", "" or "until"):
                await UntilSeenAsync(step, () => QueryAsync(Faster(step.Text)));
                break;
            case ("sh", "load"):
                StartLoad(step.Text);
                break;
            case ("sh", "shop"):
                await StopShopAsync();
                _shop = await StartHostAsync(step.Text);
                break;
            case ("sh", "host"):
                _second = await StartHostAsync(step.Text);
                break;
            case ("sh", "postgres"):
                _cluster = PostgresCluster.StartOwn();
                _database = _cluster.CreateDatabase();
                break;
            case ("sh", "prometheus"):
                _prometheus!.Kill();
                await _prometheus.WaitForExitAsync();
                await StartPrometheusAsync(ConfigurationFile().Match(step.Text).Groups["file"].Value);
                break;
            case ("sh", "traces"):
                _traces = await OtlpStandIn.StartAsync(_ports[4318]);
                break;
            case ("text", "spans"):
                await WatchedShop.UntilAsync(
                    () => Task.FromResult(step.Text.Split('\n').All(name => _traces!.Has(Encoding.UTF8.GetBytes(name)))
                        && _traces!.Has(Convert.FromHexString("1bf7651916cd43dd8448eb211c80319d"))),
                    () => Task.FromResult($"Not all of these were sent:\n{step.Text}"));
                break;
            case ("sh", "stop"):
                await StopShopAsync();
                break;
            case ("sh", "start"):
                await StartShopAsync();
                break;
            case ("sh", "restart"):
                await StopShopAsync();
                await StartShopAsync();
                break;
            case ("sh", "alertmanager"):
                StartAlertmanager();
                break;
            case ("sh", "alerts"):
                Start("dotnet", ShopProgram, "alerts", $"--Shop:Alerts:Port={_ports[5004]}");
                break;
            case ("sh", "until"):
                await UntilSeenAsync(step,
                    async () => [.. Enumerable.Repeat(1d, int.Parse((await RunAsync(step.Text)).Output))]);
                break;
            case ("sh", "docker" or "k6"):
                break; // tests/containers and loadtest/testing run these
            case ("sh", "" or "lock"):
                (int exitCode, string output) = await RunAsync(step.Text);
                Assert.That(exitCode, Is.Zero, $"{step.Text}\n{output}");
                break;
            default:
                Assert.Fail($"The block is marked {step.Language} {step.Mark}, and nobody knows what to do with it.");
                break;
        }
    }

    /// <summary>Draws a picture of a page from what Prometheus has seen.</summary>
    public async Task DrawAsync(LabPicture wanted, string title)
    {
        Picture picture = await SketchAsync(wanted, title);
        for (var patience = Stopwatch.StartNew(); picture.Lines < wanted.Lines.Count; picture =
            await SketchAsync(wanted, title))
        {
            if (patience.Elapsed > Patience) Assert.Fail($"{wanted.File} has {picture.Lines} lines.");
            await Task.Delay(500);
        }

        string folder = Environment.GetEnvironmentVariable("SHOP_PICTURES")
            ?? Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures");
        string file = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "labs")).FullName,
            Path.GetFileName(wanted.File));
        await File.WriteAllTextAsync(file, picture.ToSvg());
    }

    public async ValueTask DisposeAsync()
    {
        EndLoad();
        foreach (Process process in _processes)
        {
            if (!process.HasExited) process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _shop?.Dispose();
        _second?.Dispose();
        _cluster?.Dispose();
        if (_traces is not null) await _traces.DisposeAsync();
        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<Picture> SketchAsync(LabPicture wanted, string title)
    {
        var picture = new Picture(title);
        foreach (LabLine[] panel in Panels(wanted))
        {
            var series = new List<(string, IReadOnlyList<(double, double)>)>();
            foreach (LabLine line in panel) series.AddRange(await RangeAsync(Faster(line.Query), line.Legend));
            picture.Add(panel[0].Panel, panel[0].Unit, series);
        }

        return picture;
    }

    private static IEnumerable<LabLine[]> Panels(LabPicture picture)
    {
        var panel = new List<LabLine>();
        foreach (LabLine line in picture.Lines)
        {
            if (line.Panel.Length > 0 && panel.Count > 0)
            {
                yield return [.. panel];
                panel.Clear();
            }

            panel.Add(line);
        }

        yield return [.. panel];
    }

    // What comes behind the program's name, up to a pipe.
    private static string[] Arguments(string command) =>
        command.Split(" | ")[0].Replace(" 2>&1", "").Split(" -- ") is [_, var arguments] ? arguments.Split(' ') : [];

    private static string Faster(string query) =>
        Window().Replace(query, match => Duration().Replace(match.Value, one =>
        {
            long seconds = long.Parse(one.Groups["number"].Value)
                * one.Groups["unit"].Value switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };
            return $"{seconds * 1000 / Speed}ms";
        }));

    private async Task StartShopAsync() => _shop = await StartHostAsync("");

    // With the settings and variables of the command, on ports that are free, and on the database of this walk.
    private Task<ShopProcess> StartHostAsync(string command)
    {
        IEnumerable<string> arguments = Arguments(command).Select(argument => SecondPort()
            .Replace(argument, match => $"{_ports[int.Parse(match.Value)]}")
                .Replace("Directory=data", $"Directory={_directory}/data"));
        string[] database = command.Contains("ConnectionStrings__Shop=", StringComparison.Ordinal)
            ? [$"--ConnectionStrings:Shop={_database}"] : [];
        (string, string)[] environment =
            [.. Variable().Matches(command)
            .Select(match => (match.Groups["name"].Value, OnFreePorts(match.Groups["value"].Value)))];
        return ShopProcess.StartAsync(_directory, [.. PortSettings, .. arguments, .. database], environment);
    }

    private async Task StopShopAsync()
    {
        if (_shop is null) return;
        _shop.Signal(15);
        await _shop.ExitAsync();
        _shop.Dispose();
        _shop = null;
    }

    private void StartLoad(string command)
    {
        EndLoad();
        _load = Start("dotnet", [TrafficProgram, .. Arguments(command), .. Shops()]);
    }

    private void EndLoad()
    {
        if (_load is { HasExited: false }) _load.Kill();
    }

    private string[] Shops() =>
    [
        "--products", $"http://localhost:{_ports[5001]}", "--orders", $"http://localhost:{_ports[5002]}", "--inventory",
        $"http://localhost:{_ports[5003]}",
    ];

    private void StartAlertmanager()
    {
        string configuration = OnFreePorts(Repository.Text("docs", "labs", "alertmanager.yml"));
        File.WriteAllText(Path.Combine(_directory, "alertmanager.yml"), configuration);
        Start(Tools.Need("prometheus-alertmanager"), $"--config.file={_directory}/alertmanager.yml",
            $"--storage.path={_directory}/alertmanager",
            $"--web.listen-address=127.0.0.1:{_ports[9093]}", "--cluster.listen-address=");
    }

    private async Task StartPrometheusAsync(string file)
    {
        string rules = Directory.CreateDirectory(Path.Combine(_directory, "rules")).FullName;
        foreach (string rule in Directory.GetFiles(Repository.PathOf("monitoring", "prometheus", "rules")))
            await File.WriteAllTextAsync(
                Path.Combine(rules, Path.GetFileName(rule)), Faster(await File.ReadAllTextAsync(rule)));
        string configuration = OnFreePorts(Repository.Text("docs", "labs", file))
            .Replace("../../monitoring/prometheus/rules/*.yml", $"{rules}/*.yml")
                .Replace("interval: 2s", "interval: 1s");
        await File.WriteAllTextAsync(Path.Combine(_directory, "prometheus.yml"), configuration);
        _prometheus = Start(
            Tools.Need("prometheus"), $"--config.file={_directory}/prometheus.yml",
            $"--storage.tsdb.path={_directory}/prometheus",
            $"--web.listen-address=127.0.0.1:{_ports[9090]}");
        var patience = Stopwatch.StartNew();
        int targets = LocalPort().Matches(Repository.Text("docs", "labs", file))
            .Count(match => match.Groups["port"].Value[0] is '5' or '6');
        while (!await IsReadyAsync(targets))
        {
            if (patience.Elapsed > Patience) Assert.Fail($"Prometheus does not start:\n{string.Join('\n', _output)}");
            await Task.Delay(100);
        }
    }

    // What happens before the second scrape is no growth of a counter; a reader is slower than that.
    private async Task<bool> IsReadyAsync(int targets)
    {
        try
        {
            using HttpResponseMessage response = await _client.GetAsync(new Uri(Prometheus, "/-/ready"));
            return response.IsSuccessStatusCode
                && await QueryAsync("count_over_time(up[1m]) > 2") is { } ready && ready.Count == targets;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Note(program, line.Data);
        process.ErrorDataReceived += (_, line) => Note(program, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _processes.Add(process);
        return process;
    }

    private void Note(string program, string? line)
    {
        if (line is null) return;
        _output.Enqueue($"{Path.GetFileName(program)}: {line}");
        while (_output.Count > 20) _output.TryDequeue(out _);
    }

    private async Task<(int ExitCode, string Output)> RunAsync(string commands)
    {
        if (_shop is not null) await File.WriteAllTextAsync(Path.Combine(_directory, "host1.log"), _shop.Log);
        if (_second is not null) await File.WriteAllTextAsync(Path.Combine(_directory, "host2.log"), _second.Log);
        string script = FaultVerb()
            .Replace(OnFreePorts(commands), $"dotnet {ShopProgram} ${{verb}} {string.Join(' ', PortSettings)}")
            .Replace("src/Shop.Host/data/", $"{_directory}/")
            .Replace("dotnet run -c Release --project loadtest/Shop.Traffic --",
                $"dotnet {TrafficProgram} {string.Join(' ', Shops())}");
        script = Seconds()
            .Replace(script, match => $"--seconds {Math.Max(1, int.Parse(match.Groups["seconds"].Value) / Speed)}");
        var start = new ProcessStartInfo("bash", ["-euc", script])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        };
        using Process shell = Process.Start(start)!;
        Task<string> errors = shell.StandardError.ReadToEndAsync();
        string output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        return (shell.ExitCode, output + await errors);
    }

    private string OnFreePorts(string text) =>
        LocalPort().Replace(text, match => $"localhost:{_ports[int.Parse(match.Groups["port"].Value)]}");

    private static async Task UntilSeenAsync(LabStep step, Func<Task<IReadOnlyCollection<double>>> look)
    {
        var patience = Stopwatch.StartNew();
        while (true)
        {
            IReadOnlyCollection<double> values = await look();
            if (step.Seen is null || step.Seen.Holds(values)) return;
            if (patience.Elapsed > Patience)
                Assert.Fail($"{step.Text}\nThe page says {step.Seen}, and there is: {string.Join(", ", values)}");
            await Task.Delay(250);
        }
    }

    private async Task<IReadOnlyCollection<double>> QueryAsync(string query)
    {
        JsonNode result = await AskAsync("/api/v1/query", ("query", query));
        return [.. result.AsArray().Select(sample => Number(sample!["value"]![1]!))];
    }

    private async Task<IEnumerable<(string Name, IReadOnlyList<(double At, double Value)> Points)>> RangeAsync(
        string query, string legend)
    {
        JsonNode result = await AskAsync("/api/v1/query_range", ("query", query),
            ("start", $"{_start.ToUnixTimeSeconds()}"),
            ("end", $"{DateTimeOffset.UtcNow.ToUnixTimeSeconds()}"), ("step", "0.5"));
        return [.. result.AsArray().Select(series => (
            series!["metric"]!.AsObject()
                .Aggregate(legend, (name, label) => name.Replace($"{{{{{label.Key}}}}}", (string)label.Value!)),
            (IReadOnlyList<(double, double)>)[.. series["values"]!.AsArray().Select(point =>
                ((double)point![0]!, Number(point[1]!)))]))];
    }

    private static double Number(JsonNode value) => (string)value! switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var number => double.Parse(number, CultureInfo.InvariantCulture),
    };

    private async Task<JsonNode> AskAsync(string path, params (string Name, string Value)[] parameters)
    {
        using var form = new FormUrlEncodedContent(parameters.Select(one => KeyValuePair.Create(one.Name, one.Value)));
        using HttpResponseMessage response = await _client.PostAsync(new Uri(Prometheus, path), form);
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.That((string)answer["status"]!, Is.EqualTo("success"), $"{parameters[0].Value}: {answer["error"]}");
        return answer["data"]!["result"]!;
    }

    [GeneratedRegex(@"\[[0-9smhd:]+\]|(?<=offset )\d+[smhd]|(?<=for: )\d+[smhd]", RegexOptions.None, 60_000)]
    private static partial Regex Window();

    [GeneratedRegex("(?<number>[0-9]+)(?<unit>[smhd])", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Duration();

    [GeneratedRegex("--seconds (?<seconds>[0-9]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Seconds();

    [GeneratedRegex(
        "localhost:(?<port>5001|5002|5003|5004|6001|6002|6003|4318|9090|9093)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex LocalPort();

    [GeneratedRegex(@"(?<=Port=)600\d", RegexOptions.None, 60_000)]
    private static partial Regex SecondPort();

    [GeneratedRegex(@"(?<name>OTEL_\w+)=(?<value>\S+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Variable();

    [GeneratedRegex(@"--config\.file=docs/labs/(?<file>\S+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex ConfigurationFile();

    [GeneratedRegex(@"dotnet run -c Release --project src/Shop\.Host -- (?<verb>fault[^\n|>;]*)",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex FaultVerb();

    /// <summary>Takes traces as a collector does, and remembers their bytes.</summary>
    private sealed class OtlpStandIn(WebApplication app, ConcurrentQueue<byte[]> bodies) : IAsyncDisposable
    {
        public static async Task<OtlpStandIn> StartAsync(int port)
        {
            var bodies = new ConcurrentQueue<byte[]>();
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            WebApplication app = builder.Build();
            app.Urls.Add($"http://127.0.0.1:{port}");
            app.Run(async http =>
            {
                using var body = new MemoryStream();
                await http.Request.Body.CopyToAsync(body);
                bodies.Enqueue(body.ToArray());
            });
            await app.StartAsync();
            return new OtlpStandIn(app, bodies);
        }

        public bool Has(byte[] part) => bodies.Any(body => body.AsSpan().IndexOf(part) >= 0);

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
