using Microsoft.Extensions.Configuration;
using Shop.Platform.Faults;
using Shop.Platform.Modules;

namespace Shop.Platform.Tests;

/// <summary>Settings as a host with three modules reads them.</summary>
internal static class TestSettings
{
    public static ModuleIdentity[] Modules { get; } =
        [.. new[] { "products", "orders", "inventory" }.Select((name, i) =>
            new ModuleIdentity(name, $"{name}-service", name, name, 5001 + i))];

    /// <summary>Faults of modules that the shop's own scenarios use.</summary>
    public static FaultDefinition[] Faults { get; } = [.. new[] { "inventory_down", "stock_runs_out" }.Select(
        static name => new FaultDefinition(name, "For a test.", "share", 0.01m, 1, 1))];

    public static ShopSettings Read(params (string Key, string Value)[] values) => ShopSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(
            value => KeyValuePair.Create(value.Key, (string?)value.Value))).Build(), Modules);
}
