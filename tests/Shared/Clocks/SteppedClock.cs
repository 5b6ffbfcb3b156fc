namespace Shop.Testing;

/// <summary>A clock with timers, on which time passes only if a test says so.</summary>
internal sealed class SteppedClock : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    private readonly Lock _lock = new();
    private readonly List<SteppedTimer> _timers = [];
    private TimeSpan _passed;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (_lock) return _passed.Ticks;
    }

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SteppedTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Waits until so many timers at least will be due when this time has passed, and not before.</summary>
    public async Task UntilWaitingAsync(TimeSpan time, int timers = 1)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (Count(time) < timers) await Task.Delay(1, patience.Token);
    }

    /// <summary>Lets time pass: what is due by its end happens, once.</summary>
    public void Pass(TimeSpan time)
    {
        SteppedTimer[] due;
        lock (_lock)
        {
            _passed += time;
            due = [.. _timers.Where(timer => timer.Due <= _passed)];
            foreach (SteppedTimer timer in due)
            {
                if (timer.Period > TimeSpan.Zero) timer.Due = _passed + timer.Period;
                else _timers.Remove(timer);
            }
        }

        foreach (SteppedTimer timer in due) timer.Call();
    }

    private int Count(TimeSpan time)
    {
        lock (_lock) return _timers.Count(timer => timer.Due == _passed + time);
    }

    private sealed class SteppedTimer(SteppedClock clock, Action call) : ITimer
    {
        public TimeSpan Due { get; set; }

        public TimeSpan Period { get; private set; }

        public void Call() => call();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                clock._timers.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan) return true;
                (Due, Period) = (clock._passed + dueTime, period);
                clock._timers.Add(this);
            }

            return true;
        }

        public void Dispose()
        {
            lock (clock._lock) clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
