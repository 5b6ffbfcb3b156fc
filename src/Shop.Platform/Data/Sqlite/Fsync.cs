using System.Runtime.InteropServices;

namespace Shop.Platform.Data.Sqlite;

/// <summary>Flushes files and directories to disk, so that they survive a power cut.</summary>
internal static class Fsync
{
    /// <summary>Waits until a file is on disk.</summary>
    public static void File(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>
    /// Waits until the entries of a directory are on disk. .NET can't open directories; Windows does not need this.
    /// </summary>
    public static void Directory(string directory)
    {
        if (OperatingSystem.IsWindows()) return;
        int handle = Open(directory, 0);
        if (handle < 0) throw new IOException($"{directory} can't be opened: error {Marshal.GetLastPInvokeError()}");
        try
        {
            if (Sync(handle) < 0)
                throw new IOException($"{directory} can't be flushed: error {Marshal.GetLastPInvokeError()}");
        }
        finally
        {
            _ = Close(handle);
        }
    }

    // Generated marshalling would need unsafe code; these are the C library's own functions.
#pragma warning disable SYSLIB1054, CA5392, CA2101
    [DllImport("libc", EntryPoint = "open", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int Sync(int handle);

    [DllImport("libc", EntryPoint = "close", SetLastError = true)]
    private static extern int Close(int handle);
#pragma warning restore SYSLIB1054, CA5392, CA2101
}
