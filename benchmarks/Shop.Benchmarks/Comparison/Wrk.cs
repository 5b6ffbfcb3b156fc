using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Benchmarks.Comparison;

/// <summary>What one run of wrk saw.</summary>
internal sealed record Sample(double PerSecond, double CpuMicros, double P50Millis, double P99Millis);

/// <summary>Sends load with wrk.</summary>
internal static partial class Wrk
{
    /// <exception cref="InvalidOperationException">An answer was no success: then the figure means nothing.</exception>
    public static async Task<Sample> RunAsync(Server server, Uri address, int connections, int seconds, string? script = null, params string[] scriptArguments)
    {
        double before = server.CpuSeconds;
        string text = await TextAsync([$"-t{Math.Min(2, connections)}", $"-c{connections}", $"-d{seconds}s", "--latency",
            .. script is null ? Array.Empty<string>() : ["-s", script], address.ToString(), .. scriptArguments.Length == 0 ? [] : scriptArguments.Prepend("--")]);
        double cpu = server.CpuSeconds - before;
        if (text.Contains("Non-2xx", StringComparison.Ordinal) || text.Contains("Socket errors", StringComparison.Ordinal))
            throw new InvalidOperationException($"{server.Name} did not answer all of {address} as it should:\n{text}");
        double requests = double.Parse(Requests().Match(text).Groups["value"].Value, CultureInfo.InvariantCulture);
        return new Sample(double.Parse(Rate().Match(text).Groups["value"].Value, CultureInfo.InvariantCulture), cpu / requests * 1e6, Millis(text, "50%"), Millis(text, "99%"));
    }

    private static async Task<string> TextAsync(string[] arguments)
    {
        var start = new ProcessStartInfo("wrk") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"wrk failed: {text}");
    }

    private static double Millis(string text, string percentile)
    {
        Match match = Regex.Match(text, $@"{percentile}\s+([\d.]+)(us|ms|s)", RegexOptions.None, TimeSpan.FromSeconds(1));
        double number = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        return match.Groups[2].Value switch { "us" => number / 1000, "ms" => number, _ => number * 1000 };
    }

    [GeneratedRegex(@"(?<value>\d+) requests in", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Requests();

    [GeneratedRegex(@"Requests/sec:\s+(?<value>[\d.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rate();
}
