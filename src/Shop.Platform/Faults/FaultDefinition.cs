namespace Shop.Platform.Faults;

/// <summary>A kind of fault that the shop can simulate.</summary>
/// <param name="Name">Its name in the API, in snake_case.</param>
/// <param name="Description">What it does, in a line.</param>
/// <param name="Unit">What its intensity counts: <c>seconds</c>, <c>share</c>, …</param>
/// <param name="Min">The lowest intensity.</param>
/// <param name="Max">The highest intensity.</param>
/// <param name="Default">The default intensity.</param>
public sealed record FaultDefinition(
    string Name, string Description, string Unit, decimal Min, decimal Max, decimal Default)
{
    /// <summary>The unit of faults without an intensity.</summary>
    public const string NoUnit = "none";

    /// <summary>Whether its intensities are whole numbers: there is no half thread.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Its intensities, for an error message.</summary>
    public string Range =>
        FormattableString.Invariant($"{(IsWhole ? "a whole number " : "")}from {Min} to {Max}");

    /// <summary>Whether it continues after a restart, until its end.</summary>
    public bool OutlivesRestart { get; init; } = true;

    /// <summary>Whether its effect is in a database, from which a start removes it if it does not go on.</summary>
    public bool LastsUntilUndone { get; init; }

    /// <summary>Whether it needs PostgreSQL: a shop on files can't have it.</summary>
    public bool NeedsPostgres { get; init; }

    /// <summary>Whether it can be limited to one route.</summary>
    public bool HasRoute { get; init; }

    /// <summary>Whether an intensity is within its bounds.</summary>
    public bool Allows(decimal intensity) =>
        intensity >= Min && intensity <= Max && (!IsWhole || decimal.IsInteger(intensity));
}
