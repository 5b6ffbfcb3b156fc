namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// State in memory that takes part in the transactions of a database. Called only on the writer's thread.
/// </summary>
public interface ITransactionParticipant
{
    /// <summary>Keeps the changes of the last write, if the batch is committed.</summary>
    void ReleaseSavepoint();

    /// <summary>Undoes the changes of the last write.</summary>
    void RollBackToSavepoint();

    /// <summary>All kept changes are on disk; their callers are completed next.</summary>
    void Commit();

    /// <summary>Undoes all changes since the last commit, because the batch failed.</summary>
    void RollBack();
}
