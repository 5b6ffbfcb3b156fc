using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Http;

namespace Shop.Traffic;

/// <summary>How a request ended.</summary>
internal enum Ending
{
    Done,
    Refused,
    Failed,
    NoAnswer,
}

/// <summary>The shop over HTTP, as clients see it.</summary>
internal sealed partial class ShopClient(TrafficOptions options) : IDisposable
{
    private const int Tries = 10;

    private readonly HttpClient _http =
        new(new SocketErrorHandler(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }))
        {
            Timeout = TimeSpan.FromSeconds(5),
            DefaultRequestHeaders = { Authorization = options.Key is { } key ? new("Bearer", key) : null },
        };

    /// <summary>The first answer that was an error, and to what; null if there was none.</summary>
    public string? FirstError { get; private set; }

    public Task<Ending> ListAsync() => GetAsync(new Uri(options.Products, "/products?limit=20"));

    public Task<Ending> ProductAsync(string productId) => GetAsync(new Uri(options.Products, $"/products/{productId}"));

    public Task<Ending> StockAsync(string productId) => GetAsync(new Uri(options.Inventory, $"/inventory/{productId}"));

    /// <summary>
    /// Places an order. Without an answer, or with one that asks to come back, it is sent again with the
    /// same key until its fate is known.
    /// </summary>
    public async Task<(Ending Ending, string? OrderId, int Retries)> OrderAsync(
        string customerId, IReadOnlyList<(string ProductId, int Quantity)> items)
    {
        string key = Guid.NewGuid().ToString();
        var body = new
        {
            customer_id = customerId,
            items = items.Select(item => new { product_id = item.ProductId, quantity = item.Quantity }),
        };
        for (int retries = 0; ; retries++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(options.Orders, "/orders"))
            {
                Content = JsonContent.Create(body),
            };
            request.Headers.Add("Idempotency-Key", key);
            using HttpResponseMessage? response = await SendAsync(request);
            if (response?.StatusCode == HttpStatusCode.Created)
                return (Ending.Done,
                    (string?)(await response.Content.ReadFromJsonAsync<JsonNode>())!["order_id"], retries);
            if (response?.StatusCode == HttpStatusCode.Conflict) return (Ending.Refused, null, retries);
            bool mayComeBack = response is null
                || response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable;
            if (!mayComeBack || retries == Tries) return (EndingOf(response), null, retries);
            await Task.Delay(response?.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>A step in an order's life: pay, ship, deliver or cancel.</summary>
    public Task<Ending> ChangeAsync(string orderId, string step) =>
        PostAsync(new Uri(options.Orders, $"/orders/{orderId}/{step}"), null);

    public Task<Ending> RestockAsync(string productId, int quantity) =>
        PostAsync(new Uri(options.Inventory, "/inventory/increase"),
            new { product_id = productId, quantity_increased = quantity });

    /// <summary>
    /// The first error in the addresses, in words: nothing answers at one of them, or the wrong service does. Null if
    /// there is none.
    /// </summary>
    public async Task<string?> WrongAddressAsync()
    {
        foreach ((string option, Uri address, string service) in new[]
        {
            ("--products", options.Products, "product-service"), ("--orders", options.Orders, "order-service"),
            ("--inventory", options.Inventory, "inventory-service"),
        })
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "/"))
                {
                    Headers = { Accept = { new MediaTypeWithQualityHeaderValue("application/json") } },
                };
                using HttpResponseMessage response = await _http.SendAsync(request);
                if (IsForbidden(response))
                    return $"{option} is {address}, and there the shop needs a key that it knows: --key KEY.";
                JsonNode? card =
                    response.IsSuccessStatusCode ? JsonNode.Parse(await response.Content.ReadAsStringAsync()) : null;
                string? found = card is JsonObject ? (string?)card["service"] : null;
                if (found != service)
                {
                    string there =
                        found is null ? "what answers there is no service of a shop" : $"there is the {found}";
                    return $"{option} is {address}, but {there}; it must be the {service}.";
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException
                or JsonException or InvalidOperationException)
            {
                return $"No shop at {address} ({option}): {exception.Message}";
            }
        }

        return null;
    }

    /// <summary>A customer's orders.</summary>
    public IAsyncEnumerable<JsonNode> OrdersOfAsync(string customerId) =>
        PagesAsync(new Uri(options.Orders, $"/orders?customer_id={customerId}&limit=1000"), options.Orders);

    /// <summary>
    /// A product's movements, newest first, read by so many at a time; none if there is no such product.
    /// </summary>
    public IAsyncEnumerable<JsonNode> MovementsAsync(string productId, int limit) =>
        PagesAsync(new Uri(options.Inventory, $"/inventory/{productId}/movements?limit={limit}"), options.Inventory);

    public void Dispose() => _http.Dispose();

    private async IAsyncEnumerable<JsonNode> PagesAsync(Uri first, Uri service)
    {
        Uri? page = first;
        while (page is not null)
        {
            using HttpResponseMessage response = await _http.GetAsync(page);
            if (response.StatusCode == HttpStatusCode.NotFound) yield break;
            response.EnsureSuccessStatusCode();
            foreach (JsonNode? row in (await response.Content.ReadFromJsonAsync<JsonArray>())!) yield return row!;
            page = response.Headers.TryGetValues("Link", out IEnumerable<string>? links)
                ? new Uri(service, Next().Match(links.First()).Groups["path"].Value)
                : null;
        }
    }

    private async Task<Ending> GetAsync(Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        using HttpResponseMessage? response = await SendAsync(request);
        return EndingOf(response);
    }

    private async Task<Ending> PostAsync(Uri address, object? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Content = body is null ? null : JsonContent.Create(body),
        };
        using HttpResponseMessage? response = await SendAsync(request);
        return EndingOf(response);
    }

    private Ending EndingOf(HttpResponseMessage? response)
    {
        if (response is null) return Ending.NoAnswer;
        if (response.IsSuccessStatusCode) return Ending.Done;
        string hint = IsForbidden(response) ? ": the shop needs a key that may write (--key)" : "";
        FirstError ??= $"{(int)response.StatusCode} to {response.RequestMessage!.Method} "
            + $"{response.RequestMessage.RequestUri!.AbsolutePath}{hint}";
        return Ending.Failed;
    }

    private static bool IsForbidden(HttpResponseMessage response) =>
        response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden;

    /// <returns>The answer; null if none came.</returns>
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

    [GeneratedRegex(@"<(?<path>[^>]*)>; rel=""next""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Next();
}
