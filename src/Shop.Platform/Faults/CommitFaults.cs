namespace Shop.Platform.Faults;

/// <summary>
/// Faults of the group commits, and of the way to a server. A writer calls <see cref="BeforeCommit"/>, or
/// <see cref="BeforeCommitAsync"/>, when all writes of a batch are made and only their commit is left, and treats what
/// it throws as it treats a failing disk.
/// </summary>
public sealed class CommitFaults
{
    private readonly FaultCatalogue _all;
    private readonly Fault _slow, _failing, _network;

    internal CommitFaults(FaultCatalogue all, Fault slow, Fault failing, Fault network) =>
        (_all, _slow, _failing, _network) = (all, slow, failing, network);

    /// <summary>Delays the commit, blocking the writer's own thread.</summary>
    /// <exception cref="FaultException">The commit must fail.</exception>
    public void BeforeCommit()
    {
        if (!_all.AnyRuns) return;
        if (_slow.Run is { } run) run.Hold(TimeSpan.FromSeconds((double)run.Intensity));
        FailIfDue();
    }

    /// <summary>Delays the commit.</summary>
    /// <exception cref="FaultException">The commit must fail.</exception>
    public ValueTask BeforeCommitAsync() => _all.AnyRuns ? HoldAsync() : default;

    /// <summary>Holds up what is about to be sent to a server.</summary>
    internal ValueTask BeforeRoundTripAsync(CancellationToken end) => _all.AnyRuns && _network.Run is { } run
        ? new ValueTask(run.DelayAsync(TimeSpan.FromSeconds((double)run.Intensity), end)) : default;

    private async ValueTask HoldAsync()
    {
        if (_slow.Run is { } run) await run.DelayAsync(TimeSpan.FromSeconds((double)run.Intensity));
        FailIfDue();
    }

    private void FailIfDue()
    {
        if (_failing.Strikes()) throw new FaultException(_failing.Definition.Name);
    }
}
