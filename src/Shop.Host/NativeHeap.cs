using System.Runtime.InteropServices;

namespace Shop.Host;

/// <summary>The memory of the C library, which SQLite uses, and on the .NET runtime the compiler.</summary>
internal static class NativeHeap
{
    /// <summary>Returns what is free to the system, if this is glibc, which otherwise keeps much of it.</summary>
    public static void Trim()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = MallocTrim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Other C libraries don't have it.
        }
    }

    // Generated marshalling would need unsafe code; this is the C library's own function.
#pragma warning disable SYSLIB1054, CA5392
    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int MallocTrim(nuint pad);
#pragma warning restore SYSLIB1054, CA5392
}
