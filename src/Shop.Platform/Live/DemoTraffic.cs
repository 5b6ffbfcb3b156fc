using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>
/// Traffic for a first look: the shop asks itself, over its own ports, at a chosen rate. Browsers mostly, some buyers, a
/// few who restock; now and then somebody asks for what is not there.
/// </summary>
internal sealed class DemoTraffic(IEnumerable<ModuleListener> listeners, TimeProvider clock, ILoggerFactory logs)
    : IAsyncDisposable
{
    /// <summary>Most requests a second.</summary>
    public const int MaxRate = 500;

    /// <summary>Requests under way at most: a shop that is slow is not asked for more.</summary>
    private const int MaxUnderWay = 100;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly ILogger _log = logs.CreateLogger("Shop.traffic");
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private volatile int _rate;
    private bool _isDisposed;

    /// <summary>Requests a second on all services together; 0 if there is no traffic.</summary>
    public int Rate => _rate;

    /// <summary>Starts at a rate, or goes on at another.</summary>
    /// <param name="rate">Requests a second.</param>
    /// <param name="authorization">
    /// The <c>Authorization</c> of the client that starts it: its requests are made in its name.
    /// </param>
    public void Start(int rate, string? authorization)
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            // There is one loop at most, whoever starts at the same time; the rate is all that a further start changes.
            _rate = rate;
            if (_stop is not null) return;
            _stop = new CancellationTokenSource();
            CancellationToken stop = _stop.Token;
            Task run = Task.Run(() => RunAsync(authorization, stop), CancellationToken.None);
            _running = _running.IsCompleted ? run : Task.WhenAll(_running, run);
        }
    }

    /// <summary>Stops.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _rate = 0;
            _stop?.Cancel();
            _stop?.Dispose();
            _stop = null;
        }
    }

    /// <summary>Stops for good, and waits for what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock) _isDisposed = true;
        Stop();
        await _running;
    }

    private async Task RunAsync(string? authorization, CancellationToken stop)
    {
        Dictionary<string, Uri> addresses = listeners.ToDictionary(
            listener => listener.Module.Identity.Name, listener => listener.Address, StringComparer.Ordinal);
        using var client = new HttpClient();
        if (authorization is not null)
            client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", authorization);
        using var timer = new PeriodicTimer(Tick, clock);
        var underWay = new List<Task>();
        // What follows from an answer is asked in its turn too, so that the rate is that of all requests.
        var next = new ConcurrentQueue<Request>();
        double due = 0;
        long before = clock.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                long now = clock.GetTimestamp();
                due += _rate * clock.GetElapsedTime(before, now).TotalSeconds;
                before = now;
                underWay.RemoveAll(task => task.IsCompleted);
                for (; due >= 1 && underWay.Count < MaxUnderWay; due--)
                {
                    Request request = next.TryDequeue(out Request? step) ? step : Any(addresses);
                    underWay.Add(AskAsync(client, request, next, stop));
                }

                // What could not be asked in time is not made up for.
                due = Math.Min(due, 1);
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(underWay);
        }
    }

    private async Task AskAsync(
        HttpClient client, Request request, ConcurrentQueue<Request> next, CancellationToken stop)
    {
        try
        {
            using var message = new HttpRequestMessage(request.Method, request.Url);
            if (request.Body is not null)
                message.Content = new StringContent(request.Body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.SendAsync(message, stop);
            if (answer.Headers.Location is { } location && Random.Shared.Next(2) == 0)
                next.Enqueue(Step(new Uri(request.Url, location), Life()));
            else if (request.Order is { } order && request.Then.Length > 0)
                next.Enqueue(Step(order, request.Then));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            if (!stop.IsCancellationRequested) _log.LogWarning("Demo traffic had no answer: {Error}", exception.Message);
        }
    }

    private static Request Any(Dictionary<string, Uri> addresses)
    {
        string product = $"prod_{(int)(200 * Math.Pow(Random.Shared.NextDouble(), 2))}";
        (string customer, int quantity) = ($"customer-{Random.Shared.Next(100)}", Random.Shared.Next(1, 4));
        return Random.Shared.Next(100) switch
        {
            < 50 => new Request(HttpMethod.Get, new Uri(addresses["products"], $"/products/{product}")),
            < 65 => new Request(HttpMethod.Get, new Uri(addresses["products"], "/products?limit=20")),
            < 67 => new Request(HttpMethod.Get, new Uri(addresses["products"], "/products/nothing")),
            < 75 => new Request(HttpMethod.Get, new Uri(addresses["inventory"], $"/inventory/{product}")),
            < 78 => new Request(HttpMethod.Post, new Uri(addresses["inventory"], "/inventory/increase"),
                $$"""{"product_id":"{{product}}","quantity":1}"""),
            _ => new Request(HttpMethod.Post, new Uri(addresses["orders"], "/orders"),
                $$"""{"customer_id":"{{customer}}","items":[{"product_id":"{{product}}","quantity":{{quantity}}}]}"""),
        };
    }

    private static string[] Life() =>
        Random.Shared.Next(3) switch { 0 => ["pay", "ship", "deliver"], 1 => ["pay"], _ => ["cancel"] };

    private static Request Step(Uri order, string[] life) =>
        new(HttpMethod.Post, new Uri($"{order}/{life[0]}")) { Order = order, Then = life[1..] };

    private sealed record Request(HttpMethod Method, Uri Url, string? Body = null)
    {
        /// <summary>The order that it is a step of.</summary>
        public Uri? Order { get; init; }

        /// <summary>The steps that come after it.</summary>
        public string[] Then { get; init; } = [];
    }
}
