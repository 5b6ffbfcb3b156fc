using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Shop.Platform.Live;

/// <summary>Server-sent events to a bounded number of clients. A stream ends with the client, or with the shop.</summary>
internal sealed class EventStream
{
    /// <summary>Clients of one stream at most; one more is a 503.</summary>
    public const int MaxClients = 16;

    private int _clients;

    /// <summary>Sends events until the client or the shop ends.</summary>
    /// <param name="http">The request.</param>
    /// <param name="events">Names and data; the data has no line break.</param>
    public async Task SendAsync(HttpContext http, Func<CancellationToken, IAsyncEnumerable<(string Name, string Data)>> events)
    {
        if (Interlocked.Increment(ref _clients) > MaxClients)
        {
            Interlocked.Decrement(ref _clients);
            await Http.Problem.Unavailable($"{MaxClients} clients watch already; try again later.", "too-many-watchers").ExecuteAsync(http);
            return;
        }

        var lifetime = http.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            http.Response.ContentType = "text/event-stream";
            http.Response.Headers.CacheControl = "no-store";
            await http.Response.Body.FlushAsync(end.Token);
            await foreach ((string name, string data) in events(end.Token))
            {
                await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"event: {name}\ndata: {data}\n\n"), end.Token);
                await http.Response.Body.FlushAsync(end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // Nobody watches any more.
        }
        finally
        {
            Interlocked.Decrement(ref _clients);
        }
    }
}
