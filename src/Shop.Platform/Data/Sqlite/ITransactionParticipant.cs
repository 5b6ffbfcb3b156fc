namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// State in memory that goes with the writes of a database: undone with them, and on disk with them. Called on the
/// writer's thread alone.
/// </summary>
public interface ITransactionParticipant
{
    /// <summary>The write that ran last stays, if the batch does.</summary>
    void ReleaseSavepoint();

    /// <summary>The write that ran last is undone.</summary>
    void RollBackToSavepoint();

    /// <summary>All that was kept is on disk; whoever asked for it hears of it next.</summary>
    void Commit();

    /// <summary>The batch failed: all that was kept since the last commit is undone.</summary>
    void RollBack();
}
