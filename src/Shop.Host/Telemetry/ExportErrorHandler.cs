using System.Diagnostics;
using System.Net.Http.Headers;

namespace Shop.Host.Telemetry;

/// <summary>
/// Reports on the standard error that traces or logs can't be sent, at most once a minute. It does not use the log,
/// because the log is sent the same way.
/// </summary>
internal sealed class ExportErrorHandler() : DelegatingHandler(new SocketsHttpHandler())
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private static long _last;

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return Checked(request, base.Send(request, cancellationToken));
        }
        catch (Exception exception)
        {
            Report(request, exception.Message);
            throw;
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            HttpResponseMessage answer = await base.SendAsync(request, cancellationToken);
            await answer.Content.LoadIntoBufferAsync(cancellationToken); // gRPC's status may follow the content
            return Checked(request, answer);
        }
        catch (Exception exception)
        {
            Report(request, exception.Message);
            throw;
        }
    }

    private static HttpResponseMessage Checked(HttpRequestMessage request, HttpResponseMessage answer)
    {
        if (!answer.IsSuccessStatusCode) Report(request, $"it answered {(int)answer.StatusCode}");
        else if ((GrpcStatus(answer.Headers) ?? GrpcStatus(answer.TrailingHeaders)) is { } status and not "0")
            Report(request, $"it answered with gRPC's status {status}");
        return answer;
    }

    private static string? GrpcStatus(HttpResponseHeaders headers) =>
        headers.TryGetValues("grpc-status", out IEnumerable<string>? values) ? values.First() : null;

    private static void Report(HttpRequestMessage request, string why)
    {
        long now = Stopwatch.GetTimestamp(), last = Volatile.Read(ref _last);
        if (last != 0 && Stopwatch.GetElapsedTime(last, now) < Pause) return;
        if (Interlocked.CompareExchange(ref _last, now, last) != last) return;
        string to = request.RequestUri!.GetComponents( // without a user's name and password
            UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        Console.Error.WriteLine($"Traces or logs could not be sent to {to}, and may be lost: {why}");
    }
}
