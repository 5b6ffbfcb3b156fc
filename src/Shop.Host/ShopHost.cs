using Shop.Host.Telemetry;
using Shop.Inventory;
using Shop.Orders;
using Shop.Platform;
using Shop.Platform.Modules;
using Shop.Products;

namespace Shop.Host;

/// <summary>Builds the shop.</summary>
public static class ShopHost
{
    /// <summary>The modules, in the order of their start: each before the modules that call it.</summary>
    internal static IReadOnlyList<IShopModule> Modules() =>
    [
        new InventoryModule(),
        new ProductsModule(),
        new OrdersModule(),
    ];

    /// <summary>
    /// The settings of a shop that is started with these arguments in this environment, for a command-line verb.
    /// </summary>
    /// <exception cref="ShopStartException">A setting is wrong, or an argument is no setting.</exception>
    internal static ShopSettings SettingsOf(string[] args)
    {
        CommandLine.Check(args);
        IConfiguration configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args)
            .Build();
        return ShopSettings.Read(configuration, [.. Modules().Select(module => module.Identity)]);
    }

    /// <summary>Builds the shop; start it to open its ports.</summary>
    /// <param name="args">Settings from the command line, as <c>--Shop:Orders:Port=0</c>.</param>
    /// <param name="replace">Replaces services: tests put their own in place of a module's contract.</param>
    /// <exception cref="ShopStartException">A setting is wrong, or an argument is no setting.</exception>
    public static WebApplication Build(string[] args, Action<IServiceCollection>? replace = null)
    {
        CommandLine.Check(args);
        Warmup.Begin(migrations: typeof(InventoryModule).Assembly);
        // Settings are read once. Watching their files would wake a thread for each write to a database in the same
        // directory.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(
            [.. args, "--hostBuilder:reloadConfigOnChange=false"]);
        IReadOnlyList<IShopModule> modules = Modules();
        var settings = ShopSettings.Read(builder.Configuration, [.. modules.Select(module => module.Identity)]);

        builder.AddShopLogging();
        builder.AddPlatform(settings, BuildInfo.Of(typeof(ShopHost).Assembly));
        builder.AddTelemetry([.. modules.Select(module => module.Identity)]);
        foreach (IShopModule module in modules) builder.AddModule(module);
        builder.AddListeners(settings);
        builder.SetShutdownTimeout(settings);
        replace?.Invoke(builder.Services);

        WebApplication shop = builder.Build();
        shop.UseModules();
        return shop;
    }
}
