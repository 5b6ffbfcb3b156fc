using System.Diagnostics;

namespace Shop.Platform.Telemetry;

/// <summary>
/// The spans of a database: a write, from the queue to the disk, and the group commit that carries it. A commit belongs
/// to the trace of its first write, and is linked with all of its writes in both directions, so each order leads to its
/// commit.
/// </summary>
internal static class WriteSpans
{
    /// <summary>Whether a write that is made now belongs to a trace.</summary>
    public static bool IsTraced => Activity.Current?.IsAllDataRequested == true;

    /// <summary>Begins the span of a write, in the current trace.</summary>
    public static Activity? StartWrite(string database, string system, string operation)
    {
        const string Suffix = "Async";
        if (operation.EndsWith(Suffix, StringComparison.Ordinal)) operation = operation[..^Suffix.Length];
        Activity? span = Activity.Current!.Source.StartActivity($"{operation} {database}", ActivityKind.Client);
        return Describe(span, database, system, operation);
    }

    /// <summary>Begins the span of a group commit.</summary>
    /// <param name="database">Name of the database.</param>
    /// <param name="system">Its engine, as the semantic conventions name it.</param>
    /// <param name="batch">The spans of the writes; null for those that are in no trace.</param>
    /// <returns>Null if none of the writes is in a trace.</returns>
    public static Activity? StartCommit(string database, string system, IReadOnlyList<Activity?> batch)
    {
        Activity? first = null;
        for (int i = 0; i < batch.Count && first is null; i++) first = batch[i];
        if (first is null) return null;
        IEnumerable<ActivityLink> carried = batch.OfType<Activity>().Select(write => new ActivityLink(write.Context));
        Activity? commit = first.Source.StartActivity(
            $"COMMIT {database}", ActivityKind.Client, first.Context, links: carried);
        if (Describe(commit, database, system, "COMMIT") is null) return null;
        commit!.SetTag("db.operation.batch.size", batch.Count);
        foreach (Activity? write in batch) write?.AddLink(new ActivityLink(commit.Context));
        return commit;
    }

    private static Activity? Describe(Activity? span, string database, string system, string operation) => span?
        .SetTag("db.system.name", system).SetTag("db.namespace", database).SetTag("db.operation.name", operation);
}
