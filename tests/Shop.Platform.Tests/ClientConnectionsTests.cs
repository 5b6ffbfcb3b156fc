using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Platform.Tests;

/// <summary>Clients that want more memory than there is, at the same time.</summary>
internal sealed class ClientConnectionsTests
{
    /// <summary>A sixteenth of it is for responses: six of those below.</summary>
    private const int Memory = 18 << 20;

    private const int Response = 100 * 1024;

    private const int Body = 400 * 1024;

    private readonly ModuleListener _listener = new(new ModuleContext(
        TestSettings.Modules[0], TestSettings.Read(), TimeProvider.System, NullLoggerFactory.Instance));

    private readonly ClientConnections _connections = new(new MemoryBudget(Memory, connections: 1000));

    [Test]
    public async Task Given_a_client_that_leaves_responses_unread_without_end_when_others_are_answered_then_there_is_room_for_each()
    {
        using var end = new CancellationTokenSource();
        Task[] greedy = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() => LeaveUnread(end.Token)))];
        int[] refused = await Task.WhenAll(
            new[] { "127.0.0.3", "127.0.0.4" }.Select(address => Task.Run(() => CountRefused(address))));
        await end.CancelAsync();
        await Task.WhenAll(greedy);
        Assert.That(refused, Is.All.Zero);
    }

    [Test]
    public async Task Given_a_client_that_begins_bodies_without_end_when_others_send_theirs_then_there_is_room_for_each()
    {
        using var end = new CancellationTokenSource();
        Task[] greedy = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() => BeginBodies(end.Token)))];
        int[] refused = await Task.WhenAll(
            new[] { "127.0.0.3", "127.0.0.4" }.Select(address => Task.Run(() => CountRefusedBodies(address))));
        await end.CancelAsync();
        await Task.WhenAll(greedy);
        Assert.That(refused, Is.All.Zero);
    }

    [Test]
    public void Given_connections_that_are_evicted_for_one_client_when_another_wants_memory_meanwhile_then_theirs_is_free()
    {
        const int LessThanHalf = 7 * (Memory / 16) / 32, MoreThanHalf = 10 * (Memory / 16) / 32;
        bool? meanwhile = null;
        (ClientConnection modest, _) = Connect("127.0.0.3");
        (ClientConnection other, _) = Connect("127.0.0.4");
        for (int i = 0; i < 2; i++)
        {
            (ClientConnection unread, Client client) = Connect("127.0.0.2");
            client.Aborted = () => meanwhile ??= other.HasRoomForResponse(MoreThanHalf);
            Write(unread, LessThanHalf);
            _ = unread.Output.FlushAsync(CancellationToken.None).AsTask();
        }

        Assert.That(modest.HasRoomForResponse(MoreThanHalf), Is.True);
        Assert.That(meanwhile, Is.True);
    }

    private int CountRefused(string address)
    {
        int refused = 0;
        for (int i = 0; i < 5000; i++)
        {
            (ClientConnection connection, Client client) = Connect(address);
            if (!connection.HasRoomForResponse(Response)) refused++;
            Write(connection);
            if (client.IsAborted) refused++;
            connection.Dispose();
        }

        return refused;
    }

    private int CountRefusedBodies(string address)
    {
        int refused = 0;
        for (int i = 0; i < 5000; i++)
        {
            (ClientConnection connection, _) = Connect(address);
            connection.CountBody(Body);
            if (connection.IsOverBudget) refused++;
            connection.Dispose();
        }

        return refused;
    }

    private void BeginBodies(CancellationToken end)
    {
        var begun = new Queue<ClientConnection>();
        while (!end.IsCancellationRequested)
        {
            (ClientConnection connection, _) = Connect("127.0.0.2");
            _ = connection.Input.ReadAsync(CancellationToken.None).AsTask();
            connection.CountBody(Body);
            begun.Enqueue(connection);
            if (begun.Count > 50) begun.Dequeue().Dispose();
        }

        foreach (ClientConnection connection in begun) connection.Dispose();
    }

    private void LeaveUnread(CancellationToken end)
    {
        var unread = new Queue<ClientConnection>();
        while (!end.IsCancellationRequested)
        {
            (ClientConnection connection, Client client) = Connect("127.0.0.2");
            Write(connection);
            if (!client.IsAborted) _ = connection.Output.FlushAsync(CancellationToken.None).AsTask();
            unread.Enqueue(connection);
            if (unread.Count > 50) unread.Dequeue().Dispose();
        }

        foreach (ClientConnection connection in unread) connection.Dispose();
    }

    private static void Write(ClientConnection connection, int bytes = Response)
    {
        connection.Output.GetMemory(bytes);
        connection.Output.Advance(bytes);
    }

    private (ClientConnection Connection, Client Client) Connect(string address)
    {
        var client = new Client(address);
        return (_connections.TryAdd(client, _listener)!, client);
    }

    /// <summary>A client that reads nothing.</summary>
    private sealed class Client : DefaultConnectionContext
    {
        public Client(string address)
        {
            RemoteEndPoint = new IPEndPoint(IPAddress.Parse(address), 1);
            Transport = new Pipes(new Pipe().Reader, new Pipe(new PipeOptions(
                pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false)).Writer);
        }

        public bool IsAborted { get; private set; }

        public Action Aborted { get; set; } = static () => { };

        public override void Abort(ConnectionAbortedException abortReason)
        {
            IsAborted = true;
            Aborted();
        }

        private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
    }
}
