using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Benchmarks.Comparison;

/// <summary>What one run of wrk saw. Processor time is for a request: of the hosts, and of their database.</summary>
internal sealed record Sample(
    double PerSecond, double CpuMicros, double DatabaseMicros, double P50Millis, double P99Millis);

/// <summary>Sends load with wrk.</summary>
internal static partial class Wrk
{
    /// <exception cref="InvalidOperationException">An answer was no success: then the figure means nothing.</exception>
    public static async Task<Sample> RunAsync(Subject subject, int connections, int seconds)
    {
        double Hosts() => subject.Server.CpuSeconds + (subject.Second?.Server.CpuSeconds ?? 0);
        double Database() => subject.Database?.CpuSeconds ?? 0;
        (double hosts, double database) = (Hosts(), Database());
        string text = await TextAsync(subject, [$"-t{Math.Min(2, connections)}", $"-c{connections}", $"-d{seconds}s",
            "--timeout", "10s", "--latency", .. subject.Script is { } script ? ["-s", script] : Array.Empty<string>(),
            subject.Address.ToString(),
            .. subject.Arguments.Length == 0 ? [] : subject.Arguments.Prepend("--")]);
        (hosts, database) = (Hosts() - hosts, Database() - database);
        if (text.Contains("Non-2xx", StringComparison.Ordinal)
            || text.Contains("Socket errors", StringComparison.Ordinal))
        {
            throw new InvalidOperationException(
                $"{subject.Name} did not answer all of {subject.Address} as it should:\n{text}");
        }

        double requests = double.Parse(Requests().Match(text).Groups["value"].Value, CultureInfo.InvariantCulture);
        return new Sample(double.Parse(Rate().Match(text).Groups["value"].Value, CultureInfo.InvariantCulture),
            hosts / requests * 1e6, database / requests * 1e6, Millis(text, "50%"), Millis(text, "99%"));
    }

    private static async Task<string> TextAsync(Subject subject, string[] arguments)
    {
        var start = new ProcessStartInfo("wrk") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        if (subject.Second is { } second)
            start.Environment["SECOND_PORT"] = second.Address.Port.ToString(CultureInfo.InvariantCulture);
        using Process process = Process.Start(start)!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"wrk failed: {text}");
    }

    private static double Millis(string text, string percentile)
    {
        Match match = Regex.Match(text, $@"{percentile}\s+([\d.]+)(us|ms|s)", RegexOptions.None,
            TimeSpan.FromSeconds(1));
        double number = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        return match.Groups[2].Value switch { "us" => number / 1000, "ms" => number, _ => number * 1000 };
    }

    [GeneratedRegex(@"(?<value>\d+) requests in", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Requests();

    [GeneratedRegex(@"Requests/sec:\s+(?<value>[\d.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rate();
}
