namespace Shop.Platform.Faults;

/// <summary>All faults that this shop can simulate: those of the platform, and those of the modules.</summary>
public sealed class FaultCatalogue
{
    private static readonly FaultDefinition SlowCommits = new("slow_commits",
        "Each group commit takes so many seconds longer, in every service: writes wait, and their queues fill.",
        "seconds", 0.001m, 10, 0.5m);

    private static readonly FaultDefinition FailingCommits = new("failing_commits",
        "A share of the group commits fails before the disk is reached: their writes are undone and answered 503.",
        "share", 0.01m, 1, 0.5m);

    private static readonly FaultDefinition SlowAnswers = new("slow_answers",
        "Each answer of the API, or of one route, comes so many seconds later.", "seconds", 0.001m, 10, 0.5m)
    {
        HasRoute = true,
    };

    private static readonly FaultDefinition FailingAnswers = new("failing_answers",
        "A share of the requests to the API, or to one route, is answered 500 before anything is done for them.",
        "share", 0.01m, 1, 0.1m)
    {
        HasRoute = true,
    };

    private static readonly FaultDefinition SlowNetwork = new("slow_network",
        "Each round trip to PostgreSQL takes so many seconds longer: reads of orders and of stock, and all writes.",
        "seconds", 0.001m, 1, 0.2m)
    {
        NeedsPostgres = true,
    };

    private static readonly FaultDefinition BusyProcessor = new("busy_processor",
        "A number of processors is kept busy with useless work.",
        "cores", 0.1m, Environment.ProcessorCount, Environment.ProcessorCount);

    private static readonly FaultDefinition MemoryLeak = new("memory_leak",
        $"The shop takes more memory each second, up to {Faults.MemoryLeak.MaxMegabytes} MB or two fifths of what it "
        + "may have, and frees it at the end.",
        "MB a second", 0.1m, 100, 1);

    private static readonly FaultDefinition ThreadPoolStarvation = new("starved_threads",
        "A number of threads of the thread pool is blocked, and it may not grow meanwhile: requests wait for a "
        + "thread while processors are free.",
        "threads", 1, 500, 64)
    {
        IsWhole = true,
    };

    internal static readonly FaultDefinition FlashCrowd = new("flash_crowd",
        "A crowd of customers sends more requests a second, to all services together.",
        "requests a second", 1, 1000, 300)
    {
        IsWhole = true,
    };

    internal static readonly FaultDefinition HostileClient = new("hostile_client",
        "One client sends requests with paths, methods and ids that it makes up, to give the metrics ever more series. "
        + "They get none.",
        "requests a second", 1, 1000, 100)
    {
        IsWhole = true,
    };

    private static readonly FaultDefinition Crash = new("crash",
        "The process is killed, as by SIGKILL, half a second after the answer. Use it only if something restarts the "
        + "shop.",
        FaultDefinition.NoUnit, 1, 1, 1)
    {
        OutlivesRestart = false,
    };

    private readonly Dictionary<string, Fault> _byName;
    private int _running;

    /// <summary>The faults of the platform and of some modules; all are off.</summary>
    public FaultCatalogue(params IEnumerable<FaultDefinition> ofModules)
    {
        FaultDefinition[] all = [SlowCommits, FailingCommits, SlowAnswers, FailingAnswers, .. ofModules, SlowNetwork,
            BusyProcessor, MemoryLeak, ThreadPoolStarvation, FlashCrowd, HostileClient, Crash];
        All = [.. all.Select(definition => new Fault(definition))];
        _byName = All.ToDictionary(fault => fault.Definition.Name, StringComparer.Ordinal);
        Of(BusyProcessor.Name).Effect = Faults.BusyProcessor.RunAsync;
        Of(MemoryLeak.Name).Effect = Faults.MemoryLeak.RunAsync;
        Of(ThreadPoolStarvation.Name).Effect = Faults.ThreadPoolStarvation.RunAsync;
        Of(Crash.Name).Effect = Faults.Crash.RunAsync;
        Commits = new CommitFaults(this, Of(SlowCommits.Name), Of(FailingCommits.Name), Of(SlowNetwork.Name));
        Responses = new ResponseFaults(this, Of(SlowAnswers.Name), Of(FailingAnswers.Name));
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<Fault> All { get; }

    /// <summary>Whether the settings allow any.</summary>
    public bool IsOn { get; init; } = true;

    /// <summary>Whether the data are in PostgreSQL.</summary>
    public bool HasPostgres { get; init; }

    /// <summary>What a database looks at before each commit, and each round trip.</summary>
    public CommitFaults Commits { get; }

    /// <summary>The faults that each request to the API checks.</summary>
    internal ResponseFaults Responses { get; }

    /// <summary>Whether any fault runs: the only check while none does.</summary>
    internal bool AnyRuns => Volatile.Read(ref _running) != 0;

    /// <summary>The current runs.</summary>
    public IEnumerable<FaultRun> Runs => AnyRuns ? All.Select(fault => fault.Run).OfType<FaultRun>() : [];

    /// <summary>A fault by its name, which must exist.</summary>
    public Fault Of(string name) => _byName[name];

    /// <summary>Why this shop can't make a fault; null if it can.</summary>
    internal string? RefusalReason(FaultDefinition fault) => fault.NeedsPostgres && !HasPostgres
        ? $"{fault.Name} needs PostgreSQL, and this shop keeps its data in files." : null;

    /// <summary>A fault by its name; null if there is none.</summary>
    internal Fault? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Starts a fault, or ends it if there is no run. Call it from one thread at a time.</summary>
    internal void Set(Fault fault, FaultRun? run)
    {
        fault.Run = run;
        Volatile.Write(ref _running, All.Count(one => one.Run is not null));
    }
}
