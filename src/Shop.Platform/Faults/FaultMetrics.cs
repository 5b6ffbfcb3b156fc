using Prometheus;
using Shop.Platform.Modules;

namespace Shop.Platform.Faults;

/// <summary>The metrics of the faults, in each module's registry, all at 0 from the start.</summary>
internal sealed class FaultMetrics
{
    public FaultMetrics(ModuleContext module)
    {
        if (!module.Faults.IsOn) return;
        Gauge active = module.Metrics.CreateGauge("shop_fault_active", "Trouble on demand: 1 while the fault runs.",
            ["fault"]);
        Gauge intensity = module.Metrics.CreateGauge("shop_fault_intensity",
            "Trouble on demand: how much, in the fault's unit; 0 while it is off.", ["fault"]);
        (Fault Fault, Gauge.Child Active, Gauge.Child Intensity)[] series = [.. module.Faults.All.Select(fault =>
            (fault, active.WithLabels(fault.Definition.Name), intensity.WithLabels(fault.Definition.Name)))];
        module.Registry.AddBeforeCollectCallback(() =>
        {
            foreach ((Fault fault, Gauge.Child isActive, Gauge.Child amount) in series)
            {
                FaultRun? run = fault.Run;
                isActive.Set(run is null ? 0 : 1);
                amount.Set((double)(run?.Intensity ?? 0));
            }
        });
    }
}
