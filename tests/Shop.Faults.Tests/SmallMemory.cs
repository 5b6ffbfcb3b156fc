using System.Globalization;

namespace Shop.Faults.Tests;

/// <summary>
/// The memory of the container in <c>docker-compose.yml</c>. The runtime is told of it by its own
/// setting, as it would read it from a container; if the machine lets a test make a control group, the
/// kernel ends a process that takes more.
/// </summary>
internal sealed class SmallMemory : IAsyncDisposable
{
    public const long Bytes = 256L << 20;

    private const string Groups = "/sys/fs/cgroup";

    private readonly string? _group;
    private readonly string _status;

    public SmallMemory(ShopProcess shop)
    {
        _status = $"/proc/{shop.Id}/status";
        (string parent, string limit) = Directory.Exists($"{Groups}/memory")
            ? ($"{Groups}/memory", "memory.limit_in_bytes")
            : (Groups, "memory.max");
        string group = Path.Combine(parent, $"shop-test-{shop.Id}");
        try
        {
            Directory.CreateDirectory(group);
            File.WriteAllText(Path.Combine(group, limit), Bytes.ToString(CultureInfo.InvariantCulture));
            File.WriteAllText(Path.Combine(group, "cgroup.procs"), shop.Id.ToString(CultureInfo.InvariantCulture));
            _group = group;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What it takes is looked at all the same.
            if (Directory.Exists(group)) Directory.Delete(group);
        }
    }

    /// <summary>Settings of the runtime.</summary>
    public static (string Name, string Value) Setting => ("DOTNET_GCTotalPhysicalMemory", $"{Bytes:X}");

    /// <summary>What the process holds now, without the files that it has mapped.</summary>
    public long Held()
    {
        const string Anonymous = "RssAnon:";
        string? line = File.Exists(_status)
            ? File.ReadLines(_status).FirstOrDefault(line => line.StartsWith(Anonymous, StringComparison.Ordinal))
            : null;
        return line is null ? 0 : 1024 * long.Parse(line[Anonymous.Length..^2], CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// The process must have ended. The kernel may count it in its group for a moment longer:
    /// the group is busy until then.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_group is not null) await Eventually.IsSoAsync(() => IsRemoved(_group));
    }

    private static bool IsRemoved(string group)
    {
        try
        {
            Directory.Delete(group);
            return true;
        }
        catch (IOException)
        {
            return false; // busy
        }
    }
}
