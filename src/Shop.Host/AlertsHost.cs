using Shop.Platform;
using Shop.Platform.Alerts;

namespace Shop.Host;

/// <summary>Builds the page of alerts.</summary>
public static class AlertsHost
{
    /// <summary>Builds the page; start it to open its port.</summary>
    /// <param name="args">Settings from the command line, as <c>--Shop:Alerts:Port=0</c>.</param>
    /// <exception cref="ShopStartException">A setting is wrong, or an argument is no setting.</exception>
    public static WebApplication Build(string[] args)
    {
        ShopSettings settings = ShopHost.SettingsOf(args);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(
            [.. args, "--hostBuilder:reloadConfigOnChange=false"]);
        builder.AddShopLogging();
        builder.AddAlertsPage(settings);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(3));
        WebApplication page = builder.Build();
        page.UseAlertsPage([.. ShopHost.Modules().Select(module => module.Identity)]);
        return page;
    }
}
