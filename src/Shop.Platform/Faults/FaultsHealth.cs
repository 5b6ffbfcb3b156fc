using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Shop.Platform.Faults;

/// <summary>Reports which faults run. A fault by itself is not unhealthy, but what it breaks may be.</summary>
internal sealed class FaultsHealth(FaultCatalogue faults) : IHealthCheck
{
    private static readonly Task<HealthCheckResult> Well = Task.FromResult(
        HealthCheckResult.Healthy("No trouble on demand."));

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default)
    {
        FaultRun[] runs = [.. faults.Runs];
        return runs.Length == 0 ? Well
            : Task.FromResult(HealthCheckResult.Healthy(
                $"Trouble on demand: {string.Join("; ", runs.Select(run => run.ToString()))}."));
    }
}
