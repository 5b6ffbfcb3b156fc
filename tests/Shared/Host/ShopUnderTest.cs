using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Host;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Testing;

/// <summary>
/// The real host on free ports, and on real files or the PostgreSQL of its fixture. Settings are given as
/// <c>Shop:Key=value</c>. It is in this process; if <c>SHOP_PROGRAM</c> names another program, it is a process of that,
/// except for tests that replace a part of it or look inside.
/// </summary>
internal sealed class ShopUnderTest : IAsyncDisposable
{
    private static readonly Lazy<Task<IReadOnlyList<RouteEndpoint>>> _routes = new(ReadRouteTableAsync);

    private readonly Engine _engine = EngineFixture.Current;
    private readonly string[] _settings;
    private readonly Action<IServiceCollection>? _replace;
    private readonly List<SeenStatuses> _seen = [];
    private readonly bool _ownsDirectory;
    private readonly bool _isHere;
    private WebApplication? _app;
    private ShopProcess? _process;
    private bool _isClosed;

    private ShopUnderTest(string? directory, string[] settings, Action<IServiceCollection>? replace, bool isHere)
    {
        _isHere = isHere;
        _ownsDirectory = directory is null;
        DataDirectory = directory ?? Directory.CreateTempSubdirectory("shop-test-").FullName;
        _settings = settings;
        _replace = replace;
    }

    public string DataDirectory { get; }

    /// <summary>What the running shop is made of, if it is in this process.</summary>
    public IServiceProvider Services => _app!.Services;

    public HttpClient Products { get; private set; } = null!;

    public HttpClient Orders { get; private set; } = null!;

    public HttpClient Inventory { get; private set; } = null!;

    /// <summary>The origin of the storefront's pages.</summary>
    public string Origin => Products.BaseAddress!.GetLeftPart(UriPartial.Authority);

    public IReadOnlyDictionary<string, HttpClient> ByName => new Dictionary<string, HttpClient>(StringComparer.Ordinal)
    {
        ["products"] = Products,
        ["orders"] = Orders,
        ["inventory"] = Inventory,
    };

    /// <summary>Writes of a service that are neither on disk nor refused, if it is in this process.</summary>
    public int UnwrittenWrites(string service) =>
        _app!.UnwrittenWrites().Single(waiting => waiting.Module.Name == service).Writes;

    public static Task<ShopUnderTest> StartAsync(params string[] settings) => StartAsync(null, null, settings);

    public static async Task<ShopUnderTest> StartAsync(
        Action<IServiceCollection>? replace, string? directory, params string[] settings)
    {
        // To read such a shop's metrics takes a key, or counts as one of the client's requests.
        bool hidesMetrics = settings.Any(setting => setting.StartsWith("Shop:MetricsKey=", StringComparison.Ordinal)
            || setting.StartsWith("Shop:ClientRateLimit=", StringComparison.Ordinal));
        bool isHere = replace is not null || hidesMetrics || ShopProgram.Other is null;
        var shop = new ShopUnderTest(directory, settings, replace, isHere);
        await shop.OpenAsync();
        return shop;
    }

    /// <summary>Starts it in this process, for a test that looks inside.</summary>
    public static async Task<ShopUnderTest> StartHereAsync(params string[] settings)
    {
        var shop = new ShopUnderTest(null, settings, null, isHere: true);
        await shop.OpenAsync();
        return shop;
    }

    /// <summary>Every route of all three services, from the table of a shop in this process.</summary>
    public static Task<IReadOnlyList<RouteEndpoint>> RoutesAsync() => _routes.Value;

    /// <summary>The templates of every route that GET has, of all three services.</summary>
    public static async Task<IReadOnlyList<string>> ReadRoutesAsync() => [.. (await RoutesAsync())
        .Where(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("GET") == true)
        .Select(endpoint => "/" + endpoint.RoutePattern.RawText!.TrimStart('/')).Distinct(StringComparer.Ordinal)];

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
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        if (_process is null) return;
        if (!_process.HasExited) _process.Signal(15);
        Assert.That(await _process.ExitAsync(), Is.Zero, _process.Log);
        _process.Dispose();
    }

    /// <summary>The answers of a service that clients saw since they were taken the last time.</summary>
    public IEnumerable<SeenAnswer> TakeAnswers(string service) =>
        _seen.Single(seen => seen.Service == service).TakeAnswers();

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
        if (!_ownsDirectory) return;
        Directory.Delete(DataDirectory, recursive: true);
        if (_engine == Engine.Postgres) PostgresCluster.Shared.DropDatabaseOf(DataDirectory);
    }

    private static async Task<IReadOnlyList<RouteEndpoint>> ReadRouteTableAsync()
    {
        await using ShopUnderTest shop = await StartHereAsync();
        return [.. shop.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()];
    }

    private async Task OpenAsync()
    {
        string[] settings = [.. _settings.Select(setting => $"--{setting}")];
        // Shops on the same directory are on the same database.
        if (_engine == Engine.Postgres)
            settings = [$"--ConnectionStrings:Shop={PostgresCluster.Shared.DatabaseOf(DataDirectory)}", .. settings];
        _seen.Clear();
        (Products, Orders, Inventory) = _isHere ? await OpenHereAsync(settings) : await OpenProgramAsync(settings);
    }

    private async Task<(HttpClient Products, HttpClient Orders, HttpClient Inventory)> OpenHereAsync(string[] settings)
    {
        _app = ShopHost.Build(
            [$"--Shop:DataDirectory={DataDirectory}", "--Shop:Products:Port=0", "--Shop:Orders:Port=0",
                "--Shop:Inventory:Port=0",
                "--Logging:LogLevel:Default=None", .. settings],
            _replace);
        await _app.StartAsync();
        Task<HttpClient> Client(string service)
        {
            ModuleListener listener = _app.Services.GetServices<ModuleListener>()
                .Single(listener => listener.Module.Identity.Name == service);
            return WatchAsync(service, listener.Address, async () =>
            {
                using var text = new MemoryStream();
                await listener.Module.Registry.CollectAndExportAsTextAsync(text);
                return Encoding.UTF8.GetString(text.ToArray());
            });
        }

        return (await Client("products"), await Client("orders"), await Client("inventory"));
    }

    private async Task<(HttpClient Products, HttpClient Orders, HttpClient Inventory)> OpenProgramAsync(
        string[] settings)
    {
        _process = await ShopProcess.StartAsync(DataDirectory, settings);
        Task<HttpClient> Client(string service, HttpClient client) =>
            WatchAsync(service, client.BaseAddress!, async () =>
            {
                // On a connection of its own, and no longer: tests count connections.
                using var reader = new HttpClient { DefaultRequestHeaders = { ConnectionClose = true } };
                return await reader.GetStringAsync(new Uri(client.BaseAddress!, "/metrics"));
            });
        return (await Client("products", _process.Products), await Client("orders", _process.Orders),
            await Client("inventory", _process.Inventory));
    }

    private async Task<HttpClient> WatchAsync(string service, Uri address, Func<Task<string>> metrics)
    {
        var seen = new SeenStatuses(service, address, metrics, await SeenStatuses.CountedAsync(metrics));
        _seen.Add(seen);
        return new HttpClient(seen) { BaseAddress = address, Timeout = TimeSpan.FromMinutes(1) };
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
        this HttpClient client, HttpMethod method, string path, object? body = null,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is string text) request.Content = new StringContent(text, Encoding.UTF8, "application/json");
        else if (body is not null) request.Content = JsonContent.Create(body);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        HttpResponseMessage response = await client.SendAsync(request);
        string answer = await response.Content.ReadAsStringAsync();
        return (response, answer.Length == 0 ? null : JsonNode.Parse(answer));
    }

    public static Task<(HttpResponseMessage Response, JsonNode? Json)> PostAsync(
        this HttpClient client, string path, object? body = null, params (string Name, string Value)[] headers) =>
        client.SendJsonAsync(HttpMethod.Post, path, body, headers);

    /// <summary>A page, as a browser asks for it.</summary>
    public static async Task<string> HtmlAsync(this HttpClient client, string path, string? cookie = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", "text/html" } } };
        if (cookie is not null) request.Headers.Add("Cookie", cookie);
        using HttpResponseMessage answer = await client.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), path);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Sends a form.</summary>
    /// <param name="client">The service.</param>
    /// <param name="path">Where the form goes.</param>
    /// <param name="origin">The origin of its page, which a browser names.</param>
    /// <param name="fields">Its fields; a name may be there twice.</param>
    /// <param name="headers">Further headers.</param>
    public static async Task<HttpResponseMessage> PostFormAsync(
        this HttpClient client, string path, string? origin, (string Name, string Value)[] fields,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))),
        };
        if (origin is not null) request.Headers.TryAddWithoutValidation("Origin", origin);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await client.SendAsync(request);
    }

    public static string? Header(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values)
            || response.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : null;

    /// <summary>Where the next page of a list is; null on the last.</summary>
    public static string? NextPage(this HttpResponseMessage response) =>
        response.Header("Link") is { } link ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;

    /// <summary>A new product with so many units; its id.</summary>
    public static async Task<string> ProductAsync(this ShopUnderTest shop, long stock, decimal price = 10m)
    {
        (HttpResponseMessage response, JsonNode? product) = await shop.Products.PostAsync("/products",
            new { name = "A thing", price, initial_stock = stock });
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        return (string)product!["id"]!;
    }

    /// <summary>A new order of one line; its id.</summary>
    public static async Task<string> OrderAsync(
        this ShopUnderTest shop, string productId, int quantity = 1, string customer = "someone")
    {
        (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync("/orders",
            Order(productId, quantity, customer));
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Created), order?.ToJsonString());
        return (string)order!["order_id"]!;
    }

    public static object Order(string productId, int quantity = 1, string customer = "someone") =>
        new { customer_id = customer, items = new[] { new { product_id = productId, quantity } } };

    public static async Task<(long Level, long OnHand, long Reserved)> StockAsync(
        this ShopUnderTest shop, string productId)
    {
        JsonNode stock = await shop.Inventory.GetJsonAsync($"/inventory/{productId}");
        return ((long)stock["stock_level"]!, (long)stock["on_hand"]!, (long)stock["reserved"]!);
    }
}
