using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Net.Http.Headers;
using Shop.Platform.Http;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Live;

/// <summary>
/// A feed as server-sent events, to a bounded number of clients. A stream ends with the client, or with the shop. A
/// client that finds no free stream polls for JSON instead: the events since its last one.
/// </summary>
/// <param name="feed">The feed.</param>
/// <param name="isForAllServices">Whether pages of the shop's other services may follow it, too.</param>
internal sealed class EventStream(EventFeed feed, bool isForAllServices = false)
{
    /// <summary>Clients of one stream at most; further clients are answered 503.</summary>
    public const int MaxClients = 256;

    /// <summary>
    /// How long a stream is silent at most. Proxies close connections that are silent for longer: nginx after 60 s by
    /// default, HAProxy after 30 s in most examples.
    /// </summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a client may leave data unacknowledged, before the connection is closed because the client has
    /// vanished.
    /// </summary>
    private static readonly TimeSpan MaxUnacknowledged = TimeSpan.FromSeconds(15);

    // Events in between are sent together: a thousand orders a second must not wake each client a thousand times.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly StreamLimiter _streams = new(MaxClients);

    /// <summary>Answers a client: by a stream, or by JSON if it asks for that.</summary>
    public Task AnswerAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store, no-transform";
        AcceptHeader.Vary(http.Response.Headers);
        // The page of the whole shop is served by one service, and shows all of them.
        if (isForAllServices && Site.IsOwnOrigin(http, http.Request.Headers.Origin))
            http.Response.Headers.AccessControlAllowOrigin = http.Request.Headers.Origin;
        // A client that lost its stream sends the header; a page that was rendered at an event sends the parameter.
        string last = http.Request.Headers["Last-Event-ID"].ToString();
        string? after = last.Length > 0 ? last : http.Request.Query["after"];
        if (WantsJson(http.Request)) return OnceAsync(http, after);
        if (!HttpMethods.IsHead(http.Request.Method)) return StreamAsync(http, after);
        SetHeaders(http.Response); // without a lease, so no stream ends for it
        return Task.CompletedTask;
    }

    private static void SetHeaders(HttpResponse response)
    {
        response.ContentType = "text/event-stream";
        // Otherwise the server waits for a further request of a client that vanished, and logs an error.
        response.Headers.Connection = "close";
        response.Headers["X-Accel-Buffering"] = "no"; // nginx would collect the events
    }

    private static bool WantsJson(HttpRequest request) =>
        MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out IList<MediaTypeHeaderValue>? wished)
        && wished.Any(range => range.MediaType == "application/json")
        && !wished.Any(range => range.MediaType == "text/event-stream");

    private async Task OnceAsync(HttpContext http, string? after)
    {
        EventFeed.Batch batch = await feed.OpenAsync(after);
        using var body = new MemoryStream();
        await using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("id", feed.Id(batch.Last));
            json.WriteNumber("places", _streams.Free);
            json.WriteStartArray("events");
            foreach (FeedEvent happened in batch.Events)
            {
                json.WriteStartObject();
                json.WriteString("event", happened.Name);
                json.WritePropertyName("data");
                json.WriteRawValue(await happened.DataAsync(), skipInputValidation: true);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        http.Response.ContentType = JsonResponse.ContentType;
        http.Response.ContentLength = body.Length;
        JsonResponse.Write(http.Response, body.GetBuffer().AsSpan(0, (int)body.Length));
    }

    private async Task StreamAsync(HttpContext http, string? after)
    {
        using StreamLimiter.Lease? lease = _streams.TryAcquire(ClientAddress.Of(http));
        if (lease is null)
        {
            string error = $"{MaxClients} clients watch already; try again later, or ask for application/json.";
            await Problem.Unavailable(error, "too-many-watchers").ExecuteAsync(http);
            return;
        }

        var lifetime = http.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var end =
            CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping,
                lease.Evicted);
        try
        {
            EndIfNobodyAcknowledges(http);
            SetHeaders(http.Response);
            await SendAsync(http.Response.BodyWriter, after, end.Token);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The client has gone, or the stream was evicted.
        }
    }

    private async Task SendAsync(PipeWriter client, string? after, CancellationToken end)
    {
        Write(client, "retry: 1000\n\n");
        EventFeed.Batch batch = await feed.OpenAsync(after);
        bool isBeat = batch.Events.Count == 0;
        Task beat = Task.Delay(Heartbeat, end);
        while (true)
        {
            // Its id is that of the last event: a client that loses its stream before the first event continues from
            // here.
            if (isBeat) Write(client, $"event: beat\nid: {feed.Id(batch.Last)}\ndata: {{}}\n\n");
            for (int i = 0; i < batch.Events.Count; i++)
            {
                FeedEvent happened = batch.Events[i];
                long number = batch.IsOpening ? batch.Last : batch.Last - batch.Events.Count + 1 + i;
                Write(client, $"event: {happened.Name}\nid: {feed.Id(number)}\ndata: ");
                client.Write(await happened.DataAsync());
                Write(client, "\n\n");
            }

            if ((await client.FlushAsync(end)).IsCompleted) return;
            await Task.Delay(Pause, end);
            await Task.WhenAny(feed.NextAsync(batch.Last), beat);
            end.ThrowIfCancellationRequested();
            isBeat = beat.IsCompleted;
            if (isBeat) beat = Task.Delay(Heartbeat, end);
            batch = feed.Since(batch.Last) ?? await feed.OpenAsync(feed.Id(batch.Last));
        }
    }

    // Without this, TCP retries for a quarter of an hour.
    private static void EndIfNobodyAcknowledges(HttpContext http)
    {
        const int Tcp = 6, UserTimeout = 18;
        if (!OperatingSystem.IsLinux()) return;
        byte[] milliseconds = BitConverter.GetBytes((int)MaxUnacknowledged.TotalMilliseconds);
        http.Features.Get<IConnectionSocketFeature>()?.Socket.SetRawSocketOption(Tcp, UserTimeout, milliseconds);
    }

    private static void Write(PipeWriter client, string text) => Encoding.UTF8.GetBytes(text, client);
}
