using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>
/// Traffic for a first look: the shop sends requests to itself, over its own ports, at a chosen rate. The modules
/// define the requests: mostly reads, some orders, a few increases of stock, and now and then a request for something
/// that does not exist.
/// </summary>
internal sealed class DemoTraffic(IEnumerable<ModuleListener> listeners, TimeProvider clock, ILoggerFactory logs)
    : IAsyncDisposable
{
    /// <summary>Most requests a second.</summary>
    public const int MaxRate = 500;

    /// <summary>How long it lasts by default: forgotten traffic ends by itself.</summary>
    public static readonly TimeSpan DefaultDuration = TimeSpan.FromHours(1);

    /// <summary>The most requests under way: a slow shop gets no more.</summary>
    private const int MaxUnderWay = 100;

    /// <summary>
    /// The header by which the traffic's own requests are known, and its value, which nobody else knows.
    /// </summary>
    private const string MarkHeader = "X-Demo-Traffic";

    private static readonly string Mark = $"{Guid.NewGuid()}";

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    /// <summary>The time over which the rate is measured.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly ModuleListener[] _listeners = [.. listeners];
    private readonly ILogger _log = logs.CreateLogger("Shop.traffic");
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private volatile Plan? _plan;
    private volatile Reached? _reached;
    private long _answered;
    private bool _isDisposed;

    /// <summary>Makes each request in place of the modules; null to use theirs.</summary>
    public Func<(Uri Service, DemoRequest Request)>? Source { get; init; }

    /// <summary>The highest requests a second, on all services together; 0 if there is no traffic.</summary>
    public int Rate => _plan?.Rate ?? 0;

    /// <summary>The requested and the measured traffic; null if there is none.</summary>
    public TrafficState? State => _plan is not { } plan ? null
        : new TrafficState(plan.Rate, plan.Shape, plan.EndsAt, _reached?.Wanted, _reached?.Answered);

    /// <summary>Starts the traffic, or changes it.</summary>
    /// <param name="rate">Requests a second at most.</param>
    /// <param name="authorization">
    /// The <c>Authorization</c> of the client that starts it: its requests are made in its name.
    /// </param>
    /// <param name="shape">How the rate changes; constant if it is missing.</param>
    /// <param name="duration">When it ends by itself; <see cref="DefaultDuration"/> if it is missing.</param>
    public void Start(int rate, string? authorization, TrafficShape? shape = null, TimeSpan? duration = null)
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            // There is at most one loop; a further start only replaces the plan.
            TimeSpan lasts = duration ?? DefaultDuration;
            _plan = new Plan(rate, shape ?? TrafficShape.Constant, clock.GetTimestamp(), lasts,
                clock.GetUtcNow() + lasts, authorization);
            if (_stop is not null) return;
            _log.LogInformation("Demo traffic has begun; its refused requests are not logged");
            _stop = new CancellationTokenSource();
            CancellationToken stop = _stop.Token;
            Task run = Task.Run(() => RunAsync(stop), CancellationToken.None);
            _running = _running.IsCompleted ? run : Task.WhenAll(_running, run);
        }
    }

    /// <summary>Whether a request is one of this traffic's own.</summary>
    public static bool IsDemoRequest(HttpRequest request) => request.Headers[MarkHeader] == Mark;

    /// <summary>Stops.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _plan = null;
            _reached = null;
            _stop?.Cancel();
            _stop?.Dispose();
            _stop = null;
        }
    }

    /// <summary>Stops for good, and waits for the requests under way.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock) _isDisposed = true;
        Stop();
        await _running;
    }

    private async Task RunAsync(CancellationToken stop)
    {
        // The request that starts the traffic ends; each request of the traffic begins a trace of its own.
        Activity.Current = null;
        using HttpClient client = DirectHttpClient.Create();
        client.DefaultRequestHeaders.Add(MarkHeader, Mark);
        long before = clock.GetTimestamp(); // before the timer starts, or its first tick might find nothing due
        using var timer = new PeriodicTimer(Tick, clock);
        var underWay = new List<Task>();
        // A request that follows from an answer is one of the rate, too.
        var next = new ConcurrentQueue<(Uri Service, DemoRequest Request)>();
        double due = 0, wanted = 0;
        var past = new Queue<(long At, double Wanted, long Answered)>();
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                long now = clock.GetTimestamp();
                if (_plan is not { } plan) break;
                TimeSpan since = clock.GetElapsedTime(plan.Start, now);
                if (since >= plan.Lasts && TryEnd(plan)) break;

                double more = plan.Rate * plan.Shape.Share(since) * clock.GetElapsedTime(before, now).TotalSeconds;
                (due, wanted, before) = (due + more, wanted + more, now);
                Measure(past, now, wanted);
                underWay.RemoveAll(task => task.IsCompleted);
                for (; due >= 1 && underWay.Count < MaxUnderWay; due--)
                {
                    (Uri service, DemoRequest request) =
                        next.TryDequeue(out (Uri, DemoRequest) step) ? step : RandomRequest();
                    underWay.Add(SendAsync(client, plan.Authorization, service, request, next, stop));
                }

                // Requests that could not be sent in time are not sent later.
                due = Math.Min(due, 1);
            }
        }
        catch (OperationCanceledException)
        {
            // It was stopped.
        }

        await Task.WhenAll(underWay);
    }

    // False if the plan has just been replaced.
    private bool TryEnd(Plan plan)
    {
        lock (_lock)
        {
            if (_plan != plan) return false;
            Stop();
        }

        _log.LogInformation("Demo traffic has ended by itself after {Duration}", plan.Lasts);
        return true;
    }

    private void Measure(Queue<(long At, double Wanted, long Answered)> past, long now, double wanted)
    {
        long answered = Interlocked.Read(ref _answered);
        past.Enqueue((now, wanted, answered));
        while (clock.GetElapsedTime(past.Peek().At, now) > Window) past.Dequeue();
        (long at, double wantedThen, long answeredThen) = past.Peek();
        double seconds = clock.GetElapsedTime(at, now).TotalSeconds;
        if (seconds >= 1)
            _reached = new Reached((wanted - wantedThen) / seconds, (answered - answeredThen) / seconds);
    }

    private async Task SendAsync(HttpClient client, string? authorization, Uri service, DemoRequest request,
        ConcurrentQueue<(Uri Service, DemoRequest Request)> next, CancellationToken stop)
    {
        try
        {
            using var message = new HttpRequestMessage(request.Method, new Uri(service, request.Path));
            if (authorization is not null)
                message.Headers.TryAddWithoutValidation("Authorization", authorization);
            if (request.Body is not null)
                message.Content = new StringContent(request.Body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.SendAsync(message, stop);
            Interlocked.Increment(ref _answered);
            if (request.Then?.Invoke(answer) is { } step) next.Enqueue((service, step));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            if (!stop.IsCancellationRequested)
                _log.LogWarning("Demo traffic had no answer: {Error}", exception.Message);
        }
    }

    // Of any module, by weight.
    private (Uri Service, DemoRequest Request) RandomRequest()
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

    private sealed record Plan(
        int Rate, TrafficShape Shape, long Start, TimeSpan Lasts, DateTimeOffset EndsAt, string? Authorization);

    private sealed record Reached(double Wanted, double Answered);
}

/// <summary>Demo traffic that runs.</summary>
/// <param name="Rate">Requests a second at most, on all services together.</param>
/// <param name="Shape">How the rate changes.</param>
/// <param name="EndsAt">When it ends by itself.</param>
/// <param name="Wanted">
/// Requests a second over the last seconds, as rate and shape say; null in the first second.
/// </param>
/// <param name="Answered">Requests a second over the last seconds that had an answer.</param>
internal sealed record TrafficState(
    int Rate, TrafficShape Shape, DateTimeOffset EndsAt, double? Wanted, double? Answered);
