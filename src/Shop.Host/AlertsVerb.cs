using Microsoft.AspNetCore.Connections;
using Shop.Platform;

namespace Shop.Host;

/// <summary><c>alerts</c>: a page that shows alerts, as a process of its own.</summary>
internal static class AlertsVerb
{
    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["health", .. var settings]) return await HealthVerb.AskAlertsAsync(settings);
        await using WebApplication page = AlertsHost.Build(args);
        try
        {
            await page.StartAsync();
        }
        catch (IOException exception) when (exception.InnerException is AddressInUseException)
        {
            throw new ShopStartException(
                $"a port is in use: {exception.Message.TrimEnd('.')}. "
                + $"Choose another with {ShopSettings.AlertsPortKey}");
        }

        page.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Shop")
            .LogInformation("alerts {Address}", page.Urls.First());
        await page.WaitForShutdownAsync();
        return 0;
    }
}
