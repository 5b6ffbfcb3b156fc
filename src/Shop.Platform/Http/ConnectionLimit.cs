using System.Diagnostics;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Shop.Platform.Security;

namespace Shop.Platform.Http;

/// <summary>
/// Limits the connections of a listener. A further connection evicts another; if none can be evicted, it is answered
/// 503 and closed, without parsing its request. The server's own limit would close it without an answer.
/// </summary>
internal sealed class ConnectionLimit(ModuleListener listener)
{
    /// <summary>Connections that may wait for their refusal; further connections are closed at once.</summary>
    public const int BeingRefused = 1024;

    /// <summary>How long a connection beyond the limit may take to send a request.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (listener.Connections.TryAdd(connection, listener) is not { } admitted)
        {
            await RefuseAsync(connection.Transport);
            return;
        }

        using (admitted)
        {
            connection.Transport = admitted;
            connection.Features.Set(admitted);
            await next(connection);
        }
    }

    private async Task RefuseAsync(IDuplexPipe client)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            // Its request is read first: a connection that is closed with unread bytes is reset, and its client might
            // never see the answer.
            ReadResult read = await client.Input.ReadAsync(patience.Token);
            bool asks = !read.Buffer.IsEmpty;
            client.Input.AdvanceTo(read.Buffer.End);
            if (!asks) return;
            listener.Metrics.CountRefusedConnection();
            await client.Output.WriteAsync(Answer(), patience.Token);
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or ConnectionResetException or ConnectionAbortedException)
        {
            // It sent no request, or is gone: nobody would read the answer.
        }
    }

    private byte[] Answer()
    {
        string traceId = ActivityTraceId.CreateRandom().ToHexString();
        Problem problem = LimitRefusals.TooManyConnections;
        listener.Failures.Take(isError: false)?.LogInformation(
            "A connection beyond the limit was answered {Status}: {Error} (trace_id {TraceId})", problem.Status,
            problem.Error, traceId);
        ReadOnlySpan<byte> body = problem.ToJson(traceId);
        string head = string.Join("\r\n", "HTTP/1.1 503 Service Unavailable", "Connection: close",
            "Content-Type: application/problem+json", $"Content-Length: {body.Length}",
            $"Retry-After: {problem.RetryAfterSeconds}", "Cache-Control: no-store");
        return [.. Encoding.ASCII.GetBytes($"{head}\r\n{SecurityHeaders.Lines}\r\n"), .. body];
    }
}
