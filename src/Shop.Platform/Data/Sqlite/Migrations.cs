using System.Reflection;
using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Sqlite.Helpers;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>Brings a database's schema up to date from the SQL files embedded in its module.</summary>
internal static class Migrations
{
    public static void Apply(string module, SqliteConnection connection, Assembly assembly)
    {
        UpgradeEngine engine = DeployChanges.To.SqliteDatabase(new SharedConnection(connection))
            .WithScriptsEmbeddedInAssembly(assembly, IsOurs)
            .WithTransactionPerScript()
            .LogTo(new NoOpUpgradeLog())
            .Build();

        var known = engine.GetDiscoveredScripts().Select(script => script.Name).ToHashSet(StringComparer.Ordinal);
        string[] newer = [.. engine.GetExecutedScripts().Where(name => !known.Contains(name))];
        if (newer.Length > 0)
        {
            throw new ShopStartException(
                $"The database of {module} was written by a newer version of Shop "
                + $"(it has {string.Join(", ", newer)}); run that version, or start with another Shop:DataDirectory");
        }

        DatabaseUpgradeResult result = engine.PerformUpgrade();
        if (!result.Successful)
            throw new ShopStartException($"The database of {module} can't be migrated: {result.Error.Message}",
                result.Error);
    }

    // A module's assembly has those for PostgreSQL, too.
    private static bool IsOurs(string resource) => resource.EndsWith(".sql", StringComparison.OrdinalIgnoreCase)
        && !resource.Contains(".Postgres.", StringComparison.Ordinal);
}
