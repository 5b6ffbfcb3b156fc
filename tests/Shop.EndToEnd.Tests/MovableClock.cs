namespace Shop.EndToEnd.Tests;

/// <summary>
/// The machine's clock, as far ahead as a test wants. Time goes on by itself, and timers are not concerned.
/// </summary>
internal sealed class MovableClock : TimeProvider
{
    private long _ahead;

    public void Move(TimeSpan time) => Interlocked.Add(ref _ahead, time.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _ahead));
}
