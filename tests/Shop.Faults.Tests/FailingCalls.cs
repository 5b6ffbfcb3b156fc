using System.Diagnostics;

namespace Shop.Faults.Tests;

/// <summary>
/// System calls of a process that fail, by strace, until this is disposed. Where processes can't be traced,
/// the test says so and is skipped.
/// </summary>
internal sealed class FailingCalls : IAsyncDisposable
{
    private readonly Process _strace;
    private readonly Task _said;

    private FailingCalls(Process strace, Task said) => (_strace, _said) = (strace, said);

    /// <summary>From now on each such call of the process returns an error.</summary>
    public static Task<FailingCalls> OfAsync(int process, string calls, string error) =>
        AttachAsync(calls, error, "-f", "-p", $"{process}");

    /// <summary>From now on each such call of one of its threads returns an error.</summary>
    public static Task<FailingCalls> OfThreadAsync(int process, string thread, string calls, string error)
    {
        string task = Directory.GetDirectories($"/proc/{process}/task")
            .Single(task => File.ReadAllText(Path.Combine(task, "comm")).Trim() == thread);
        return AttachAsync(calls, error, "-p", Path.GetFileName(task));
    }

    private static async Task<FailingCalls> AttachAsync(string calls, string error, params string[] whom)
    {
        var start = new ProcessStartInfo("strace") { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in (string[])[.. whom, "-e", $"trace={calls}", "-e",
            $"inject={calls}:error={error}", "-o", "/dev/null"])
        {
            start.ArgumentList.Add(argument);
        }

        Process strace;
        try
        {
            strace = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            if (Environment.GetEnvironmentVariable("CI") == "true")
                Assert.Fail("strace is not there, and CI skips nothing.");
            Assert.Ignore("strace is not there.");
            throw;
        }

        string? line = await strace.StandardError.ReadLineAsync();
        if (line is null || !line.Contains("attached", StringComparison.Ordinal))
            Assert.Ignore($"Processes can't be traced here: {line}");
        return new FailingCalls(strace, strace.StandardError.ReadToEndAsync());
    }

    public async ValueTask DisposeAsync()
    {
        SmallDisk.Run("kill", "-INT", $"{_strace.Id}"); // so that it lets go of the process first
        await _strace.WaitForExitAsync();
        await _said;
        _strace.Dispose();
    }
}
