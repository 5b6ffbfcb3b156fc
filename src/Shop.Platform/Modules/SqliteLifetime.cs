using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Modules;

/// <summary>
/// Opens the databases of all modules, checks whether they belong together before anything is written, and marks them
/// regularly: see <see cref="ConsistencyMark"/>. As a hosted service it is registered before the modules, so it closes
/// the databases after them.
/// </summary>
internal sealed class SqliteLifetime(IEnumerable<IShopModule> modules, IServiceProvider services)
    : IHostedLifecycleService, IAsyncDisposable
{
    /// <summary>Time between two marks, if there is work. A file that is older than two periods is detected.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly DatabaseConsistency _consistency = services.GetRequiredService<DatabaseConsistency>();
    private readonly TimeProvider _clock = services.GetRequiredService<TimeProvider>();
    private readonly ILogger _log = services.GetRequiredService<ILoggerFactory>().CreateLogger("Shop.books");
    private readonly List<Database> _databases = [];
    private ConsistencyMark? _mark;
    private bool _isEverywhere;
    private long _commitsAtMark;
    private PeriodicTask? _marking;

    private long Commits => _databases.Sum(database => database.Writes.Commits);

    private long Now => _clock.GetUtcNow().ToUnixTimeMilliseconds();

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (IShopModule module in modules)
        {
            var context = services.GetRequiredKeyedService<ModuleContext>(module.Identity.Name);
            context.Database.Open(
                module.GetType().Assembly, context.Metrics, context.Registry, context.Faults.Commits);
            _ = new ConsistencyMetrics(context, _consistency);
            _databases.Add(context.Database);
        }

        if (ConsistencyMark.Difference([.. _databases.Select(database => database.Found)]) is { } difference)
        {
            _consistency.Report(difference, _log);
            return;
        }

        try
        {
            await OpenMarksAsync();
        }
        catch (StoreException exception)
        {
            string path = services.GetRequiredKeyedService<ModuleContext>(exception.Module).Database.Path;
            throw new ShopStartException($"The database file {path} can't be used: {exception.Message}", exception);
        }
    }

    /// <summary>Marks begin after the start, so that they do not delay the writes of starting modules.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_mark is not null) _marking = new PeriodicTask("Marking the database files", Period, MarkAsync, _clock,
            _log);
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await DisposeAsync();
        if (_mark is not null) await MarkLastAsync();

        for (int i = _databases.Count - 1; i >= 0; i--) _databases[i].Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (_marking is not null) await _marking.DisposeAsync();
    }

    private async Task OpenMarksAsync()
    {
        ConsistencyMark? newest = _databases.Select(database => database.Found.Mark).OfType<ConsistencyMark>()
            .MaxBy(mark => mark.Generation);
        if (newest is not null)
        {
            // Files that a crash left one step behind come first, so that files are never two steps apart.
            await Task.WhenAll(_databases.Where(database => database.Found.Mark?.Mark != newest.Mark)
                .Select(database => database.MarkAsync(newest)));
        }

        _consistency.Accepted = newest?.Accepted ?? 0;
        _mark = newest?.Next(isOpening: true, _consistency.Accepted, Now) ?? ConsistencyMark.First(Now);
        await SpreadAsync();
        // Before a module writes anything, and before a start can fail: so a later checkpoint by another program leaves
        // no opening mark in the file.
        await MarkAsync();
    }

    private async Task MarkAsync()
    {
        ConsistencyMark mark = _mark!;
        if (mark.IsOpening && _isEverywhere)
        {
            foreach (Database database in _databases) database.Checkpoint();
        }

        if (!_isEverywhere) await SpreadAsync(); // the last try failed for some of the files
        if (!mark.IsOpening && Commits == _commitsAtMark) return;
        _mark = mark.Next(isOpening: false, _consistency.Accepted, Now);
        await SpreadAsync();
    }

    private async Task MarkLastAsync()
    {
        try
        {
            await MarkAsync();
        }
        catch (StoreException exception)
        {
            _log.LogWarning(
                "The database files could not be marked when the shop stopped: {Error} "
                + "Their write-ahead logs stay, and the next start reads them.",
                exception.Message);
        }
    }

    private async Task SpreadAsync()
    {
        _isEverywhere = false;
        await Task.WhenAll(_databases.Select(database => database.MarkAsync(_mark!)));
        _isEverywhere = true;
        _commitsAtMark = Commits;
    }
}
