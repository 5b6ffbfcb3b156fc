using System.Reflection;
using System.Runtime.CompilerServices;
using Prometheus;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Modules;

/// <summary>
/// Compiles the code that the modules will need first, on another processor while the host is built: metrics and a
/// database. What it creates, it creates in memory and gives up. A native program is compiled already, and has nothing
/// to warm up.
/// </summary>
public static class Warmup
{
    private static Task? _work;

    /// <summary>Ends when the work has ended, and fails as it did.</summary>
    internal static Task Ended => _work ?? Task.CompletedTask;

    /// <summary>Begins the work, once in a process.</summary>
    /// <param name="migrations">The assembly of a module that has migrations.</param>
    public static void Begin(Assembly migrations)
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled) return;
        _work ??= Task.Run(() =>
        {
            _ = new DatabaseMetrics(Metrics.WithCustomRegistry(Metrics.NewCustomRegistry()), queueLimit: 1);
            Database.Prewarm(migrations);
        });
    }
}
