using System.Diagnostics;

namespace Shop.Platform.Faults;

/// <summary>The fault <c>crash</c>.</summary>
internal static class Crash
{
    /// <summary>Time to answer the client that started the fault.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(500);

    public static async Task RunAsync(FaultRun run, CancellationToken end)
    {
        await Task.Delay(Moment, end);
        using var self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL: nothing is flushed, nothing is finished, and this call does not return
    }
}
