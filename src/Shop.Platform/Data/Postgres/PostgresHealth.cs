using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>Really writes to a module's schema, waits for the commit, and reads what was written.</summary>
/// <remarks>
/// Health is open to everybody, and errors name the server, the role and the database: they are for the log.
/// </remarks>
internal sealed class PostgresHealth(PostgresDatabase database, ILogger log) : IHealthCheck
{
    private string? _logged;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default)
    {
        try
        {
            bool isRead = await database.ProbeAsync(cancellationToken);
            // The little that the probe writes may fit although nothing else does.
            if (database.Writes.StorageFailure is { } failure) return Unusable(failure);
            _logged = null;
            return isRead
                ? HealthCheckResult.Healthy("Written and read.")
                : HealthCheckResult.Unhealthy("What was written could not be read.");
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return Unusable(exception);
        }
    }

    private HealthCheckResult Unusable(Exception exception)
    {
        // Once, not for each probe.
        if (Interlocked.Exchange(ref _logged, exception.Message) != exception.Message)
            log.LogWarning("The database can't be used: {Error}", exception.Message.ReplaceLineEndings(" "));
        string? state = (exception as PostgresException)?.SqlState;
        string what = state == PostgresErrorCodes.DiskFull ? "has no room left" : "can't be used";
        return HealthCheckResult.Unhealthy(
            $"The database {what}{(state is null ? "" : $" ({state})")}; the log says why.", exception);
    }
}
