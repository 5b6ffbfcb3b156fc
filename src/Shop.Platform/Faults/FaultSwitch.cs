using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Shop.Platform.Faults;

/// <summary>
/// Starts faults and ends them: by request, by itself when their time is over, and all of them when the shop stops.
/// Faults that have not ended by then continue at the next start, once its ports are open. So no fault prevents the
/// shop from starting, or from closing its databases.
/// </summary>
internal sealed class FaultSwitch(
    FaultCatalogue faults, FaultTraffic traffic, ShopSettings settings, TimeProvider clock, ILoggerFactory logs)
    : IHostedLifecycleService
{
    private readonly ILogger _log = logs.CreateLogger("Shop.faults");
    private readonly FaultStateFile _file = new(settings.DataDirectory, logs.CreateLogger("Shop.faults"));
    private readonly Lock _lock = new();

    // The last run of each fault, until its effect is undone.
    private readonly Dictionary<Fault, Task> _work = [];

    // The runs to save, including those that have ended and are being undone.
    private readonly List<FaultRun> _kept = [];
    private FaultStateFile.SavedScenario? _scenario;
    private bool _isStopping;

    /// <summary>The faults.</summary>
    public FaultCatalogue Faults { get; } = faults;

    /// <summary>The scenario that is being played, also after a restart; null if there is none.</summary>
    public FaultStateFile.SavedScenario? Scenario
    {
        get
        {
            lock (_lock) return _scenario;
        }

        set
        {
            lock (_lock)
            {
                _scenario = value;
                Keep();
            }
        }
    }

    /// <summary>Starts a fault. A run that it has ends.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="intensity">How much, in its unit.</param>
    /// <param name="duration">How long.</param>
    /// <param name="route">The only route that it affects; null for all.</param>
    /// <param name="authorization">The <c>Authorization</c> of the client that starts it.</param>
    /// <returns>The run.</returns>
    public FaultRun Start(
        Fault fault, decimal intensity, TimeSpan duration, string? route = null, string? authorization = null)
    {
        var run = new FaultRun(fault, Guid.NewGuid().ToString("N"), intensity, clock.GetUtcNow() + duration)
        {
            Route = route,
            Authorization = authorization,
        };
        lock (_lock)
        {
            if (_isStopping) return run;
            if (fault.Run is { } before) End(before);
            if (fault.Definition.OutlivesRestart) _kept.Add(run);
            Keep();
            Begin(run);
        }

        return run;
    }

    /// <summary>Ends a fault, if it runs.</summary>
    public void End(Fault fault)
    {
        lock (_lock)
        {
            if (fault.Run is { } run) End(run);
        }
    }

    /// <summary>Ends all faults.</summary>
    public void EndAll()
    {
        foreach (Fault fault in Faults.All) End(fault);
    }

    /// <summary>Continues the saved runs, and undoes those that have ended meanwhile.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        FaultStateFile.State state = _file.Read();
        lock (_lock)
        {
            DateTimeOffset latest = clock.GetUtcNow() + FaultRoutes.MaxDuration;
            _scenario = Faults.IsOn ? state.Scenario : null;
            foreach (FaultStateFile.SavedRun kept in state.Runs)
            {
                if (Faults.Find(kept.Fault) is not { } fault) continue;
                var endsAt = new DateTimeOffset(Timestamp.FromMilliseconds(kept.EndsAt.Milliseconds));
                if (endsAt > latest) endsAt = latest; // the clock has been set back
                var run = new FaultRun(fault, kept.Id, kept.Intensity, endsAt) { Route = kept.Route };
                _kept.Add(run);
                if (Faults.IsOn && endsAt > clock.GetUtcNow()) Begin(run);
                else Undo(run);
            }

            // The list of runs may be lost, or unreadable.
            foreach (Fault fault in Faults.All.Where(each => each.Definition.LastsUntilUndone))
            {
                if (_work.ContainsKey(fault)) continue;
                Undo(new FaultRun(fault, Guid.NewGuid().ToString("N"), fault.Definition.Default, clock.GetUtcNow()));
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Stops all faults before the databases are closed. They are not over.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Task[] work;
        lock (_lock)
        {
            _isStopping = true;
            foreach (FaultRun run in Faults.Runs.ToArray())
            {
                Faults.Set(run.Fault, null);
                run.Suspend();
            }

            work = [.. _work.Values];
        }

        await Task.WhenAll(work).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        Faults.Of(FaultCatalogue.FlashCrowd.Name).Effect = traffic.CrowdAsync;
        Faults.Of(FaultCatalogue.HostileClient.Name).Effect = traffic.HostileAsync;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Begin(FaultRun run)
    {
        _log.LogWarning("Trouble on demand begins: {Run}", run);
        Faults.Set(run.Fault, run);
        Work(run);
    }

    private void End(FaultRun run)
    {
        Faults.Set(run.Fault, null);
        run.End(clock.GetUtcNow());
        _log.LogWarning("Trouble on demand has ended: {Fault}", run.Fault.Definition.Name);
        Keep();
    }

    private void Undo(FaultRun run)
    {
        run.End(run.EndsAt);
        Work(run);
    }

    private void Work(FaultRun run)
    {
        Task before = _work.GetValueOrDefault(run.Fault, Task.CompletedTask);
        _work[run.Fault] = Task.Run(() => RunAsync(run, before));
    }

    private async Task RunAsync(FaultRun run, Task before)
    {
        using var stop = new CancellationTokenSource();
        if (run.IsOver) await stop.CancelAsync();
        Task<bool> effect = ApplyAsync(run, before, stop.Token);
        TimeSpan left = run.EndsAt - clock.GetUtcNow();
        if (left > TimeSpan.Zero)
            await run.Stopped.WaitAsync(left, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (!run.Stopped.IsCompleted) End(run);
        }

        await stop.CancelAsync();
        bool isUndone = await effect;
        if (!run.IsOver || !isUndone) return; // the next start continues it, or tries again to undo it
        lock (_lock)
        {
            if (_kept.Remove(run)) Keep();
        }
    }

    /// <returns>Whether its effect is undone.</returns>
    private async Task<bool> ApplyAsync(FaultRun run, Task before, CancellationToken stop)
    {
        await before; // the effect of the run before is undone
        if (run.Fault.Effect is not { } effect) return true;
        try
        {
            await effect(run, stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return true; // there was nothing to undo
        }
        catch (Exception exception)
        {
            _log.LogError(exception, "The fault {Fault} could not be made or undone", run.Fault.Definition.Name);
            return false;
        }
    }

    // A run that is over stays so, whatever the clock says at the next start.
    private void Keep() => _file.Write(new FaultStateFile.State([.. _kept.Select(run => new FaultStateFile.SavedRun(
        run.Id, run.Fault.Definition.Name, run.Intensity, run.IsOver ? default : UtcTime.Of(run.EndsAt),
        run.Route))], _scenario));
}
