namespace Shop.Platform.Data.Postgres;

/// <summary>
/// How writes of one kind become SQL, a whole batch at a time. Nothing here may change anything but the transaction
/// and the outcomes of the writes: a batch may run several times until it is committed once.
/// </summary>
/// <typeparam name="TWrite">The writes.</typeparam>
/// <typeparam name="TAnswer">Type of their callers' results.</typeparam>
public abstract class PostgresWriteKind<TWrite, TAnswer>
    where TWrite : PostgresWrite<TAnswer>
{
    /// <summary>Batches of this kind that may run at once on this host.</summary>
    public virtual int Concurrency => 1;

    /// <summary>
    /// The usual case, one round trip: adds statements that make all of these writes or none, and calls <see
    /// cref="PostgresWrite{TAnswer}.Commit"/> on each with its answer. If the writes may be impossible, <see
    /// cref="PostgresTransaction.AddCheck"/> checks it. If the check fails, nothing else may have been changed, and
    /// <see cref="DecideAsync"/> follows, as it does after a unique violation.
    /// </summary>
    /// <returns>False if writes of this kind are always decided one by one.</returns>
    public virtual bool TryAddAll(PostgresTransaction transaction, IReadOnlyList<TWrite> writes) => false;

    /// <summary>
    /// Decides write by write, in their order: takes the locks, reads what it needs, then commits, refuses or fails
    /// each write and adds the statements for those that are committed. They are sent with the commit. If another
    /// transaction has used a unique key in between, all of it runs again, and reads what that has written. Not needed
    /// if such writes always succeed.
    /// </summary>
#pragma warning disable CA1716 // a keyword of Visual Basic
    public virtual Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<TWrite> writes, CancellationToken end) =>
#pragma warning restore CA1716
        throw new InvalidOperationException($"A {typeof(TWrite).Name} always succeeds, so it is never decided.");
}
