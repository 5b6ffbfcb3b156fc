using System.Diagnostics;
using NUnit.Framework.Constraints;

namespace Shop.Testing;

/// <summary>Waits for what must come about, on any machine.</summary>
internal static class Eventually
{
    /// <summary>How long at most.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    public static Task IsSoAsync(Func<bool> isSo) => IsSoAsync(() => Task.FromResult(isSo()));

    public static Task IsSoAsync(Func<Task<bool>> isSo) => IsAsync(isSo, true);

    public static Task IsAsync<T>(Func<Task<T>> read, T expected) => IsAsync(read, Is.EqualTo(expected));

    public static async Task IsAsync<T>(
        Func<Task<T>> read, IResolveConstraint expected, Func<string>? message = null,
        TimeSpan? patience = null)
    {
        IConstraint constraint = expected.Resolve();
        for (long start = Stopwatch.GetTimestamp(); ; await Task.Delay(Period))
        {
            T found = await read();
            if (constraint.ApplyTo(found).IsSuccess) return;
            if (Stopwatch.GetElapsedTime(start) > (patience ?? Patience))
                Assert.That(found, expected, message?.Invoke() ?? "");
        }
    }
}
