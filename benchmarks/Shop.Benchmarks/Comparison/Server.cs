using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Shop.Benchmarks.Comparison;

/// <summary>A server under measure: a process of its own, on a free port.</summary>
internal sealed class Server : IDisposable
{
    private const double TicksPerSecond = 100; // USER_HZ of Linux

    private readonly Process _process;

    private Server(string name, Process process)
    {
        Name = name;
        _process = process;
    }

    public string Name { get; }

    public int Id => _process.Id;

    /// <summary>Resident memory now, in MB.</summary>
    public double MemoryMegabytes => Status("VmRSS:") / 1024.0;

    /// <summary>Most resident memory so far, in MB.</summary>
    public double PeakMegabytes => Status("VmHWM:") / 1024.0;

    /// <summary>Time on the processors so far, of it and its children, those that have ended included.</summary>
    public double CpuSeconds => Tree(Id).Sum(static id =>
    {
        string text = ReadIfThere($"/proc/{id}/stat");
        if (text.Length == 0) return 0;
        string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return fields[11..15].Sum(static ticks => long.Parse(ticks, CultureInfo.InvariantCulture)) / TicksPerSecond;
    });

    /// <summary>Starts a program and waits until its address answers.</summary>
    public static async Task<Server> StartAsync(string name, Uri ready, string program, IEnumerable<string> arguments,
        string? folder = null, params (string Name, string Value)[] environment)
    {
        using var client = new HttpClient();
        return await StartAsync(name, async () =>
        {
            try
            {
                return (await client.GetAsync(ready)).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, program, arguments, folder, environment);
    }

    /// <summary>Starts a program and waits until it is ready.</summary>
    public static async Task<Server> StartAsync(string name, Func<Task<bool>> isReady, string program,
        IEnumerable<string> arguments, string? folder = null, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach ((string key, string value) in environment) start.Environment[key] = value;
        var server = new Server(name, Process.Start(start)!);
        server._process.OutputDataReceived += static (_, _) => { };
        server._process.ErrorDataReceived += static (_, _) => { };
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        while (!await isReady())
        {
            if (server._process.HasExited) throw new InvalidOperationException($"{name} ended instead of starting.");
            await Task.Delay(2);
        }

        return server;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Ends it by a signal.</summary>
    public void Stop(string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", Id.ToString(CultureInfo.InvariantCulture)]);
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (_process.HasExited)
        {
            _process.Dispose();
            return;
        }

        foreach (int id in Tree(Id).Reverse())
        {
            try
            {
                using var process = Process.GetProcessById(id);
                process.Kill();
            }
            catch (ArgumentException)
            {
                // It ended by itself.
            }
        }

        _process.WaitForExit();
        _process.Dispose();
    }

    private static IEnumerable<int> Tree(int id)
    {
        yield return id;
        string tasks = $"/proc/{id}/task";
        foreach (string task in Directory.Exists(tasks) ? Directory.GetDirectories(tasks) : [])
        {
            foreach (string child in ReadIfThere(Path.Combine(task, "children"))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (int below in Tree(int.Parse(child, CultureInfo.InvariantCulture))) yield return below;
            }
        }
    }

    // Children of a database come and go: its sessions.
    private static string ReadIfThere(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private long Status(string field) => long.Parse(
        File.ReadLines($"/proc/{Id}/status").First(line => line.StartsWith(field, StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);
}
