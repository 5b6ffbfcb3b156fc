using System.Diagnostics;

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
            return Checked(request, await base.SendAsync(request, cancellationToken));
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
        return answer;
    }

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
