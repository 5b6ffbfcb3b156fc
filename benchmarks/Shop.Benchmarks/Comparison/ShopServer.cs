using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Benchmarks.Comparison;

/// <summary>The shop under measure, with a data directory of its own.</summary>
internal sealed partial class ShopServer : IDisposable
{
    private readonly string _data;

    private ShopServer(Server server, string data, int[] ports)
    {
        Server = server;
        _data = data;
        (Products, Orders, Inventory) = (Address(ports[0]), Address(ports[1]), Address(ports[2]));
    }

    public Server Server { get; }

    public Uri Products { get; }

    public Uri Orders { get; }

    public Uri Inventory { get; }

    public static Task<ShopServer> StartAsync(string name, params string[] settings) =>
        StartAsync(name, ["dotnet", Repository.Program("src", "Shop.Host")], settings);

    /// <summary>Starts the native program.</summary>
    public static Task<ShopServer> StartNativeAsync(string name) => StartAsync(name, [Repository.NativeProgram], []);

    /// <summary>Starts it with traces, a share of which is recorded and sent.</summary>
    public static Task<ShopServer> StartTracedAsync(string name, Uri receiver, double share) =>
        StartAsync(name, ["dotnet", Repository.Program("src", "Shop.Host")], [],
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.ToString()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", share.ToString(CultureInfo.InvariantCulture)));

    private static async Task<ShopServer> StartAsync(
        string name, string[] program, string[] settings, params (string Name, string Value)[] environment)
    {
        int[] ports = [Server.FreePort(), Server.FreePort(), Server.FreePort()];
        string data = Directory.CreateTempSubdirectory("shop-bench-").FullName;
        Server server = await Server.StartAsync(name, new Uri(Address(ports[1]), "/health/live"), program[0],
            [.. program[1..], $"--Shop:DataDirectory={data}", $"--Shop:Products:Port={ports[0]}",
                $"--Shop:Orders:Port={ports[1]}",
                $"--Shop:Inventory:Port={ports[2]}", .. settings.Select(setting => $"--{setting}")],
                    environment: environment);
        return new ShopServer(server, data, ports);
    }

    /// <summary>The sum of a metric over its series at one service.</summary>
    public static async Task<double> MetricAsync(Uri service, string name, string path = "/metrics")
    {
        using var client = new HttpClient();
        string text = await client.GetStringAsync(new Uri(service, path));
        return Sample().Matches(text).Where(match => match.Groups["name"].Value == name)
            .Sum(match => double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));
    }

    public void Dispose()
    {
        Server.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    private static Uri Address(int port) => new($"http://127.0.0.1:{port}");

    [GeneratedRegex(@"^(?<name>\w+)(\{.*?\})? (?<value>\S+)",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline, 10_000)]
    private static partial Regex Sample();
}
