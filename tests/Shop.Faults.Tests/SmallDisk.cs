using System.Diagnostics;

namespace Shop.Faults.Tests;

/// <summary>
/// A file system of some megabytes in memory. Mounting takes root; elsewhere the test says so and is skipped.
/// </summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    public static SmallDisk Mount(int megabytes = 3)
    {
        string path = Directory.CreateTempSubdirectory("shop-disk-").FullName;
        if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", path) != 0)
        {
            Directory.Delete(path);
            Assert.Ignore("A small file system can't be mounted here: that takes root on Linux.");
        }

        return new SmallDisk(path);
    }

    public void Fill()
    {
        using var filler = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true) filler.Write(new byte[4096]);
        }
        catch (IOException)
        {
            // It is full.
        }
    }

    public void Free() => File.Delete(Filler);

    public void Dispose()
    {
        Assert.That(Run("umount", Path), Is.Zero, "nobody has a file open any more");
        Directory.Delete(Path);
    }

    internal static int Run(string command, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(command, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
