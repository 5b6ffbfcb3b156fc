using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Shop.Platform.Data;

/// <summary>Says whether the database files agree.</summary>
internal sealed class ConsistencyHealth(DatabaseConsistency consistency) : IHealthCheck
{
    private static readonly Task<HealthCheckResult> Well = Task.FromResult(
        HealthCheckResult.Healthy("The database files agree."));

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default) =>
        consistency.Difference is { } difference
            ? Task.FromResult(HealthCheckResult.Unhealthy($"The database files disagree: {difference}."))
            : Well;
}
