using System.Diagnostics;
using Shop.Platform;
using Shop.Platform.Data;

namespace Shop.Host;

/// <summary><c>copy</c>: moves a stopped shop from files to PostgreSQL, or back. docs/scaling.md is its
/// manual.</summary>
internal static class CopyVerb
{
    public const string Arguments = "--from X --to Y [settings]";

    public static async Task<int> RunAsync(string[] args)
    {
        (string from, string to, string[] settingsGiven) = Read(args);
        if (IsConnection(from) == IsConnection(to))
        {
            throw new ShopStartException("one of --from and --to is a data directory, and the other a connection "
                + "string as 'Host=…': backup copies files, and pg_dump a database");
        }

        (string directory, string connection) = IsConnection(to) ? (from, to) : (to, from);
        ShopSettings settings = ShopHost.SettingsOf(
        [
            $"--Shop:DataDirectory={directory}", $"--{ShopSettings.ConnectionKey}={connection}", .. settingsGiven,
        ]);
        using ILoggerFactory logs = LoggerFactory.Create(static logging =>
            logging.AddSimpleConsole(static options => options.SingleLine = true));
        var copy = new DataCopy(settings, ShopHost.Modules(), logs.CreateLogger("Shop.copy"), Console.WriteLine);
        long start = Stopwatch.GetTimestamp();
        if (IsConnection(to)) await copy.ToPostgresAsync(FileVerbs.Differences);
        else await copy.ToFilesAsync(FileVerbs.Differences);
        Console.WriteLine($"Copied in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s. "
            + "The source is unchanged.");
        return 0;
    }

    // A connection string has parts as Host=…; a directory with an equals sign must be named by another path. An
    // address as postgres://… is refused: as a directory, it would be created, and named with its password.
    private static bool IsConnection(string text) =>
        text.Contains('=', StringComparison.Ordinal) || text.Contains("://", StringComparison.Ordinal);

    private static (string From, string To, string[] Settings) Read(string[] args)
    {
        string? from = null, to = null;
        var rest = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            string[] parts = args[i].Split('=', 2);
            if (parts[0] is not ("--from" or "--to"))
            {
                rest.Add(args[i]);
                continue;
            }

            string? value = parts.Length == 2 ? parts[1] : args.ElementAtOrDefault(++i);
            if (parts[0] == "--from") from = value;
            else to = value;
        }

        return from is { Length: > 0 } && to is { Length: > 0 } ? (from, to, [.. rest])
            : throw new ShopStartException($"say from where and to where: Shop.Host copy {Arguments}");
    }
}
