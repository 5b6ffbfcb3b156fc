namespace Shop.Platform.Faults;

/// <summary>One run of a fault, from its start to its end.</summary>
/// <param name="fault">The fault.</param>
/// <param name="id">Unique id of the run, also after a restart.</param>
/// <param name="intensity">How much, in the fault's unit.</param>
/// <param name="endsAt">When it ends by itself.</param>
public sealed class FaultRun(Fault fault, string id, decimal intensity, DateTimeOffset endsAt)
{
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The fault.</summary>
    public Fault Fault { get; } = fault;

    /// <summary>Unique id of the run, also after a restart.</summary>
    public string Id { get; } = id;

    /// <summary>How much, in the fault's unit.</summary>
    public decimal Intensity { get; } = intensity;

    /// <summary>When it ends, or has ended.</summary>
    public DateTimeOffset EndsAt { get; private set; } = endsAt;

    /// <summary>The only route that it affects, as metrics name it; null if it affects all.</summary>
    public string? Route { get; init; }

    /// <summary>The <c>Authorization</c> header of the client that started it, for requests in its name.</summary>
    internal string? Authorization { get; init; }

    /// <summary>Whether it has ended. A run that is stopped but not over continues at the next start.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Completes when it has ended, or the shop stops.</summary>
    internal Task Stopped => _stopped.Task;

    /// <summary>Whether it strikes a route.</summary>
    internal bool Strikes(string route) => Route is null || Route == route;

    /// <summary>Blocks this thread for a time, but not longer than the run.</summary>
    internal void Hold(TimeSpan time) => _stopped.Task.Wait(time);

    /// <summary>Waits for a time, but not longer than the run.</summary>
    internal Task DelayAsync(TimeSpan time, CancellationToken aborted = default) =>
        Task.WhenAny(_stopped.Task, Task.Delay(time, aborted));

    /// <summary>Ends the run.</summary>
    internal void End(DateTimeOffset at)
    {
        EndsAt = at;
        IsOver = true;
        _stopped.TrySetResult();
    }

    /// <summary>Stops the run with the shop; the next start continues it.</summary>
    internal void Suspend() => _stopped.TrySetResult();

    /// <summary>As a person reads it: <c>slow_commits 0.5 seconds until 12:03:30 UTC</c>.</summary>
    public override string ToString()
    {
        FaultDefinition definition = Fault.Definition;
        string amount = definition.Unit == FaultDefinition.NoUnit ? ""
            : FormattableString.Invariant($" {Intensity:0.###} {definition.Unit}");
        string route = Route is null ? "" : $" on {Route}";
        string end = definition.OutlivesRestart
            ? FormattableString.Invariant($" until {EndsAt.UtcDateTime:HH:mm:ss} UTC") : "";
        return $"{definition.Name}{amount}{route}{end}";
    }
}
