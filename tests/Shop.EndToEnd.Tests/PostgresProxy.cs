using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Stands between a shop and PostgreSQL, passes everything on, and cuts a connection when it is told to: before a
/// client's message reaches the server, or after the server has got it, and before its answer reaches the client.
/// </summary>
internal sealed class PostgresProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly string _server;
    private readonly Func<Cut?> _next;
    private readonly Task _accepting;
    private int _cuts;

    /// <param name="address">The server, on a Unix socket or by TCP.</param>
    /// <param name="next">Says for each message of a client whether its connection is cut.</param>
    public PostgresProxy(string address, Func<Cut?> next)
    {
        (_server, _next) = (address, next);
        _listener.Start();
        Address = new NpgsqlConnectionStringBuilder(address)
        {
            Host = "127.0.0.1",
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
            SslMode = SslMode.Disable,
        }.ConnectionString;
        _accepting = AcceptAsync();
    }

    /// <summary>When a connection is cut.</summary>
    public enum Cut
    {
        /// <summary>The server never gets the message.</summary>
        BeforeServer,

        /// <summary>The server gets half of the message.</summary>
        InTheMiddle,

        /// <summary>The server gets the message and answers, and the client never hears of it.</summary>
        BeforeClient,
    }

    /// <summary>The connection string of the way through the proxy.</summary>
    public string Address { get; }

    /// <summary>Changes what a server answers; null if nothing does.</summary>
    public SpanAction<byte, int>? Answered { get; init; }

    /// <summary>How long each message of a client is on its way.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Connections that were cut.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Task[] connections;
        lock (_connections) connections = [.. _connections];
        await Task.WhenAll(connections);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception exception)
                when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            client.NoDelay = true;
            lock (_connections) _connections.Add(PassOnAsync(client));
        }
    }

    private async Task PassOnAsync(Socket client)
    {
        try
        {
            using Socket server = await ConnectAsync();
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            bool answersAreLost = false;
            Task answers = PumpAsync(server, client, TimeSpan.Zero, message =>
            {
                Answered?.Invoke(message, message.Length);
                return (answersAreLost ? 0 : int.MaxValue, false);
            }, end);
            Task questions = PumpAsync(client, server, Delay, message =>
            {
                if (_next() is not { } cut) return (int.MaxValue, false);
                Interlocked.Increment(ref _cuts);
                answersAreLost = cut == Cut.BeforeClient;
                return (cut switch { Cut.BeforeServer => 0, Cut.InTheMiddle => message.Length / 2, _ => int.MaxValue },
                    cut != Cut.BeforeClient);
            }, end);
            await Task.WhenAny(answers, questions);
            await end.CancelAsync();
            await Task.WhenAll(answers, questions);
        }
        catch (SocketException)
        {
            // The server is away: so the client loses its connection.
        }
        finally
        {
            client.Dispose();
        }
    }

    private async Task<Socket> ConnectAsync()
    {
        var to = new NpgsqlConnectionStringBuilder(_server);
        if (!to.Host!.StartsWith('/'))
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(to.Host, to.Port);
            return socket;
        }

        var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await local.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(to.Host, $".s.PGSQL.{to.Port}")));
        return local;
    }

    private delegate (int Bytes, bool Ends) Passes(Span<byte> message);

    // How many bytes of a message pass, and whether the connection ends with them. Answers that are lost end it, too.
    private static async Task PumpAsync(
        Socket from, Socket to, TimeSpan delay, Passes passes, CancellationTokenSource end)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                int length = await from.ReceiveAsync(buffer, end.Token);
                if (length == 0) return;
                (int bytes, bool ends) = passes(buffer.AsSpan(0, length));
                if (bytes == 0) return;
                if (delay > TimeSpan.Zero) await Task.Delay(delay, end.Token);
                await to.SendAsync(buffer.AsMemory(0, Math.Min(bytes, length)), end.Token);
                if (ends) return;
            }
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The other side is gone.
        }
    }
}
