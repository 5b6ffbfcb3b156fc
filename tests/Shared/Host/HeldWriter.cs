using Shop.Platform.Data.Sqlite;

namespace Shop.Testing;

/// <summary>A writer that is in the middle of a write.</summary>
internal static class HeldWriter
{
    /// <summary>
    /// Holds the writer inside a write until the returned handle is released, so that what follows waits in one batch.
    /// </summary>
    public static async Task<(ManualResetEventSlim Release, Task Held)> HoldAsync(this GroupCommitWriter writes)
    {
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new ManualResetEventSlim();
        Task held = writes.WriteAsync(() =>
        {
            entered.SetResult();
            release.Wait();
            return WriteResult.Commit(0);
        });
        await await Task.WhenAny(entered.Task, held); // a write that is refused does not begin
        return (release, held);
    }
}
