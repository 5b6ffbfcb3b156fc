using System.Diagnostics;

namespace Shop.Monitoring.Tests;

/// <summary>Programs of the system that these tests use for real.</summary>
internal static class Tools
{
    /// <summary>
    /// The program's path. Where it is missing the test is skipped and says so; in CI that is a failure.
    /// </summary>
    public static string Need(string program)
    {
        string? path = Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        if (path is not null) return path;
        string message = $"{program} is not installed (Debian: apt-get install prometheus prometheus-alertmanager "
            + "prometheus-node-exporter prometheus-postgres-exporter haproxy nodejs).";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(message);
        else Assert.Ignore(message);
        throw new UnreachableException();
    }

    public static (int ExitCode, string Output) Run(string program, params string[] arguments) =>
        RunWith("", program, arguments);

    /// <summary>Runs a program that reads a text.</summary>
    public static (int ExitCode, string Output) RunWith(string input, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Need(program), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
