using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>Really writes to a module's schema, waits for the commit, and reads what was written.</summary>
internal sealed class PostgresHealth(PostgresDatabase database) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default)
    {
        try
        {
            return await database.ProbeAsync(cancellationToken)
                ? HealthCheckResult.Healthy("Written and read.")
                : HealthCheckResult.Unhealthy("What was written could not be read.");
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return HealthCheckResult.Unhealthy($"The database can't be used: {exception.Message}", exception);
        }
    }
}
