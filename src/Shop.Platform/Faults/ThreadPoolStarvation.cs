namespace Shop.Platform.Faults;

/// <summary>
/// The fault <c>starved_threads</c>: work items that block threads of the pool, like code that waits for a task instead
/// of awaiting it. The pool, which would grow, may not grow meanwhile. Each work item is queued again after a moment,
/// so requests and health checks run, but late.
/// </summary>
internal static class ThreadPoolStarvation
{
    private static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(20);

    public static async Task RunAsync(FaultRun run, CancellationToken end)
    {
        ThreadPool.GetMaxThreads(out int threads, out int ports);
        ThreadPool.GetMinThreads(out int least, out _);
        ThreadPool.SetMaxThreads(Math.Max(least, Environment.ProcessorCount), ports);
        try
        {
            var waiting = new Waiting(end);
            for (int i = 0; i < run.Intensity; i++) ThreadPool.UnsafeQueueUserWorkItem(waiting, preferLocal: false);
            await Task.Delay(Timeout.InfiniteTimeSpan, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            ThreadPool.SetMaxThreads(threads, ports);
        }
    }

    private sealed class Waiting(CancellationToken end) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            if (end.IsCancellationRequested) return;
            Thread.Sleep(Wait);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }
}
