using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.Traffic;

/// <summary>How a request ended.</summary>
internal enum Ending
{
    Done,
    Refused,
    Failed,
}

/// <summary>The shop over HTTP, as clients see it.</summary>
internal sealed partial class ShopClient(TrafficOptions options) : IDisposable
{
    private const int Tries = 10;

    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = TimeSpan.FromSeconds(5) };

    public Task<Ending> ListAsync() => GetAsync(new Uri(options.Products, "/products?limit=20"));

    public Task<Ending> ProductAsync(string productId) => GetAsync(new Uri(options.Products, $"/products/{productId}"));

    public Task<Ending> StockAsync(string productId) => GetAsync(new Uri(options.Inventory, $"/inventory/{productId}"));

    /// <summary>Places an order. Without an answer, or with one that asks to come back, it is sent again with the same key until its fate is known.</summary>
    public async Task<(Ending Ending, string? OrderId, int Retries)> OrderAsync(string customerId, IReadOnlyList<(string ProductId, int Quantity)> items)
    {
        string key = Guid.NewGuid().ToString();
        var body = new { customer_id = customerId, items = items.Select(item => new { product_id = item.ProductId, quantity = item.Quantity }) };
        for (int retries = 0; ; retries++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(options.Orders, "/orders")) { Content = JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", key);
            using HttpResponseMessage? response = await SendAsync(request);
            if (response?.StatusCode == HttpStatusCode.Created)
                return (Ending.Done, (string?)(await response.Content.ReadFromJsonAsync<JsonNode>())!["order_id"], retries);
            if (response?.StatusCode == HttpStatusCode.Conflict) return (Ending.Refused, null, retries);
            bool mayComeBack = response is null || response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable;
            if (!mayComeBack || retries == Tries) return (Ending.Failed, null, retries);
            await Task.Delay(response?.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>A step in an order's life: pay, ship, deliver or cancel.</summary>
    public Task<Ending> ChangeAsync(string orderId, string step) => PostAsync(new Uri(options.Orders, $"/orders/{orderId}/{step}"), null);

    public Task<Ending> RestockAsync(string productId, int quantity) =>
        PostAsync(new Uri(options.Inventory, "/inventory/increase"), new { product_id = productId, quantity_increased = quantity });

    /// <summary>Orders that the shop counts as created.</summary>
    public async Task<long> OrdersCreatedAsync()
    {
        string metrics = await _http.GetStringAsync(new Uri(options.Orders, "/metrics"));
        return long.Parse(Created().Match(metrics).Groups["value"].Value, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Units that can be sold, of all products.</summary>
    public async Task<long> UnitsInStockAsync()
    {
        long units = 0;
        Uri? page = new(options.Inventory, "/inventory?limit=1000");
        while (page is not null)
        {
            using HttpResponseMessage response = await _http.GetAsync(page);
            units += (await response.Content.ReadFromJsonAsync<JsonArray>())!.Sum(product => (long)product!["stock_level"]!);
            page = response.Headers.TryGetValues("Link", out IEnumerable<string>? links) ? new Uri(options.Inventory, Next().Match(links.First()).Groups["path"].Value) : null;
        }

        return units;
    }

    public void Dispose() => _http.Dispose();

    private async Task<Ending> GetAsync(Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        using HttpResponseMessage? response = await SendAsync(request);
        return response is { IsSuccessStatusCode: true } ? Ending.Done : Ending.Failed;
    }

    private async Task<Ending> PostAsync(Uri address, object? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = body is null ? null : JsonContent.Create(body) };
        using HttpResponseMessage? response = await SendAsync(request);
        return response is { IsSuccessStatusCode: true } ? Ending.Done : Ending.Failed;
    }

    /// <returns>The answer; null where none came.</returns>
    private async Task<HttpResponseMessage?> SendAsync(HttpRequestMessage request)
    {
        try
        {
            return await _http.SendAsync(request);
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"^orders_created_total\{[^}]*\} (?<value>\d+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Created();

    [GeneratedRegex(@"<(?<path>[^>]*)>; rel=""next""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Next();
}
