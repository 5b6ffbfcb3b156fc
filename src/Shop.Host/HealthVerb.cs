using Shop.Platform;
using Shop.Platform.Http;

namespace Shop.Host;

/// <summary>
/// <c>health</c>: asks the shop with these settings whether it is ready, for images that have no shell and no curl.
/// </summary>
internal static class HealthVerb
{
    /// <returns>0 if every service is ready, else 1.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        ShopSettings settings = ShopHost.SettingsOf(args);
        return await AskAllAsync(settings, [.. ShopHost.Modules().Select(module => module.Identity).Select(module =>
            (module.Service, ShopSettings.PortKey(module), settings.Ports[module.Name]))]);
    }

    /// <summary>The same for the page of alerts.</summary>
    public static Task<int> AskAlertsAsync(string[] args)
    {
        ShopSettings settings = ShopHost.SettingsOf(args);
        return AskAllAsync(settings, ("alerts", ShopSettings.AlertsPortKey, settings.AlertsPort));
    }

    private static async Task<int> AskAllAsync(ShopSettings settings,
        params (string Service, string Key, int Port)[] asked)
    {
        using HttpClient client = DirectHttpClient.Create();
        client.Timeout = TimeSpan.FromSeconds(5);
        string[] answers = await Task.WhenAll(
            asked.Select(one => AskAsync(client, one.Service, one.Key, one.Port, settings.LocalHost)));
        foreach (string answer in answers) Console.WriteLine(answer);
        return answers.All(answer => answer.EndsWith("ready", StringComparison.Ordinal)) ? 0 : 1;
    }

    private static async Task<string> AskAsync(HttpClient client, string service, string key, int port, string host)
    {
        if (port == 0) return $"{service}: {key} is 0, so its port is not known here";
        try
        {
            using HttpResponseMessage response = await client.GetAsync(
                new UriBuilder("http", host, port, "/health/ready").Uri);
            string answer = response.IsSuccessStatusCode ? "ready" : await response.Content.ReadAsStringAsync();
            return $"{service}: {answer}";
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            return $"{service}: {exception.Message}";
        }
    }
}
