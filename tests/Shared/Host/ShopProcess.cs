using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Shop.Platform.Http;

namespace Shop.Testing;

/// <summary>The host as a process of its own, on free ports.</summary>
internal sealed partial class ShopProcess : IDisposable
{
    // Far more than it ever takes, on any machine.
    private static readonly TimeSpan MaxEnd = TimeSpan.FromMinutes(3);

    private readonly Process _process;
    private readonly StringBuilder _log = new();
    private readonly Dictionary<string, HttpClient> _clients = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ShopProcess(string directory, params string[] arguments)
        : this(directory, arguments, [])
    {
    }

    private ShopProcess(
        string directory, string[] arguments, (string Name, string Value)[] environment, params string[] wrapper)
    {
        // A shell starts with SIGINT ignored what it starts with &, tests too, and each process hands that on.
        string[] command = ShopProgram.Command([
            $"--Shop:DataDirectory={directory}", "--Shop:Products:Port=0", "--Shop:Orders:Port=0",
            "--Shop:Inventory:Port=0", .. arguments]);
        ProcessStartInfo start = ShopProgram.Piped(
            IgnoresInterrupt() ? [.. wrapper, "env", "--default-signal=INT", .. command] : [.. wrapper, .. command]);
        start.WorkingDirectory = directory;
        start.Environment["DOTNET_RUNNING_IN_CONTAINER"] = "false";
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public HttpClient Products => _clients["product-service"];

    public HttpClient Orders => _clients["order-service"];

    public HttpClient Inventory => _clients["inventory-service"];

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    public static Task<ShopProcess> StartAsync(string directory, params (string Name, string Value)[] environment) =>
        StartAsync(directory, [], environment);

    public static async Task<ShopProcess> StartAsync(
        string directory, string[] arguments, params (string Name, string Value)[] environment)
    {
        var shop = new ShopProcess(directory, arguments, environment);
        if (!await shop.HasStartedAsync()) Assert.Fail($"It ended instead of starting: {shop.Log}");
        return shop;
    }

    /// <summary>
    /// Starts it as the first process of a namespace, as in a container. That takes Linux and root; elsewhere the test
    /// says so and is skipped.
    /// </summary>
    public static async Task<ShopProcess> StartAsFirstProcessAsync(string directory)
    {
        string[] unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            Assert.Ignore("A namespace of processes can't be made here: that takes Linux and root.");
        var shop = new ShopProcess(directory, [], [], unshare);
        if (!await shop.HasStartedAsync()) Assert.Fail($"It ended instead of starting: {shop.Log}");
        return shop;
    }

    /// <summary>Starts it where it may be killed before it is ready; null where it was.</summary>
    public static async Task<ShopProcess?> StartUnlessKilledAsync(
        string directory, params (string Name, string Value)[] environment)
    {
        var shop = new ShopProcess(directory, [], environment);
        if (await shop.HasStartedAsync()) return shop;
        Assert.That(await shop.ExitAsync(), Is.EqualTo(128 + 9), shop.Log);
        shop.Dispose();
        return null;
    }

    public void Signal(int signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>Waits for the end, and fails where it does not come.</summary>
    public async Task<int> ExitAsync()
    {
        using var bound = new CancellationTokenSource(MaxEnd);
        try
        {
            await _process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The shop has not ended within {MaxEnd.TotalMinutes} minutes: {Log}");
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        foreach (HttpClient client in _clients.Values) client.Dispose();
        _process.Dispose();
    }

    private static bool IgnoresInterrupt()
    {
        const string Ignored = "SigIgn:";
        if (!OperatingSystem.IsLinux()) return false;
        string signals = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith(Ignored, StringComparison.Ordinal));
        return (ulong.Parse(signals.AsSpan(Ignored.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            & (1 << (2 - 1))) != 0;
    }

    /// <summary>Waits until it is ready; false if it ends instead.</summary>
    public async Task<bool> HasStartedAsync() =>
        await Task.WhenAny(_ready.Task, _process.WaitForExitAsync()) == _ready.Task;

    private void Read(string? line)
    {
        if (line is null) return;
        lock (_log) _log.Append(line).Append('\n');
        if (Announcement().Match(line) is not { Success: true } match) return;
        HttpClient client = DirectHttpClient.Create();
        client.BaseAddress = new Uri(match.Groups["address"].Value);
        _clients[match.Groups["service"].Value] = client;
        if (_clients.Count == 3) _ready.TrySetResult();
    }

    [GeneratedRegex(@"(?<service>[a-z]+-service) +(?<address>http://\S+:\d+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Announcement();
}
