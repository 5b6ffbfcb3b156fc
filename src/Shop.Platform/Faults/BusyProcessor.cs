using System.Diagnostics;

namespace Shop.Platform.Faults;

/// <summary>
/// The fault <c>busy_processor</c>: threads that spin. The system shares the processors fairly, so the shop still
/// answers, but more slowly.
/// </summary>
internal static class BusyProcessor
{
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(50);

    public static Task RunAsync(FaultRun run, CancellationToken end) =>
        Task.WhenAll(Enumerable.Range(0, (int)decimal.Ceiling(run.Intensity)).Select(thread =>
            Task.Factory.StartNew(() => Spin((double)Math.Min(1, run.Intensity - thread), end),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    // Part of a processor means part of the time.
    private static void Spin(double share, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(start) < Slice * share) Thread.SpinWait(1000);
            if (share < 1) Thread.Sleep(Slice * (1 - share));
        }
    }
}
