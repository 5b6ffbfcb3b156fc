namespace Shop.Platform.Tests;

/// <summary>A clock that goes on only when it is told to.</summary>
internal sealed class StoppedClock : TimeProvider
{
    private long _now;

    public void Pass(TimeSpan time) => _now += time.Ticks;

    public override long GetTimestamp() => _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
}
