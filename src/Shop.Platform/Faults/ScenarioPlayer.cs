using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shop.Platform.Live;

namespace Shop.Platform.Faults;

/// <summary>
/// Plays a scenario, one at a time. A restart continues at the step that is due by then; faults of earlier steps
/// continue by themselves.
/// </summary>
internal sealed class ScenarioPlayer(
    FaultSwitch faults, DemoTraffic traffic, ShopSettings settings, TimeProvider clock, ILoggerFactory logs)
    : IHostedLifecycleService, IDisposable
{
    private readonly ILogger _log = logs.CreateLogger("Shop.faults");
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;

    /// <summary>All scenarios.</summary>
    public IReadOnlyList<Scenario> All { get; } = Scenario.Read(settings.ScenarioFile, faults.Faults);

    /// <summary>When the scenario was started; null if it is not being played.</summary>
    public DateTimeOffset? StartOf(Scenario scenario) => faults.Scenario is { } playing && playing.Name == scenario.Name
        ? new DateTimeOffset(Timestamp.FromMilliseconds(playing.StartedAt.Milliseconds)) : null;

    /// <summary>Plays a scenario from its beginning, in place of any other. The faults that run end.</summary>
    /// <param name="scenario">The scenario.</param>
    /// <param name="authorization">The <c>Authorization</c> header of the client, for traffic in its name.</param>
    public void Play(Scenario scenario, string? authorization)
    {
        lock (_lock)
        {
            _stop?.Cancel();
            faults.EndAll();
            if (faults.Scenario is not null) traffic.Stop(); // of the scenario before
            DateTimeOffset start = clock.GetUtcNow();
            faults.Scenario = new FaultStateFile.SavedScenario(scenario.Name, UtcTime.Of(start));
            _log.LogWarning("The scenario {Scenario} begins; it takes {Length}", scenario.Name, scenario.Length);
            Begin(scenario, start, isResumed: false, authorization);
        }
    }

    /// <summary>Ends the scenario, its faults and its traffic.</summary>
    public void End()
    {
        lock (_lock)
        {
            if (faults.Scenario is null) return;
            _stop?.Cancel();
            faults.Scenario = null;
            faults.EndAll();
            traffic.Stop();
            _log.LogWarning("The scenario is ended");
        }
    }

    /// <summary>Continues the scenario that was being played when the shop stopped.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            DateTimeOffset now = clock.GetUtcNow();
            Scenario? playing = All.FirstOrDefault(scenario => StartOf(scenario) is not null);
            // A clock that has been set back begins it again.
            if (playing is not null && StartOf(playing) > now)
                faults.Scenario = new FaultStateFile.SavedScenario(playing.Name, UtcTime.Of(now));
            if (playing is not null) Begin(playing, StartOf(playing)!.Value, isResumed: true, authorization: null);
            else if (faults.Scenario is not null) faults.Scenario = null; // the scenario no longer exists
        }

        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        lock (_lock) _stop?.Cancel();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stop?.Dispose();

    private void Begin(Scenario scenario, DateTimeOffset start, bool isResumed, string? authorization)
    {
        _stop = new CancellationTokenSource();
        CancellationToken stop = _stop.Token;
        _ = Task.Run(() => PlayAsync(scenario, start, isResumed, authorization, stop), CancellationToken.None);
    }

    private async Task PlayAsync(Scenario scenario, DateTimeOffset start, bool isResumed, string? authorization,
        CancellationToken stop)
    {
        DateTimeOffset resumedAt = isResumed ? clock.GetUtcNow() : start;
        foreach (ScenarioStep step in scenario.Steps)
        {
            DateTimeOffset at = start + TimeSpan.FromSeconds(step.At);
            await WaitUntilAsync(at, stop);
            lock (_lock)
            {
                if (stop.IsCancellationRequested) return;
                // Traffic does not outlive a restart; faults do.
                if (step.Traffic is { } rate) SetTraffic(rate, authorization, scenario.Length);
                else if (at >= resumedAt) StartFault(step, authorization);
            }
        }

        await WaitUntilAsync(start + scenario.Length, stop);
        lock (_lock)
        {
            if (stop.IsCancellationRequested) return;
            faults.Scenario = null;
            _log.LogWarning("The scenario {Scenario} has ended", scenario.Name);
        }
    }

    private Task WaitUntilAsync(DateTimeOffset at, CancellationToken stop)
    {
        TimeSpan left = at - clock.GetUtcNow();
        return left <= TimeSpan.Zero ? Task.CompletedTask : WaitAsync();

        async Task WaitAsync() =>
            await Task.Delay(left, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // It does not end by itself while the scenario is played.
    private void SetTraffic(int rate, string? authorization, TimeSpan scenario)
    {
        if (rate == 0) traffic.Stop();
        else traffic.Start(rate, authorization, duration: scenario + DemoTraffic.DefaultDuration);
    }

    private void StartFault(ScenarioStep step, string? authorization)
    {
        Fault fault = faults.Faults.Of(step.Name!);
        faults.Start(fault, step.Intensity ?? fault.Definition.Default, TimeSpan.FromSeconds(step.Seconds!.Value),
            authorization: authorization);
    }
}
