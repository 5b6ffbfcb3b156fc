using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>
/// Traffic for a first look: the shop sends requests to itself, over its own ports, at a chosen rate. Each module says
/// which requests: mostly reads, some orders, a few refills, now and then a request for something that is not there.
/// </summary>
internal sealed class DemoTraffic(IEnumerable<ModuleListener> listeners, TimeProvider clock, ILoggerFactory logs)
    : IAsyncDisposable
{
    /// <summary>Most requests a second.</summary>
    public const int MaxRate = 500;

    /// <summary>Requests under way at most: a shop that is slow is not asked for more.</summary>
    private const int MaxUnderWay = 100;

    /// <summary>
    /// The header by which the traffic's own requests are known, and its value, which nobody else knows.
    /// </summary>
    private const string MarkHeader = "X-Demo-Traffic";

    private static readonly string Mark = $"{Guid.NewGuid()}";

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly ModuleListener[] _listeners = [.. listeners];
    private readonly ILogger _log = logs.CreateLogger("Shop.traffic");
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private volatile int _rate;
    private bool _isDisposed;

    /// <summary>Makes each request in place of the modules; null if they do.</summary>
    public Func<(Uri Service, DemoRequest Request)>? Source { get; init; }

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
            _log.LogInformation("Demo traffic has begun; what is refused to it has no line here");
            _stop = new CancellationTokenSource();
            CancellationToken stop = _stop.Token;
            Task run = Task.Run(() => RunAsync(authorization, stop), CancellationToken.None);
            _running = _running.IsCompleted ? run : Task.WhenAll(_running, run);
        }
    }

    /// <summary>Whether a request is one of this traffic's own.</summary>
    public static bool Sent(HttpRequest request) => request.Headers[MarkHeader] == Mark;

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
        // The request that starts the traffic ends; each request of the traffic begins a trace of its own.
        Activity.Current = null;
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Add(MarkHeader, Mark);
        if (authorization is not null)
            client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", authorization);
        using var timer = new PeriodicTimer(Tick, clock);
        var underWay = new List<Task>();
        // A request that follows from an answer is one of the rate, too.
        var next = new ConcurrentQueue<(Uri Service, DemoRequest Request)>();
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
                    (Uri service, DemoRequest request) = next.TryDequeue(out (Uri, DemoRequest) step) ? step : Any();
                    underWay.Add(AskAsync(client, service, request, next, stop));
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

    private async Task AskAsync(HttpClient client, Uri service, DemoRequest request,
        ConcurrentQueue<(Uri Service, DemoRequest Request)> next, CancellationToken stop)
    {
        try
        {
            using var message = new HttpRequestMessage(request.Method, new Uri(service, request.Path));
            if (request.Body is not null)
                message.Content = new StringContent(request.Body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.SendAsync(message, stop);
            if (request.Then?.Invoke(answer) is { } step) next.Enqueue((service, step));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            if (!stop.IsCancellationRequested)
                _log.LogWarning("Demo traffic had no answer: {Error}", exception.Message);
        }
    }

    // A request of any module, as often as its weight says.
    private (Uri Service, DemoRequest Request) Any()
    {
        if (Source is not null) return Source();
        int chosen = Random.Shared.Next(_listeners.Sum(listener => listener.DemoRequests.Sum(kind => kind.Weight)));
        foreach (ModuleListener listener in _listeners)
        {
            foreach ((int weight, Func<DemoRequest> make) in listener.DemoRequests)
            {
                if (chosen < weight) return (listener.Address, make());
                chosen -= weight;
            }
        }

        throw new InvalidOperationException("No module has demo traffic.");
    }
}
