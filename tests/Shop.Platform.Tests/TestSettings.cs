using Microsoft.Extensions.Configuration;
using Shop.Platform.Modules;

namespace Shop.Platform.Tests;

/// <summary>Settings as a host with three modules reads them.</summary>
internal static class TestSettings
{
    public static ModuleIdentity[] Modules { get; } =
        [.. new[] { "products", "orders", "inventory" }.Select((name, i) =>
            new ModuleIdentity(name, $"{name}-service", name, name, 5001 + i))];

    public static ShopSettings Read(params (string Key, string Value)[] values) => ShopSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(
            value => KeyValuePair.Create(value.Key, (string?)value.Value))).Build(), Modules);
}
