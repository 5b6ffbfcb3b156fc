using System.Diagnostics;

namespace Shop.Platform;

/// <summary>
/// Places where a crash would be worst. The calls are compiled into Debug builds alone, for the crash test:
/// <c>SHOP_FAULT_POINT=reserved:17</c> kills the process when it comes to that place for the 17th time.
/// </summary>
public static class FaultPoint
{
    private static readonly (string Name, int Times)? Chosen =
        Read(Environment.GetEnvironmentVariable("SHOP_FAULT_POINT"));
    private static int _reached;

    /// <summary>The process may die here.</summary>
    [Conditional("FAULT_POINTS")]
    public static void Reach(string name)
    {
        if (Chosen is not { } chosen || chosen.Name != name || Interlocked.Increment(ref _reached) != chosen.Times)
            return;
        using var self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL: nothing is flushed, nothing is finished, and this call does not return
    }

    private static (string Name, int Times)? Read(string? setting) =>
        setting?.Split(':') is [var name, var times] ? (name, int.Parse(times)) : null;
}
