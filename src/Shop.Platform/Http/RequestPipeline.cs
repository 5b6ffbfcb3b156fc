using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Data;

namespace Shop.Platform.Http;

/// <summary>
/// What surrounds every request of a module: it is counted and timed, admitted or refused, and whatever goes wrong ends in a
/// problem that tells the client what it can do, and nothing of the inside.
/// </summary>
internal sealed class RequestPipeline(ModuleListener listener, RequestDelegate next)
{
    private readonly RequestMetrics _metrics = listener.Metrics;
    private readonly int _limit = listener.Module.Settings.MaxConcurrentRequests;

    public Task InvokeAsync(HttpContext http)
    {
        Endpoint? endpoint = http.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<RequestMetrics.RouteMetrics>() is { } route) return CountAsync(http, route);
        if (endpoint?.Metadata.GetMetadata<Uncounted>() is not null) return GuardAsync(http);
        return CountAsync(http, _metrics.ForUnmatched(http.Request.Method));
    }

    private async Task CountAsync(HttpContext http, RequestMetrics.RouteMetrics route)
    {
        long start = Stopwatch.GetTimestamp();
        int code = 0;
        bool isAdmitted = _metrics.Begin() <= _limit;
        try
        {
            Task answer = isAdmitted ? GuardAsync(http) : TooManyRequests().ExecuteAsync(http);
            bool isQuick = answer.IsCompletedSuccessfully;
            await answer;
            code = http.Response.StatusCode;
            // Asking costs an allocation, and a client has no time to go away during an answer that never waited.
            if (!isQuick && http.RequestAborted.IsCancellationRequested) code = RequestMetrics.ClientClosedRequest;
        }
        finally
        {
            _metrics.End(route, code == 0 ? StatusCodes.Status500InternalServerError : code, Stopwatch.GetElapsedTime(start));
        }
    }

    private async Task GuardAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (IsBareError(http.Response)) await ProblemOf(http).ExecuteAsync(http);
        }
        catch (Exception exception)
        {
            await AnswerAsync(http, exception);
        }
    }

    private async Task AnswerAsync(HttpContext http, Exception exception)
    {
        if (http.RequestAborted.IsCancellationRequested || exception is ConnectionResetException)
        {
            if (!http.Response.HasStarted) http.Response.StatusCode = RequestMetrics.ClientClosedRequest;
            return;
        }

        Problem problem = exception switch
        {
            BadHttpRequestException bad => new Problem(bad.StatusCode, bad.Message),
            WriteQueueFullException => QueueFull(),
            StoreUnavailableException store => Problem.Unavailable("The shop can't write to its disk at the moment; try again soon.", "store-unavailable", store),
            _ => new Problem(StatusCodes.Status500InternalServerError, "Something went wrong inside the shop; the log has it under the trace_id.") { Cause = exception },
        };
        if (http.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            http.Abort();
            return;
        }

        http.Response.Clear();
        await problem.ExecuteAsync(http);
    }

    private Problem QueueFull()
    {
        _metrics.CountQueueFull();
        return Problem.Unavailable("Too many writes are waiting; try again in a second.", "queue-full");
    }

    private static Problem TooManyRequests() =>
        new(StatusCodes.Status429TooManyRequests, "Too many requests at once; try again in a second.", "too-many-requests") { RetryAfterSeconds = 1 };

    private static bool IsBareError(HttpResponse response) =>
        response.StatusCode >= 400 && !response.HasStarted && response.ContentType is null && response.ContentLength is null;

    private static Problem ProblemOf(HttpContext http) => http.Response.StatusCode switch
    {
        404 => new Problem(404, $"There is nothing at {http.Request.Path.ToUriComponent()} on this port; GET / lists what there is."),
        405 => new Problem(405, $"{http.Request.Method} is not possible here; Allow says what is: {http.Response.Headers.Allow}."),
        int code => new Problem(code, "The request was refused."),
    };
}

/// <summary>Marks the routes that watch the module rather than use it: they are not counted as its requests.</summary>
internal sealed class Uncounted
{
    public static Uncounted Mark { get; } = new();
}
