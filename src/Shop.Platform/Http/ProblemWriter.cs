using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Shop.Platform.Pages;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Http;

/// <summary>
/// Answers a request by a problem: logs it, counts it if a limit refused the request, and writes it as JSON or as a
/// page.
/// </summary>
internal static class ProblemWriter
{
    public static void Write(HttpContext http, Problem problem)
    {
        string traceId = TraceId.Of(http);
        var listener = http.Features.GetRequiredFeature<ModuleListener>();
        listener.Failures.Log(http.Request, problem, traceId);
        RequestSpan.Refused(problem);
        if (problem.Limit is { } limit) listener.Metrics.CountRefusal(limit);
        HttpResponse response = http.Response;
        if (problem.RetryAfterSeconds is { } seconds) response.Headers.RetryAfter = seconds.ToString();
        // Errors are never cached, whatever the route says of its answers.
        response.Headers.CacheControl = "no-store";
        AcceptHeader.Vary(response.Headers);
        if (AcceptHeader.PrefersHtml(http.Request.Headers))
        {
            HttpRequest request = http.Request;
            string asked = $"{request.PathBase}{request.Path}{request.QueryString}";
            bool mayHelp = HttpMethods.IsGet(request.Method) && problem.Status is 429 or >= 500
                && Page.IsOfThisService(asked);
            Page.WriteError(http, new ErrorModel(
                problem.Status, problem.Error, problem.Errors?.All ?? [], problem.RetryAfterSeconds, traceId)
            {
                Again = mayHelp ? asked : null,
            });
            return;
        }

        ReadOnlySpan<byte> body = problem.ToJson(traceId);
        response.StatusCode = problem.Status;
        response.ContentType = Problem.ContentType;
        response.ContentLength = body.Length;
        JsonResponse.Write(response, body);
    }
}
