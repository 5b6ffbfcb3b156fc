using System.Diagnostics;

namespace Shop.Platform.Faults;

/// <summary>
/// The fault <c>memory_leak</c>: objects that are never released. It stops growing while the shop still has memory to
/// work with, and frees everything at its end.
/// </summary>
internal static class MemoryLeak
{
    /// <summary>The most memory that it takes, in MB.</summary>
    public const int MaxMegabytes = 1024;

    private const int Block = 100_000; // bytes, a tenth of a megabyte

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    public static async Task RunAsync(FaultRun run, CancellationToken end)
    {
        // The limit of a container is in it.
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        int most = (int)(Math.Min(MaxMegabytes * 1_000_000L, available / 5 * 2) / Block);
        var leaked = new List<byte[]>();
        double due = 0;
        long before = Stopwatch.GetTimestamp();
        while (!end.IsCancellationRequested)
        {
            long now = Stopwatch.GetTimestamp();
            due += (double)run.Intensity * 10 * Stopwatch.GetElapsedTime(before, now).TotalSeconds;
            before = now;
            for (; due >= 1 && leaked.Count < most; due--)
            {
                byte[] block = new byte[Block];
                block.AsSpan().Fill(1); // memory is committed when it is written to
                leaked.Add(block);
            }

            await Task.Delay(Tick, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        leaked.Clear();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}
