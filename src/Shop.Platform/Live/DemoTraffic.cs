using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>
/// Traffic for a first look: the shop asks itself, over its own ports, at a chosen rate. Browsers mostly, some buyers, a few who restock; now and then
/// somebody asks for what is not there.
/// </summary>
internal sealed class DemoTraffic(IEnumerable<ModuleListener> listeners, ILoggerFactory logs) : IAsyncDisposable
{
    /// <summary>Most requests a second.</summary>
    public const int MaxRate = 500;

    private readonly ILogger _log = logs.CreateLogger("Shop.traffic");
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;

    /// <summary>Requests a second; 0 where there is none.</summary>
    public int Rate { get; private set; }

    /// <summary>Starts at a rate, or goes on at another.</summary>
    public void Start(int rate)
    {
        Stop();
        lock (_lock)
        {
            Rate = rate;
            _stop = new CancellationTokenSource();
            CancellationToken stop = _stop.Token;
            _running = Task.Run(() => RunAsync(rate, stop), CancellationToken.None);
        }
    }

    /// <summary>Stops.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stop?.Cancel();
            _stop?.Dispose();
            _stop = null;
            Rate = 0;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        await _running;
    }

    private async Task RunAsync(int rate, CancellationToken stop)
    {
        Dictionary<string, Uri> addresses = listeners.ToDictionary(listener => listener.Module.Identity.Name, listener => listener.Address, StringComparer.Ordinal);
        using var client = new HttpClient();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / rate));
        var underWay = new List<Task>();
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                underWay.RemoveAll(task => task.IsCompleted);
                if (underWay.Count < 100) underWay.Add(AskAsync(client, addresses, stop));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(underWay);
        }
    }

    private async Task AskAsync(HttpClient client, Dictionary<string, Uri> addresses, CancellationToken stop)
    {
        string product = $"prod_{(int)(200 * Math.Pow(Random.Shared.NextDouble(), 2))}";
        try
        {
            using HttpResponseMessage answer = Random.Shared.Next(100) switch
            {
                < 50 => await client.GetAsync(new Uri(addresses["products"], $"/products/{product}"), stop),
                < 65 => await client.GetAsync(new Uri(addresses["products"], "/products?limit=20"), stop),
                < 67 => await client.GetAsync(new Uri(addresses["products"], "/products/nothing"), stop),
                < 75 => await client.GetAsync(new Uri(addresses["inventory"], $"/inventory/{product}"), stop),
                < 78 => await PostAsync(client, new Uri(addresses["inventory"], "/inventory/increase"), $$"""{"product_id":"{{product}}","quantity":1}""", stop),
                _ => await BuyAsync(client, addresses["orders"], product, stop),
            };
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            if (!stop.IsCancellationRequested) _log.LogWarning("Demo traffic had no answer: {Error}", exception.Message);
        }
    }

    private static async Task<HttpResponseMessage> BuyAsync(HttpClient client, Uri orders, string product, CancellationToken stop)
    {
        HttpResponseMessage placed = await PostAsync(client, new Uri(orders, "/orders"),
            $$"""{"customer_id":"customer-{{Random.Shared.Next(100)}}","items":[{"product_id":"{{product}}","quantity":{{Random.Shared.Next(1, 4)}}}]}""", stop);
        if (placed.Headers.Location is { } order && Random.Shared.Next(2) == 0)
        {
            string[] life = Random.Shared.Next(3) switch { 0 => ["pay", "ship", "deliver"], 1 => ["pay"], _ => ["cancel"] };
            foreach (string step in life) (await client.PostAsync(new Uri(orders, $"{order}/{step}"), null, stop)).Dispose();
        }

        return placed;
    }

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, Uri url, string json, CancellationToken stop) =>
        client.PostAsync(url, new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json")), stop);
}
