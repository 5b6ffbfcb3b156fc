using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// Really writes to a module's database, waits for the disk, and reads what was written: a number that is different
/// each time. One object for all requests, since its statement lives as long as the database. While the files of the
/// shop disagree nothing is written, see <see cref="DatabaseConsistency"/>.
/// </summary>
internal sealed class DatabaseHealth(Database database, DatabaseConsistency consistency) : IHealthCheck
{
    private const string CountOn = """
        INSERT INTO health_probe (id, probe) VALUES (1, 1)
        ON CONFLICT (id) DO UPDATE SET probe = probe + 1 RETURNING probe
        """;

    private Statement? _countOn;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default)
    {
        if (database.IsDamaged) return HealthCheckResult.Unhealthy("The database file is damaged: restore a copy.");
        try
        {
            if (!consistency.Holds)
            {
                _ = database.Rows("SELECT count(*) FROM health_probe", static row => row.GetInt64(0)).Single();
                return HealthCheckResult.Healthy("Read.");
            }

            long written = await database.Writes.WriteAsync(() =>
                WriteResult.Commit((_countOn ??= database.Writes.Prepare(CountOn)).First(static row => row.Number(0))));
            long read = database.Rows("SELECT probe FROM health_probe WHERE id = 1", static row => row.GetInt64(0))
                .Single();
            // A later probe may have increased it since.
            return read >= written
                ? HealthCheckResult.Healthy("Written and read.")
                : HealthCheckResult.Unhealthy("What was written could not be read.");
        }
        catch (Exception exception) when (exception is SqliteException or StoreException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
