using System.Diagnostics;

namespace Shop.Platform;

/// <summary>
/// Points in the code for crash tests, compiled only into Debug builds: <c>SHOP_FAULT_POINT=reserved:17</c> kills the
/// process when it reaches that point for the 17th time, and <c>reserved:17:stop</c> stops it there, as SIGSTOP does,
/// until it is continued.
/// </summary>
public static class FaultPoint
{
    private static readonly (string Name, int Times, bool IsStop)? Chosen =
        Read(Environment.GetEnvironmentVariable("SHOP_FAULT_POINT"));
    private static int _reached;

    /// <summary>A point at which a test may kill the process.</summary>
    [Conditional("FAULT_POINTS")]
    public static void Reach(string name)
    {
        if (Chosen is not { } chosen || chosen.Name != name || Interlocked.Increment(ref _reached) != chosen.Times)
            return;
        if (chosen.IsStop)
        {
            using var stop = Process.Start("kill", ["-STOP", $"{Environment.ProcessId}"]);
            stop.WaitForExit();
            return;
        }

        using var self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL: nothing is flushed, nothing is finished, and this call does not return
    }

    private static (string Name, int Times, bool IsStop)? Read(string? setting) =>
        setting?.Split(':') is [var name, var times, .. var rest] ? (name, int.Parse(times), rest is ["stop"]) : null;
}
