using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Shop.Platform;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Host;

/// <summary>
/// <c>fault</c>: starts and ends faults and scenarios of the shop with these settings, on the same machine. It is for
/// containers, whose image has no curl.
/// </summary>
internal static class FaultVerb
{
    public const string Arguments = "[NAME [INTENSITY [SECONDS]] | end [NAME] | play SCENARIO]";

    public static async Task<int> RunAsync(string[] args)
    {
        string[] words = [.. args.TakeWhile(arg => !arg.StartsWith('-'))];
        ShopSettings settings = ShopHost.SettingsOf(args[words.Length..]);
        ModuleIdentity module = ShopHost.Modules()[0].Identity; // the faults are the same on each port
        if (settings.Ports[module.Name] is not (> 0 and int port))
            throw new ShopStartException($"{ShopSettings.PortKey(module)} is 0, so the shop's port is not known here");
        Uri Address(string path) => new(new UriBuilder("http", settings.LocalHost, port).Uri, path);
        using HttpClient client = DirectHttpClient.Create();
        try
        {
            bool isDone = true;
            foreach ((HttpMethod method, string path, string? body) in Requests(words))
            {
                using var request = new HttpRequestMessage(method, Address(path));
                if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
                using HttpResponseMessage answer = await client.SendAsync(request);
                string text = await answer.Content.ReadAsStringAsync();
                isDone &= answer.IsSuccessStatusCode;
                if (isDone && words.Length == 0) text = List(text);
                Console.WriteLine(text.Length > 0 ? text : "ended");
            }

            return isDone ? 0 : 1;
        }
        catch (HttpRequestException exception)
        {
            throw new ShopStartException($"the shop does not answer at {Address("/")}: {exception.Message}", exception);
        }
    }

    private static IEnumerable<(HttpMethod Method, string Path, string? Body)> Requests(string[] words) => words switch
    {
        [] => [(HttpMethod.Get, "/faults", null)],
        ["end"] => [(HttpMethod.Delete, "/scenarios", null), (HttpMethod.Delete, "/faults", null)],
        ["end", var name] => [(HttpMethod.Delete, $"/faults/{Uri.EscapeDataString(name)}", null)],
        ["play", var scenario] => [(HttpMethod.Put, $"/scenarios/{Uri.EscapeDataString(scenario)}", null)],
        [var name] => [(HttpMethod.Put, $"/faults/{Uri.EscapeDataString(name)}", null)],
        [var name, var intensity] => [Start(name, $"{{\"intensity\":{Number(intensity)}}}")],
        [var name, var intensity, var seconds] =>
            [Start(name, $"{{\"intensity\":{Number(intensity)},\"duration_seconds\":{Number(seconds)}}}")],
        _ => throw new ShopStartException($"too many words: Shop.Host fault {Arguments}"),
    };

    private static string List(string faults) => string.Join('\n', JsonNode.Parse(faults)!.AsArray().Select(fault =>
    {
        string range = (string)fault!["unit"]! == FaultDefinition.NoUnit ? ""
            : $"{fault["min"]} to {fault["max"]} {fault["unit"]}";
        string state = (bool)fault["active"]! ? $"runs with {fault["intensity"]} until {fault["ends_at"]}" : "off";
        return $"{fault["name"],-16} {range,-28} {state}";
    }));

    private static (HttpMethod Method, string Path, string? Body) Start(string name, string body) =>
        (HttpMethod.Put, $"/faults/{Uri.EscapeDataString(name)}", body);

    private static string Number(string word) =>
        decimal.TryParse(word, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? number.ToString(CultureInfo.InvariantCulture)
            : throw new ShopStartException($"'{word}' is not a number: Shop.Host fault {Arguments}");
}
