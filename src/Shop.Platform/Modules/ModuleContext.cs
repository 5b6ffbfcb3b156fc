using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Prometheus;
using Shop.Platform.Data;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Faults;
using Shop.Platform.Security;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Modules;

/// <summary>
/// The platform as a module sees it: settings, clock and log, and a registry and a database of its own.
/// </summary>
public sealed class ModuleContext(ModuleIdentity identity, ShopSettings settings, TimeProvider clock,
    ILoggerFactory logs)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>The module's names.</summary>
    public ModuleIdentity Identity { get; } = identity;

    /// <summary>The shop's settings.</summary>
    public ShopSettings Settings { get; } = settings;

    /// <summary>The clock. All times of the shop are UTC.</summary>
    public TimeProvider Clock { get; } = clock;

    /// <summary>The module's log.</summary>
    public ILogger Log { get; } = logs.CreateLogger($"Shop.{identity.Name}");

    /// <summary>The module's registry, which <c>/metrics</c> on its port shows and no other.</summary>
    public CollectorRegistry Registry { get; } = Prometheus.Metrics.NewCustomRegistry();

    /// <summary>The source of the module's spans.</summary>
    public ActivitySource Traces { get; } = new($"Shop.{identity.Name}");

    /// <summary>
    /// Whether the shop's data is in PostgreSQL: <see cref="Postgres"/>, and not <see cref="Database"/>.
    /// </summary>
    public bool UsesPostgres => Settings.Connections is not null;

    /// <summary>The module's database file, open between its start and its stop.</summary>
    public Database Database => field ??= new Database(Identity.Name, Settings, Log);

    /// <summary>The module's schema in PostgreSQL, open between its start and its stop.</summary>
    public PostgresDatabase Postgres => field ??= new PostgresDatabase(Identity.Name, Settings, Log, Clock);

    /// <summary>The database that the shop uses.</summary>
    internal IModuleDatabase OwnDatabase => UsesPostgres ? Postgres : Database;

    /// <summary>Whether the files of all modules agree.</summary>
    public DatabaseConsistency Consistency { get; init; } = new();

    /// <summary>The faults of the shop, of all modules together.</summary>
    public FaultCatalogue Faults { get; init; } = new(identity.Faults);

    /// <summary>Runs queries that may take long, so that they delay nothing else.</summary>
    public QueryScheduler Queries { get; } = new(identity.Name, settings.RequestTimeout);

    /// <summary>
    /// Runs a long query of a request, in turn with the queries of other clients. If the store waits, a thread of the
    /// scheduler waits with it.
    /// </summary>
    /// <exception cref="TooManyQueriesException">Too many queries are waiting.</exception>
    /// <exception cref="QueryTimeoutException">
    /// It was not done within <see cref="ShopSettings.RequestTimeout"/>.
    /// </exception>
    public Task<T> QueryAsync<T>(HttpContext http, Func<CancellationToken, ValueTask<T>> query) =>
        Queries.RunAsync(ClientAddress.Of(http), query, http.RequestAborted);

    /// <summary>Makes metrics of this module's registry, each with the label <c>service</c> filled in.</summary>
    public IMetricFactory Metrics => field ??= MakeMetrics();

    /// <summary>Now, in UTC, to the millisecond: as fine as the database keeps it.</summary>
    public DateTime Now() => Timestamp.FromMilliseconds(Clock.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>
    /// Does work of the module's start, and does it again if a write is refused: other modules write as well, so a
    /// short queue may be full for a moment.
    /// </summary>
    /// <param name="work">What may be done more than once.</param>
    /// <exception cref="WriteRefusedException">
    /// A write was still refused <see cref="ShopSettings.RequestTimeout"/> after the first refusal.
    /// </exception>
    public async Task RetryRefusedAsync(Func<Task> work)
    {
        long? refusedAt = null;
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (WriteRefusedException)
            {
                refusedAt ??= Clock.GetTimestamp();
                if (Clock.GetElapsedTime(refusedAt.Value) >= Settings.RequestTimeout) throw;
                await Task.Delay(RetryDelay, Clock);
            }
        }
    }

    /// <summary>
    /// Refreshes gauges of state before each scrape. State that hosts share is read at most once a second, and if it
    /// can't be read, the gauges stay as they were.
    /// </summary>
    /// <param name="refresh">Reads the state, and sets the gauges.</param>
    public void RefreshAtScrape(Func<CancellationToken, Task> refresh)
    {
        if (UsesPostgres)
            refresh = new SharedGaugeRefresh(refresh, () => Postgres.Writes.Commits, Clock, Log).RefreshAsync;
        Registry.AddBeforeCollectCallback(refresh);
    }

    private IMetricFactory MakeMetrics()
    {
        IMetricFactory metrics = Prometheus.Metrics.WithCustomRegistry(Registry)
            .WithLabels(new Dictionary<string, string>(StringComparer.Ordinal) { ["service"] = Identity.Service });
        metrics.ExemplarBehavior = TraceExemplars.None; // the metrics that have exemplars say so
        return metrics;
    }
}
