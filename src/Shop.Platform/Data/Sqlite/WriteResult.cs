namespace Shop.Platform.Data.Sqlite;

/// <summary>What one write decided: its answer, and whether its changes are kept.</summary>
public readonly record struct WriteResult<T>(T Answer, bool IsCommitted);

/// <summary>Makes the two outcomes of a write.</summary>
public static class WriteResult
{
    /// <summary>Keeps the changes. The caller has the answer once they are on disk.</summary>
    public static WriteResult<T> Commit<T>(T answer) => new(answer, true);

    /// <summary>Undoes the changes, those of this write alone, and answers why.</summary>
    public static WriteResult<T> Rollback<T>(T answer) => new(answer, false);
}
