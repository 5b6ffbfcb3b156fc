using System.Diagnostics;

namespace Shop.Platform.Telemetry;

/// <summary>
/// The spans of a database: a write, from the queue to the disk, and the group commit that carries it. A commit belongs
/// to the trace of its first write, and is linked with all of its writes in both directions, so each order leads to its
/// commit.
/// </summary>
internal static class WriteSpans
{
    /// <summary>Makes a write in a span of its own, in the current trace.</summary>
    /// <param name="database">Name of the database.</param>
    /// <param name="system">Its engine, as the semantic conventions name it.</param>
    /// <param name="operation">The method that writes.</param>
    /// <param name="queue">Queues the write with this span.</param>
    public static async ValueTask<T> TraceAsync<T>(
        string database, string system, string operation, Func<Activity?, ValueTask<T>> queue)
    {
        using Activity? span = StartWrite(database, system, operation);
        try
        {
            return await queue(span);
        }
        catch (Exception exception)
        {
            Spans.Fail(span, exception);
            throw;
        }
    }

    private static Activity? StartWrite(string database, string system, string operation)
    {
        const string Suffix = "Async";
        if (operation.EndsWith(Suffix, StringComparison.Ordinal)) operation = operation[..^Suffix.Length];
        Activity? span = Activity.Current!.Source.StartActivity($"{operation} {database}", ActivityKind.Client);
        return Describe(span, database, system, operation);
    }

    /// <summary>Begins the span of a group commit.</summary>
    /// <param name="database">Name of the database.</param>
    /// <param name="system">Its engine, as the semantic conventions name it.</param>
    /// <param name="batch">The writes.</param>
    /// <param name="spanOf">The span of a write; null if it is in no trace.</param>
    /// <returns>Null if none of the writes is in a trace.</returns>
    public static Activity? StartCommit<TWrite>(
        string database, string system, IReadOnlyList<TWrite> batch, Func<TWrite, Activity?> spanOf)
    {
        Activity? first = null;
        for (int i = 0; i < batch.Count && first is null; i++) first = spanOf(batch[i]);
        if (first is null) return null;
        Activity[] spans = [.. batch.Select(spanOf).OfType<Activity>()];
        IEnumerable<ActivityLink> carried = spans.Select(static span => new ActivityLink(span.Context));
        Activity? commit = first.Source.StartActivity(
            $"COMMIT {database}", ActivityKind.Client, first.Context, links: carried);
        if (Describe(commit, database, system, "COMMIT") is null) return null;
        commit!.SetTag("db.operation.batch.size", batch.Count);
        foreach (Activity span in spans) span.AddLink(new ActivityLink(commit.Context));
        return commit;
    }

    private static Activity? Describe(Activity? span, string database, string system, string operation) => span?
        .SetTag("db.system.name", system).SetTag("db.namespace", database).SetTag("db.operation.name", operation);
}
