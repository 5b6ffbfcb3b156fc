using Prometheus;
using Shop.Platform.Modules;

namespace Shop.Platform.Data;

/// <summary>The metric of <see cref="DatabaseConsistency"/>, in each module's registry.</summary>
internal sealed class ConsistencyMetrics
{
    public ConsistencyMetrics(ModuleContext module, DatabaseConsistency consistency)
    {
        Gauge disagree = module.Metrics.CreateGauge("db_books_disagree",
            "1 while the shop's database files are known not to belong together or not to agree: "
            + "every change is refused.");
        module.Registry.AddBeforeCollectCallback(() => disagree.Set(consistency.Holds ? 0 : 1));
    }
}
