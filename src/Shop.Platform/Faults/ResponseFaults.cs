using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;

namespace Shop.Platform.Faults;

/// <summary>
/// Trouble in the answers of the API: never in those of pages, health, metrics, documents and faults.
/// </summary>
internal sealed class ResponseFaults(FaultCatalogue all, Fault slow, Fault failing)
{
    // As a fault in a handler is answered.
    private static readonly Problem Failure = new(StatusCodes.Status500InternalServerError,
        "Something went wrong inside the shop: trouble on demand (failing_answers).", "trouble-on-demand");

    /// <summary>Whether a request must come by here.</summary>
    public bool AnyRuns => all.AnyRuns;

    /// <summary>Answers a request, late or with a failure.</summary>
    /// <param name="http">The request.</param>
    /// <param name="route">The template of its route.</param>
    /// <param name="answer">Answers it as usual.</param>
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
