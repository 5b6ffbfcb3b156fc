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
            _logged = null;
            return isRead
                ? HealthCheckResult.Healthy("Written and read.")
                : HealthCheckResult.Unhealthy("What was written could not be read.");
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Once, not for each probe.
            if (Interlocked.Exchange(ref _logged, exception.Message) != exception.Message)
                log.LogWarning("The database can't be used: {Error}", exception.Message.ReplaceLineEndings(" "));
            string code = exception is PostgresException { SqlState: var state } ? $" ({state})" : "";
            return HealthCheckResult.Unhealthy($"The database can't be used{code}; the log says why.", exception);
        }
    }
}
