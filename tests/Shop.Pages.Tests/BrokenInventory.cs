using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;

namespace Shop.Pages.Tests;

/// <summary>A stock that fails if it is asked for the level of some products, each in its own way.</summary>
[SuppressMessage("Performance", "CA1852", Justification = "The proxy is a type that derives from it at run time.")]
internal class BrokenInventory : DispatchProxy
{
    private static readonly Dictionary<string, (string Product, Func<Exception> Fault)> Faults =
        new(StringComparer.Ordinal)
        {
            ["error-429"] = ("prod_101", static () => new TooManyQueriesException("inventory")),
            ["error-500"] = ("prod_102", static () => new InvalidOperationException("It broke.")),
            ["error-503"] = ("prod_103", static () => new QueryTimeoutException("inventory", TimeSpan.FromSeconds(10))),
            ["no stock"] = ("prod_104",
                static () => new StoreUnreadableException("inventory", new IOException("The disk is gone."))),
        };

    private IInventory _real = null!;

    /// <summary>The product that fails so.</summary>
    public static string ProductOf(string fault) => Faults[fault].Product;

    public static void Replace(IServiceCollection services)
    {
        ServiceDescriptor real = services.Single(service => service.ServiceType == typeof(IInventory));
        services.AddSingleton(provider =>
        {
            IInventory broken = Create<IInventory, BrokenInventory>();
            ((BrokenInventory)(object)broken)._real = (IInventory)ActivatorUtilities.CreateInstance(provider,
                real.ImplementationType!);
            return broken;
        });
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == nameof(IInventory.AvailableAsync))
        {
            string asked = ((IReadOnlyList<string>)args![0]!)[0];
            if (Faults.Values.FirstOrDefault(fault => fault.Product == asked).Fault is { } fault) throw fault();
        }

        return targetMethod.Invoke(_real, args);
    }
}
