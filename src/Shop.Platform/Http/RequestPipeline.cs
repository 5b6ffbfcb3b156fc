using System.Diagnostics;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Security;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Http;

/// <summary>
/// Surrounds every request of a module: counts and times it, admits or refuses it, and turns every error into problem
/// details that tell the client what it can do, but nothing about the inside of the shop.
/// </summary>
/// <remarks>An answer that is ready at once takes a path without a state machine: most reads do.</remarks>
/// <param name="listener">The module's listener.</param>
/// <param name="compress">Answers a route whose answer is worth compressing.</param>
/// <param name="admission">Decides which requests are admitted.</param>
/// <param name="next">Answers unmatched requests.</param>
internal sealed class RequestPipeline(ModuleListener listener, RequestDelegate compress, Admission admission,
    RequestDelegate next)
{
    private readonly RequestMetrics _metrics = listener.Metrics;
    private readonly ActivitySource _traces = listener.Module.Traces;
    private readonly int _limit = listener.Module.Settings.MaxConcurrentRequests;
    private readonly DatabaseConsistency _consistency = listener.Module.Consistency;
    private readonly RequestDelegate _refuse = static http => LimitRefusals.TooManyRequests.ExecuteAsync(http);

    public Task InvokeAsync(HttpContext http)
    {
        GroupCommitWriter.AssertIsElsewhere();
        Endpoint? endpoint = http.GetEndpoint();
        IHeaderDictionary headers = http.Response.Headers;
        SecurityHeaders.AddTo(headers);
        var caching = Caching.Of(endpoint);
        caching.AddTo(headers);
        if (!Framing.IsUnambiguous(http.Request))
            return Count(http, Framing.RefuseAsync, _metrics.ForUnmatched(http.Request.Method));
        if (endpoint is null) return Count(http, next, _metrics.ForUnmatched(http.Request.Method));
        RequestDelegate answer = caching.IsCompressible ? compress : endpoint.RequestDelegate!;
        if (endpoint.Metadata.GetMetadata<RequestMetrics.RouteMetrics>() is { } route)
            return Count(http, answer, route);
        return endpoint.Metadata.GetMetadata<ExcludeFromRequestMetrics>() is null
            ? Count(http, answer, _metrics.ForUnmatched(http.Request.Method))
            : Guard(http, answer, route: null, start: 0);
    }

    private Task Count(HttpContext http, RequestDelegate answer, RequestMetrics.RouteMetrics route) =>
        _traces.HasListeners() ? TraceAsync(http, answer, route) : Measure(http, answer, route);

    private async Task TraceAsync(HttpContext http, RequestDelegate answer, RequestMetrics.RouteMetrics route)
    {
        using Activity? span = RequestSpan.Start(_traces, http, route);
        await Measure(http, answer, route);
        RequestSpan.Answered(span, http.RequestAborted.IsCancellationRequested
            ? RequestMetrics.ClientClosedRequest
            : http.Response.StatusCode);
    }

    private Task Measure(HttpContext http, RequestDelegate answer, RequestMetrics.RouteMetrics route)
    {
        long start = Stopwatch.GetTimestamp();
        return Guard(http, _metrics.Begin() <= _limit ? answer : _refuse, route, start);
    }

    private Task Guard(HttpContext http, RequestDelegate answer, RequestMetrics.RouteMetrics? route, long start)
    {
        PipeReader? body = Framing.BodyOf(http.Request);
        try
        {
            Task answering = (admission.Answer(http, http.GetEndpoint()) ?? RefusalByBooks(http)) is { } notAdmitted
                ? notAdmitted.ExecuteAsync(http) : answer(http);
            if (!answering.IsCompletedSuccessfully) return GuardAsync(http, answering, body, route, start);
            if (IsBareError(http.Response)) ProblemWriter.Write(http, ProblemOf(http));
            if (body is not null) Framing.EndIfUnfinished(http, body);
        }
        catch (Exception exception)
        {
            Answer(http, exception, body);
        }

        End(http.Response.StatusCode, route, start);
        return Task.CompletedTask;
    }

    private async Task GuardAsync(HttpContext http, Task answering, PipeReader? body,
        RequestMetrics.RouteMetrics? route, long start)
    {
        try
        {
            await answering;
            GroupCommitWriter.AssertIsElsewhere();
            if (IsBareError(http.Response)) ProblemWriter.Write(http, ProblemOf(http));
            if (body is not null) Framing.EndIfUnfinished(http, body);
        }
        catch (Exception exception)
        {
            Answer(http, exception, body);
        }
        finally
        {
            // Checked only here: it costs an allocation, and a client has no time to go away during an answer that
            // never waited.
            End(http.RequestAborted.IsCancellationRequested ? RequestMetrics.ClientClosedRequest
                : http.Response.StatusCode, route, start);
            http.Features.Get<ClientConnection>()?.Answered();
        }
    }

    // Whatever is changed while the books disagree makes them worse.
    private Problem? RefusalByBooks(HttpContext http)
    {
        if (_consistency.Holds || HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method)
            || HttpMethods.IsOptions(http.Request.Method)) return null;
        return new Problem(StatusCodes.Status503ServiceUnavailable,
            $"The shop changes nothing, because its books disagree: {_consistency.Difference}.", "books-disagree")
        {
            RetryAfterSeconds = 60,
        };
    }

    private void End(int code, RequestMetrics.RouteMetrics? route, long start)
    {
        if (route is not null) _metrics.End(route, code, Stopwatch.GetElapsedTime(start));
    }

    private void Answer(HttpContext http, Exception exception, PipeReader? body)
    {
        if (http.RequestAborted.IsCancellationRequested || exception is ConnectionResetException)
        {
            // An aborted body leaves its reader in the middle of a read, so this connection must not be reused. The
            // header is for the server: the client has gone.
            if (!http.Response.HasStarted)
            {
                http.Response.StatusCode = RequestMetrics.ClientClosedRequest;
                http.Response.Headers.Connection = "close";
                _ = http.Response.StartAsync();
            }

            http.Abort();
            return;
        }

        Problem problem = exception switch
        {
            BadHttpRequestException bad => new Problem(bad.StatusCode, bad.Message),
            WriteQueueFullException => LimitRefusals.QueueFull,
            WriteTimeoutException => LimitRefusals.QueueTimeout,
            ServiceDownException down => Problem.Unavailable(
                $"The service {down.Module} does not answer at the moment; try again soon.", "service-down", down),
            StoreUnavailableException or StoreUnreachableException => Problem.Unavailable(
                "The shop can't use its database at the moment; try again soon.", "store-unavailable",
                exception),
            TooManyQueriesException => LimitRefusals.TooManyRequests,
            QueryTimeoutException late => LimitRefusals.QueryTimeout(late.Deadline),
            StoreUnreadableException unreadable => Unreadable(unreadable.InnerException!),
            _ => new Problem(StatusCodes.Status500InternalServerError,
                "Something went wrong inside the shop; the log has it under the trace_id.")
            { Cause = exception },
        };
        if (http.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            http.Abort();
            return;
        }

        http.Response.Clear();
        SecurityHeaders.AddTo(http.Response.Headers);
        Caching.Of(http.GetEndpoint()).AddTo(http.Response.Headers);
        admission.AddHeaders(http);
        ProblemWriter.Write(http, problem);
        if (body is null) return;
        // Whatever else went wrong, the body may be in the middle of a read.
        if (exception is BadHttpRequestException || problem.Status == StatusCodes.Status500InternalServerError)
            http.Response.Headers.Connection = "close";
        else Framing.EndIfUnfinished(http, body);
    }

    private static Problem Unreadable(Exception exception) => Problem.Unavailable(
        "The shop can't read this from its database at the moment; try again soon.", "store-unavailable",
            exception);

    private static bool IsBareError(HttpResponse response) =>
        response.StatusCode >= 400 && !response.HasStarted && response.ContentType is null
            && response.ContentLength is null;

    private static Problem ProblemOf(HttpContext http) => http.Response.StatusCode switch
    {
        404 => new Problem(404,
            $"There is nothing at {http.Request.Path.ToUriComponent()} on this port; GET / lists what there is."),
        405 => new Problem(405,
            $"{http.Request.Method} is not possible here; Allow says what is: {http.Response.Headers.Allow}."),
        int code => new Problem(code, "The request was refused."),
    };
}

/// <summary>Marks the routes that watch the module rather than use it: they are not counted as its requests.</summary>
internal sealed class ExcludeFromRequestMetrics
{
    public static ExcludeFromRequestMetrics Mark { get; } = new();
}
