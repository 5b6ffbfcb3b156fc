namespace Shop.Testing;

/// <summary>A clock that goes on only when it is told to, with its timers.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    /// <summary>What it shows before any time has passed.</summary>
    public DateTimeOffset Start { get; init; } = DateTimeOffset.MinValue;

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(Interlocked.Read(ref _now));

    /// <summary>Waits until so many timers will be due when this time has passed, and not before.</summary>
    public async Task UntilWaitingAsync(TimeSpan time, int timers = 1)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (Waiting(time) < timers) await Task.Delay(1, patience.Token);
    }

    /// <summary>Lets time pass as soon as something waits for it.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        while (true)
        {
            lock (_lock)
            {
                if (_timers.Count > 0) break;
            }

            await Task.Yield();
        }

        ManualTimer[] due;
        lock (_lock)
        {
            _now += time.Ticks;
            due = [.. _timers.Where(timer => timer.Due <= _now)];
            foreach (ManualTimer timer in due) _timers.Remove(timer);
        }

        foreach (ManualTimer timer in due) timer.Fire();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private int Waiting(TimeSpan time)
    {
        lock (_lock) return _timers.Count(timer => timer.Due == _now + time.Ticks);
    }

    private sealed class ManualTimer(ManualClock clock, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;

        public long Due { get; private set; }

        public void Fire()
        {
            if (_period > TimeSpan.Zero) Change(_period, _period);
            callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                clock._timers.Remove(this);
                _period = period;
                if (dueTime < TimeSpan.Zero) return true;
                Due = clock._now + dueTime.Ticks;
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
