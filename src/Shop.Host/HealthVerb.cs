using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Host;

/// <summary><c>health</c>: asks the shop of these settings whether it is ready, for images that have no shell and no curl.</summary>
internal static class HealthVerb
{
    /// <returns>0 if every service is ready, else 1.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        ShopSettings settings = ShopHost.SettingsOf(args);
        ModuleIdentity[] modules = [.. ShopHost.Modules().Select(module => module.Identity)];
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        string[] answers = await Task.WhenAll(modules.Select(module => AskAsync(client, module, settings)));
        foreach (string answer in answers) Console.WriteLine(answer);
        return answers.All(answer => answer.EndsWith("ready", StringComparison.Ordinal)) ? 0 : 1;
    }

    private static async Task<string> AskAsync(HttpClient client, ModuleIdentity module, ShopSettings settings)
    {
        if (settings.Ports[module.Name] == 0) return $"{module.Service}: {ShopSettings.PortKey(module)} is 0, so nobody knows which port it took";
        string host = settings.BindAddress is "*" or "0.0.0.0" or "::" ? "localhost" : settings.BindAddress;
        try
        {
            using HttpResponseMessage response = await client.GetAsync(new UriBuilder("http", host, settings.Ports[module.Name], "/health/ready").Uri);
            return $"{module.Service}: {(response.IsSuccessStatusCode ? "ready" : await response.Content.ReadAsStringAsync())}";
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            return $"{module.Service}: {exception.Message}";
        }
    }
}
