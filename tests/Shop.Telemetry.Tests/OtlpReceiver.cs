using System.Collections.Concurrent;
using System.IO.Compression;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Shop.Telemetry.Tests;

/// <summary>A span as it left the shop.</summary>
internal sealed record SeenSpan(
    IReadOnlyDictionary<string, string> Resource, string TraceId, string SpanId, string ParentId, string State,
    string Name,
    SpanKind Kind, ulong Start, ulong End, IReadOnlyDictionary<string, string> Attributes,
    IReadOnlyList<(string Name, IReadOnlyDictionary<string, string> Attributes)> Events,
    IReadOnlyList<(string TraceId, string SpanId)> Links, bool IsError)
{
    public string Service => Resource["service.name"];

    public override string ToString() => $"{Service} {Kind} {Name} {TraceId}/{SpanId} of {ParentId}";
}

/// <summary>A line of the log as it left the shop.</summary>
internal sealed record SeenLog(
    IReadOnlyDictionary<string, string> Resource, string Body, string TraceId, string SpanId,
    IReadOnlyDictionary<string, string> Attributes)
{
    public string Service => Resource["service.name"];
}

/// <summary>Kinds of spans, numbered as in OTLP.</summary>
internal enum SpanKind
{
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// <summary>A receiver of OTLP (protobuf over HTTP), which decodes what comes by the specification alone.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    // Far more than it ever takes, on any machine.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(2);

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<SeenSpan> _spans = new();
    private readonly ConcurrentQueue<SeenLog> _logs = new();
    private readonly ConcurrentQueue<string?> _authorizations = new();
    private readonly SemaphoreSlim _arrived = new(0);

    private OtlpReceiver(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    public IReadOnlyCollection<SeenSpan> Spans => _spans;

    public IReadOnlyCollection<SeenLog> Logs => _logs;

    /// <summary>The header <c>Authorization</c> of each request.</summary>
    public IReadOnlyCollection<string?> Authorizations => _authorizations;

    public static async Task<OtlpReceiver> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        WebApplication app = builder.Build();
        var receiver = new OtlpReceiver(app);
        app.MapPost("/v1/traces", (RequestDelegate)(http => receiver.TakeAsync(http, receiver.TakeSpans)));
        app.MapPost("/v1/logs", (RequestDelegate)(http => receiver.TakeAsync(http, receiver.TakeLogs)));
        await app.StartAsync();
        return receiver;
    }

    /// <summary>Waits until what has arrived is enough.</summary>
    public async Task<T> UntilAsync<T>(Func<OtlpReceiver, T?> enough)
        where T : class
    {
        using var bound = new CancellationTokenSource(MaxWait);
        while (true)
        {
            if (enough(this) is { } found) return found;
            try
            {
                await _arrived.WaitAsync(bound.Token);
            }
            catch (OperationCanceledException exception)
            {
                string logs = string.Join("; ", _logs.Select(log => log.Body));
                throw new TimeoutException(
                    $"It did not arrive. Spans: {string.Join("; ", _spans)}. Logs: {logs}", exception);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _arrived.Dispose();
    }

    private async Task TakeAsync(HttpContext http, Action<Protobuf> take)
    {
        _authorizations.Enqueue(http.Request.Headers.Authorization);
        using var body = new MemoryStream();
        await (http.Request.Headers.ContentEncoding == "gzip"
            ? new GZipStream(http.Request.Body, CompressionMode.Decompress)
            : http.Request.Body).CopyToAsync(body);
        take(new Protobuf(body.ToArray()));
        http.Response.ContentType = "application/x-protobuf";
        _arrived.Release();
    }

    private void TakeSpans(Protobuf request)
    {
        foreach (Protobuf ofResource in request.Messages(1))
        {
            Dictionary<string, string> resource = ofResource.Message(1).Attributes(1);
            foreach (Protobuf span in ofResource.Messages(2).SelectMany(scope => scope.Messages(2)))
            {
                _spans.Enqueue(new SeenSpan(resource, span.Hex(1), span.Hex(2), span.Hex(4), span.Text(3),
                    span.Text(5),
                    (SpanKind)span.Number(6), span.Number(7), span.Number(8), span.Attributes(9),
                    [.. span.Messages(11).Select(@event =>
                        (@event.Text(2), (IReadOnlyDictionary<string, string>)@event.Attributes(3)))],
                    [.. span.Messages(13).Select(link => (link.Hex(1), link.Hex(2)))],
                    span.Message(15).Number(3) == 2));
            }
        }
    }

    private void TakeLogs(Protobuf request)
    {
        foreach (Protobuf ofResource in request.Messages(1))
        {
            Dictionary<string, string> resource = ofResource.Message(1).Attributes(1);
            foreach (Protobuf line in ofResource.Messages(2).SelectMany(scope => scope.Messages(2)))
                _logs.Enqueue(
                    new SeenLog(resource, line.Message(5).AnyValue(), line.Hex(9), line.Hex(10), line.Attributes(6)));
        }
    }
}
