using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Shop.Platform.Data;

/// <summary>Really writes to a module's database, waits for the disk, and reads what was written.</summary>
internal sealed class DatabaseHealth(Database database) : IHealthCheck
{
    private Statement? _note;
    private long _probe;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (database.IsDamaged) return HealthCheckResult.Unhealthy("The database file is damaged: restore a copy.");
        long probe = Interlocked.Increment(ref _probe);
        try
        {
            await database.Writes.WriteAsync(() =>
            {
                _note ??= database.Writes.Prepare("INSERT INTO health_probe (id, probe) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET probe = ?1");
                return Outcome.Keep(_note.Set(1, probe).Run());
            });
            long read = database.Rows("SELECT probe FROM health_probe WHERE id = 1", static row => row.GetInt64(0)).Single();
            // A later probe may have overwritten this one.
            return read >= probe
                ? HealthCheckResult.Healthy("Written and read.")
                : HealthCheckResult.Unhealthy("What was written could not be read.");
        }
        catch (Exception exception) when (exception is SqliteException or StoreException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
