using System.Diagnostics;
using System.Globalization;

namespace Shop.Faults.Tests;

/// <summary>
/// Another machine's network: a namespace of Linux, whose cable can be pulled. That takes root; elsewhere the test says
/// so and is skipped.
/// </summary>
internal sealed class OtherNetwork : IDisposable
{
    private const string Ip = "/usr/sbin/ip";

    private readonly string _name;
    private readonly List<Process> _processes = [];

    private OtherNetwork(string name, string here) => (_name, Here) = (name, here);

    /// <summary>This machine's address, as seen from there.</summary>
    public string Here { get; }

    public static OtherNetwork Make()
    {
        // Addresses for tests of networks, which nobody else uses: a link of two for each process.
        string id = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        int link = Environment.ProcessId % (1 << 14);
        string Address(int end) => $"198.{18 + (link >> 13)}.{(link >> 5) & 255}.{((link & 31) << 3) + end}";
        var network = new OtherNetwork($"shop{id}", Address(1));
        string[][] steps =
        [
            ["netns", "add", network._name],
            ["link", "add", $"shopa{id}", "type", "veth", "peer", "name", $"shopb{id}", "netns", network._name],
            ["address", "add", $"{Address(1)}/29", "dev", $"shopa{id}"],
            ["-n", network._name, "address", "add", $"{Address(2)}/29", "dev", $"shopb{id}"],
            ["link", "set", $"shopa{id}", "up"],
            ["-n", network._name, "link", "set", $"shopb{id}", "up"],
        ];
        if (!OperatingSystem.IsLinux() || !File.Exists(Ip) || steps.Any(step => SmallDisk.Run(Ip, step) != 0))
        {
            network.Dispose();
            Assert.Ignore("A network of its own can't be made here: that takes Linux, iproute2 and root.");
        }

        return network;
    }

    /// <summary>A program that runs there, until this is disposed.</summary>
    public void Run(string shell)
    {
        string[] arguments = ["netns", "exec", _name, "bash", "-c", shell];
        _processes.Add(Process.Start(new ProcessStartInfo(Ip, arguments) { UseShellExecute = false })!);
    }

    /// <summary>From now on not a packet comes from there, or arrives.</summary>
    public void PullTheCable() =>
        Assert.That(SmallDisk.Run(Ip, "-n", _name, "link", "set", $"shopb{_name[4..]}", "down"), Is.Zero);

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }

        if (!OperatingSystem.IsLinux() || !File.Exists(Ip)) return;
        SmallDisk.Run(Ip, "link", "delete", $"shopa{_name[4..]}");
        SmallDisk.Run(Ip, "netns", "delete", _name);
    }
}
