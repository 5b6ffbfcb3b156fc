using Microsoft.Extensions.Logging;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Platform.Faults;

/// <summary>
/// The faults that are requests: <c>flash_crowd</c> and <c>hostile_client</c>. The shop sends them to itself, like demo
/// traffic.
/// </summary>
internal sealed class FaultTraffic(IEnumerable<ModuleListener> listeners, TimeProvider clock, ILoggerFactory logs)
{
    private static readonly string[] Verbs = ["GET", "POST", "PUT", "DELETE", "HEAD"];

    private readonly ModuleListener[] _listeners = [.. listeners];

    /// <summary>Many customers, with the requests of demo traffic.</summary>
    public Task CrowdAsync(FaultRun run, CancellationToken end) => SendAsync(run, source: null, end);

    /// <summary>A client with random paths, methods and ids.</summary>
    public Task HostileAsync(FaultRun run, CancellationToken end) => SendAsync(run, MakeUp, end);

    private async Task SendAsync(FaultRun run, Func<(Uri Service, DemoRequest Request)>? source, CancellationToken end)
    {
        await using var traffic = new DemoTraffic(_listeners, clock, logs) { Source = source };
        traffic.Start((int)run.Intensity, run.Authorization);
        await Task.Delay(Timeout.InfiniteTimeSpan, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // A path, a method, an id or a parameter that is new.
    private (Uri Service, DemoRequest Request) MakeUp()
    {
        ModuleListener listener = _listeners[Random.Shared.Next(_listeners.Length)];
        string word = Guid.NewGuid().ToString("N")[..12];
        string known = listener.DemoRequests[Random.Shared.Next(listener.DemoRequests.Count)].Make().Path;
        string folder = known[..(known.LastIndexOf('/') + 1)];
        var anyVerb = new HttpMethod(Verbs[Random.Shared.Next(Verbs.Length)]);
        return (listener.Address, Random.Shared.Next(4) switch
        {
            0 => new DemoRequest(anyVerb, $"/{word}/{word}"),
            1 => new DemoRequest(HttpMethod.Get, $"{folder}{word}"),
            2 => new DemoRequest(new HttpMethod($"X{word}"), known),
            _ => new DemoRequest(HttpMethod.Get, $"{known.Split('?')[0]}?{word}={word}"),
        });
    }
}
