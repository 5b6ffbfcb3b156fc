namespace Shop.Platform.Data;

/// <summary>What one write decided: its answer, and whether its changes are kept.</summary>
public readonly record struct Outcome<T>(T Answer, bool IsKept);

/// <summary>Makes the two outcomes of a write.</summary>
public static class Outcome
{
    /// <summary>Keeps the changes. The caller has the answer once they are on disk.</summary>
    public static Outcome<T> Keep<T>(T answer) => new(answer, true);

    /// <summary>Undoes the changes, those of this write alone, and answers why.</summary>
    public static Outcome<T> Undo<T>(T answer) => new(answer, false);
}
