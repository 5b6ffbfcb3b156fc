namespace Shop.Testing;

/// <summary>
/// The machine's clock, as far ahead as a test wants. Its timers go by it, too, and time goes on by itself.
/// </summary>
internal sealed class AheadClock : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly HashSet<AheadTimer> _timers = [];
    private long _ahead;

    public override long GetTimestamp() => base.GetTimestamp() + ToTimestamp(Ahead);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

    private TimeSpan Ahead => new(Interlocked.Read(ref _ahead));

    /// <summary>Lets time pass.</summary>
    public void Move(TimeSpan time)
    {
        Interlocked.Add(ref _ahead, time.Ticks);
        AheadTimer[] timers;
        lock (_lock) timers = [.. _timers];
        foreach (AheadTimer timer in timers) timer.Arm();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new AheadTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private static long ToTimestamp(TimeSpan time) =>
        time.Ticks / TimeSpan.TicksPerMillisecond * System.TimestampFrequency / 1000;

    // A timer of the machine, set anew each time that the clock is moved.
    private sealed class AheadTimer : ITimer
    {
        private readonly AheadClock _clock;
        private readonly ITimer _timer;
        private readonly Lock _own = new();
        private TimeSpan _period = Timeout.InfiniteTimeSpan;
        private DateTimeOffset? _due;

        public AheadTimer(AheadClock clock, TimerCallback callback, object? state)
        {
            _clock = clock;
            _timer = System.CreateTimer(_ =>
            {
                lock (_own) _due = _period > TimeSpan.Zero ? _clock.GetUtcNow() + _period : null;
                Arm();
                callback(state);
            }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (_own)
            {
                _period = period;
                _due = dueTime < TimeSpan.Zero ? null : _clock.GetUtcNow() + dueTime;
            }

            lock (_clock._lock) _clock._timers.Add(this);
            Arm();
            return true;
        }

        public void Arm()
        {
            lock (_own)
            {
                TimeSpan left = _due is { } due ? due - _clock.GetUtcNow() : Timeout.InfiniteTimeSpan;
                if (_due is not null && left < TimeSpan.Zero) left = TimeSpan.Zero;
                _timer.Change(left, Timeout.InfiniteTimeSpan);
            }
        }

        public void Dispose()
        {
            lock (_clock._lock) _clock._timers.Remove(this);
            _timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
