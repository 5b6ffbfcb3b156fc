namespace Shop.Platform.Live;

/// <summary>The annotations of the charts: when the shop started, and when faults were active.</summary>
internal sealed class ChartAnnotations(DateTimeOffset startedAt, string version)
{
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(LiveMetrics.History);

    private readonly Lock _lock = new();
    private readonly List<FaultSpan> _faults = [];

    /// <summary>When the shop started.</summary>
    public DateTimeOffset StartedAt { get; } = startedAt;

    /// <summary>The version that runs.</summary>
    public string Version { get; } = version;

    /// <summary>The faults of the last minutes, in the order in which they began.</summary>
    public FaultSpan[] Faults
    {
        get
        {
            lock (_lock) return [.. _faults];
        }
    }

    /// <summary>Notes that exactly these faults are active at a moment.</summary>
    public void Active(IReadOnlyList<string> faults, DateTimeOffset at)
    {
        lock (_lock)
        {
            _faults.RemoveAll(fault => at - fault.Until > Kept);
            for (int i = 0; i < _faults.Count; i++)
            {
                if (_faults[i].Until is null && !faults.Contains(_faults[i].Name))
                    _faults[i] = _faults[i] with { Until = at };
            }

            foreach (string name in faults)
            {
                if (!_faults.Exists(fault => fault.Name == name && fault.Until is null))
                    _faults.Add(new FaultSpan(name, at, null));
            }
        }
    }

    /// <summary>A fault and its time; it has no end while it is active.</summary>
    internal sealed record FaultSpan(string Name, DateTimeOffset From, DateTimeOffset? Until);
}
