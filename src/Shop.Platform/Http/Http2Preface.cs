using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Shop.Platform.Http;

/// <summary>
/// A client that begins in HTTP/2 is told in HTTP/2 that this is HTTP/1.1. The server alone would answer 505 in
/// HTTP/1.1, which such a client can't read.
/// </summary>
internal sealed class Http2Preface(ModuleListener listener)
{
    private static readonly byte[] Answer = [.. Frame(type: 4, []), .. Frame(type: 7, GoAway())];

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0"u8;

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (await ReadPrefaceAsync(connection))
            {
                await AnswerAsync(connection);
                return;
            }
        }
        catch (Exception exception) when (
            exception is OperationCanceledException or ConnectionResetException or ConnectionAbortedException)
        {
            return; // It sent nothing, or is gone, or the shop stops.
        }

        await next(connection);
    }

    // Leaves what has arrived for the server.
    private static async ValueTask<bool> ReadPrefaceAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        if (!input.TryRead(out ReadResult read)) read = await WaitAsync(connection, input);
        while (MayBecomePreface(read))
        {
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await WaitAsync(connection, input);
        }

        bool isPreface = CountMatching(read.Buffer) == Preface.Length;
        input.AdvanceTo(isPreface ? read.Buffer.End : read.Buffer.Start);
        return isPreface;
    }

    // As long as the server would wait for a first request.
    private static async ValueTask<ReadResult> WaitAsync(ConnectionContext connection, PipeReader input)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(
            connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested
                ?? CancellationToken.None);
        end.CancelAfter(ModuleListener.KeepAlive);
        return await input.ReadAsync(end.Token);
    }

    private static bool MayBecomePreface(ReadResult read) =>
        !read.IsCompleted && read.Buffer.Length < Preface.Length && CountMatching(read.Buffer) == read.Buffer.Length;

    // How many bytes agree with the preface; -1 if one does not.
    private static int CountMatching(ReadOnlySequence<byte> bytes)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        int length = (int)Math.Min(bytes.Length, first.Length);
        bytes.Slice(0, length).CopyTo(first);
        return Preface.StartsWith(first[..length]) ? length : -1;
    }

    private async Task AnswerAsync(ConnectionContext connection)
    {
        listener.Metrics.CountServerRefusal(StatusCodes.Status505HttpVersionNotsupported);
        listener.Failures.Take(isError: false)?.LogInformation(
            "A connection began in HTTP/2 and was told that this is HTTP/1.1");
        await connection.Transport.Output.WriteAsync(Answer);
    }

    // RFC 9113: a length of three bytes, the type, no flags, the stream of the connection itself.
    private static byte[] Frame(byte type, byte[] payload) =>
        [0, 0, (byte)payload.Length, type, 0, 0, 0, 0, 0, .. payload];

    private static byte[] GoAway()
    {
        byte[] payload = [0, 0, 0, 0, 0, 0, 0, 0, .. "This port speaks HTTP/1.1."u8];
        BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(4), 0xD); // HTTP_1_1_REQUIRED
        return payload;
    }
}
