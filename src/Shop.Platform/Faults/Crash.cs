using System.Diagnostics;
using System.Runtime.InteropServices;

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
        // Unless this is the first process of a container: the kernel keeps that from killing itself.
        if (!OperatingSystem.IsWindows()) Exit(128 + 9);
    }

    // Generated marshalling would need unsafe code; this is the C library's own function.
#pragma warning disable SYSLIB1054, CA5392
    [DllImport("libc", EntryPoint = "_exit")]
    private static extern void Exit(int status);
#pragma warning restore SYSLIB1054, CA5392
}
