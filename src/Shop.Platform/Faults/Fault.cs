namespace Shop.Platform.Faults;

/// <summary>
/// A fault of this shop: off, or running. The code that it affects reads <see cref="Run"/>, which is a field.
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
    /// What it does by itself while it runs; null if other code reads <see cref="Run"/>. The token is cancelled when
    /// the run ends, and when the shop stops: <see cref="FaultRun.IsOver"/> tells the two apart. It undoes its effect
    /// before it returns.
    /// </summary>
    public Func<FaultRun, CancellationToken, Task>? Effect { get; set; }

    /// <summary>Whether it strikes this time: its intensity is the probability.</summary>
    public bool Strikes() => _run is { } run && Random.Shared.NextDouble() < (double)run.Intensity;
}
