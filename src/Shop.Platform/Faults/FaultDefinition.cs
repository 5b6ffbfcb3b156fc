namespace Shop.Platform.Faults;

/// <summary>A kind of trouble that the shop can make on demand.</summary>
/// <param name="Name">Its name in the API, in snake_case.</param>
/// <param name="Description">What it does, in a line.</param>
/// <param name="Unit">What its intensity counts: <c>seconds</c>, <c>share</c>, …</param>
/// <param name="Min">The least intensity.</param>
/// <param name="Max">The greatest intensity.</param>
/// <param name="Default">The intensity unless another is asked for.</param>
public sealed record FaultDefinition(
    string Name, string Description, string Unit, decimal Min, decimal Max, decimal Default)
{
    /// <summary>Unit of faults that are there or not.</summary>
    public const string NoUnit = "none";

    /// <summary>Whether it goes on after a restart, until its end.</summary>
    public bool OutlivesRestart { get; init; } = true;

    /// <summary>Whether it is trouble of PostgreSQL, which a shop on files does not have.</summary>
    public bool NeedsPostgres { get; init; }

    /// <summary>Whether it may be of one route alone.</summary>
    public bool HasRoute { get; init; }
}
