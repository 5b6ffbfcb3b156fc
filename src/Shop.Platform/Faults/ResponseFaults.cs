using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;

namespace Shop.Platform.Faults;

/// <summary>
/// Faults of the API's answers. Pages, health, metrics, documents and the routes of faults are never affected.
/// </summary>
internal sealed class ResponseFaults(FaultCatalogue all, Fault slow, Fault failing)
{
    // The answer to an exception in a handler, too.
    private static readonly Problem Failure = new(StatusCodes.Status500InternalServerError,
        "Something went wrong inside the shop: trouble on demand (failing_answers).", "trouble-on-demand");

    private readonly ConcurrentDictionary<string, bool> _routes = new(StringComparer.Ordinal);

    /// <summary>Whether requests must pass through here.</summary>
    public bool AnyRuns => all.AnyRuns;

    /// <summary>Adds a route that can be affected.</summary>
    public void AddRoute(string template) => _routes[template] = true;

    /// <summary>Whether there is such a route.</summary>
    public bool HasRoute(string template) => _routes.ContainsKey(template);

    /// <summary>Answers a request, perhaps late or with a failure.</summary>
    /// <param name="http">The request.</param>
    /// <param name="route">The template of its route.</param>
    /// <param name="answer">The usual handler.</param>
    public async Task AnswerAsync(HttpContext http, string route, RequestDelegate answer)
    {
        if (slow.Run is { } run && run.Strikes(route))
        {
            await run.DelayAsync(TimeSpan.FromSeconds((double)run.Intensity), http.RequestAborted);
            http.RequestAborted.ThrowIfCancellationRequested();
        }

        await (failing.Run?.Strikes(route) == true && failing.Strikes() ? Failure.ExecuteAsync(http) : answer(http));
    }
}
