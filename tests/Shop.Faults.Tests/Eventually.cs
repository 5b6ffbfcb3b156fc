using System.Diagnostics;

namespace Shop.Faults.Tests;

/// <summary>Waits for what must come about, on any machine.</summary>
internal static class Eventually
{
    /// <summary>How long at most.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task IsSoAsync(Func<Task<bool>> isSo)
    {
        for (long start = Stopwatch.GetTimestamp(); !await isSo();)
            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(Patience), "it did not come about");
    }
}
