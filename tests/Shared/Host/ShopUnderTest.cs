using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Host;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Testing;

/// <summary>The real host, in this process, on free ports and real files. Settings are given as <c>Shop:Key=value</c>.</summary>
internal sealed class ShopUnderTest : IAsyncDisposable
{
    private readonly string[] _settings;
    private readonly Action<IServiceCollection>? _replace;
    private readonly List<SeenStatuses> _seen = [];
    private readonly bool _ownsDirectory;
    private WebApplication _app = null!;
    private bool _isClosed;

    private ShopUnderTest(string? directory, string[] settings, Action<IServiceCollection>? replace)
    {
        _ownsDirectory = directory is null;
        DataDirectory = directory ?? Directory.CreateTempSubdirectory("shop-test-").FullName;
        _settings = settings;
        _replace = replace;
    }

    public string DataDirectory { get; }

    /// <summary>What the running shop is made of.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>The templates of every route that GET has, of all three services.</summary>
    public IEnumerable<string> ReadRoutes => _app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        .Where(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("GET") == true)
        .Select(endpoint => "/" + endpoint.RoutePattern.RawText!.TrimStart('/')).Distinct(StringComparer.Ordinal);

    public HttpClient Products { get; private set; } = null!;

    public HttpClient Orders { get; private set; } = null!;

    public HttpClient Inventory { get; private set; } = null!;

    public IReadOnlyDictionary<string, HttpClient> ByName => new Dictionary<string, HttpClient>(StringComparer.Ordinal)
    {
        ["products"] = Products,
        ["orders"] = Orders,
        ["inventory"] = Inventory,
    };

    /// <summary>Writes of a service that are neither on disk nor refused.</summary>
    public int UnwrittenWrites(string service) => _app.UnwrittenWrites().Single(waiting => waiting.Module.Name == service).Writes;

    public static Task<ShopUnderTest> StartAsync(params string[] settings) => StartAsync(null, null, settings);

    public static async Task<ShopUnderTest> StartAsync(Action<IServiceCollection>? replace, string? directory, params string[] settings)
    {
        var shop = new ShopUnderTest(directory, settings, replace);
        await shop.OpenAsync();
        return shop;
    }

    /// <summary>Stops it for good; what it wrote stays until it is disposed.</summary>
    public async Task CloseAsync()
    {
        await StopAsync();
        _isClosed = true;
    }

    public async Task StopAsync()
    {
        await CompareStatusesAsync();
        foreach (HttpClient client in ByName.Values) client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>The answers of a service that clients saw since they were taken the last time.</summary>
    public IEnumerable<SeenAnswer> TakeAnswers(string service) => _seen.Single(seen => seen.Service == service).TakeAnswers();

    /// <summary>Holds the statuses that clients saw against those that the shop counted.</summary>
    public async Task CompareStatusesAsync()
    {
        foreach (SeenStatuses seen in _seen) await seen.CompareAsync();
    }

    public async Task RestartAsync(bool isRunning = true)
    {
        if (isRunning) await StopAsync();
        await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_isClosed) await StopAsync();
        if (_ownsDirectory) Directory.Delete(DataDirectory, recursive: true);
    }

    private async Task OpenAsync()
    {
        _app = ShopHost.Build(
            [$"--Shop:DataDirectory={DataDirectory}", "--Shop:Products:Port=0", "--Shop:Orders:Port=0", "--Shop:Inventory:Port=0",
                "--Logging:LogLevel:Default=None", .. _settings.Select(setting => $"--{setting}")],
            _replace);
        await _app.StartAsync();
        _seen.Clear();
        var clients = new Dictionary<string, HttpClient>(StringComparer.Ordinal);
        foreach (ModuleListener listener in _app.Services.GetServices<ModuleListener>())
        {
            var seen = new SeenStatuses(listener, await SeenStatuses.CountedAsync(listener));
            _seen.Add(seen);
            clients[listener.Module.Identity.Name] = new HttpClient(seen) { BaseAddress = listener.Address, Timeout = TimeSpan.FromMinutes(1) };
        }

        (Products, Orders, Inventory) = (clients["products"], clients["orders"], clients["inventory"]);
    }
}

/// <summary>What tests say to the shop.</summary>
internal static class Http
{
    public static async Task<JsonNode> GetJsonAsync(this HttpClient client, string path)
    {
        using HttpResponseMessage response = await client.GetAsync(path);
        string text = await response.Content.ReadAsStringAsync();
        Assert.That(response.IsSuccessStatusCode, Is.True, $"GET {path} answered {(int)response.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }

    public static async Task<(HttpResponseMessage Response, JsonNode? Json)> SendJsonAsync(
        this HttpClient client, HttpMethod method, string path, object? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is string text) request.Content = new StringContent(text, System.Text.Encoding.UTF8, "application/json");
        else if (body is not null) request.Content = JsonContent.Create(body);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        HttpResponseMessage response = await client.SendAsync(request);
        string answer = await response.Content.ReadAsStringAsync();
        return (response, answer.Length == 0 ? null : JsonNode.Parse(answer));
    }

    public static Task<(HttpResponseMessage Response, JsonNode? Json)> PostAsync(
        this HttpClient client, string path, object? body = null, params (string Name, string Value)[] headers) =>
        client.SendJsonAsync(HttpMethod.Post, path, body, headers);

    public static string? Header(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) || response.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : null;

    /// <summary>Where the next page of a list is; null on the last.</summary>
    public static string? NextPage(this HttpResponseMessage response) =>
        response.Header("Link") is { } link ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;

    /// <summary>A new product with so many units; its id.</summary>
    public static async Task<string> ProductAsync(this ShopUnderTest shop, long stock, decimal price = 10m)
    {
        (HttpResponseMessage response, JsonNode? product) = await shop.Products.PostAsync("/products", new { name = "A thing", price, initial_stock = stock });
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        return (string)product!["id"]!;
    }

    /// <summary>A new order of one line; its id.</summary>
    public static async Task<string> OrderAsync(this ShopUnderTest shop, string productId, int quantity = 1, string customer = "someone")
    {
        (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync("/orders", Order(productId, quantity, customer));
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Created), order?.ToJsonString());
        return (string)order!["order_id"]!;
    }

    public static object Order(string productId, int quantity = 1, string customer = "someone") =>
        new { customer_id = customer, items = new[] { new { product_id = productId, quantity } } };

    public static async Task<(long Level, long OnHand, long Reserved)> StockAsync(this ShopUnderTest shop, string productId)
    {
        JsonNode stock = await shop.Inventory.GetJsonAsync($"/inventory/{productId}");
        return ((long)stock["stock_level"]!, (long)stock["on_hand"]!, (long)stock["reserved"]!);
    }
}
