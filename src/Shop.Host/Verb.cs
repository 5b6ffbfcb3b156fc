using Shop.Platform;
using Shop.Platform.Requests;

namespace Shop.Host;

/// <summary>A command of the program, named by the first argument. Without it, the program runs the shop.</summary>
/// <param name="Name">The argument.</param>
/// <param name="Arguments">Its arguments, as the help shows them.</param>
/// <param name="Summary">Its description, in one line.</param>
/// <param name="RunAsync">Runs it with the arguments after its name; the result is the exit code.</param>
internal sealed record Verb(string Name, string Arguments, string Summary, Func<string[], Task<int>> RunAsync)
{
    private Verb(string name, string arguments, string does, Func<string[], int> run)
        : this(name, arguments, does, args => Task.FromResult(run(args)))
    {
    }

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Verb> All { get; } =
    [
        new("health", "[settings]",
            "asks the shop with these settings whether it is ready; exit code 0 if it is, else 1",
            HealthVerb.RunAsync),
        new("alerts", "[health] [settings]",
            "runs the page of alerts, which shows what Alertmanager sends; health asks whether it is ready",
            AlertsVerb.RunAsync),
        new("backup", "DIR [settings]", "copies the data of a running or a stopped shop to DIR", FileVerbs.MakeBackup),
        new("restore", "DIR [settings]", "puts the backup DIR into an empty data directory", FileVerbs.RestoreBackup),
        new("check", "[DIR] [settings]",
            "compares all books of a stopped shop, or of the backup DIR; exit code 0 if they agree, else 1",
            FileVerbs.CheckBooks),
        new("accept", "[settings]", "accepts data whose files disagree, as it is", FileVerbs.AcceptFiles),
        new("compact", "[settings]", "writes the data of a stopped shop anew, so that its files can shrink",
            FileVerbs.CompactFiles),
        new("copy", CopyVerb.Arguments,
            "copies a stopped shop between a data directory and PostgreSQL, whose connection string it takes",
            CopyVerb.RunAsync),
        new("fault", $"{FaultVerb.Arguments} [settings]",
            "lists the faults that a running shop can make, starts or ends one, or plays a scenario",
            FaultVerb.RunAsync),
        new("key", "", "makes a key for clients, and its hash for Shop:ApiKeys or Shop:MetricsKey", KeyVerb.RunAsync),
    ];

    /// <summary>The verb of a command line; null if there is none.</summary>
    /// <exception cref="ShopStartException">The first argument is neither a verb nor a setting.</exception>
    public static Verb? Of(string[] args)
    {
        if (args is not [var name, ..] || name.StartsWith('-')) return null;
        IEnumerable<string> names = All.Select(verb => verb.Name);
        return All.FirstOrDefault(verb => verb.Name == name)
            ?? throw new ShopStartException(
                $"'{CommandLine.Shown(name)}' is not a verb; the verbs are {string.Join(", ", names)} "
                + $"(--help says more){NameSuggestion.DidYouMean(name, names)}");
    }
}
