namespace Shop.Platform.Faults;

/// <summary>
/// A fault of this shop: off, or running. The places where it strikes read <see cref="Run"/>; that costs them a look at
/// a field.
/// </summary>
public sealed class Fault(FaultDefinition definition)
{
    private volatile FaultRun? _run;

    /// <summary>What it is.</summary>
    public FaultDefinition Definition { get; } = definition;

    /// <summary>Its run; null while it is off.</summary>
    public FaultRun? Run
    {
        get => _run;
        internal set => _run = value;
    }

    /// <summary>
    /// What it does by itself while it runs; null if others look at <see cref="Run"/>. The token is cancelled when it
    /// ends, and when the shop stops: <see cref="FaultRun.IsOver"/> says which. It undoes what it did before it
    /// returns.
    /// </summary>
    public Func<FaultRun, CancellationToken, Task>? Effect { get; set; }

    /// <summary>Whether it strikes this time: its intensity is the share of times.</summary>
    public bool Strikes() => _run is { } run && Random.Shared.NextDouble() < (double)run.Intensity;
}
