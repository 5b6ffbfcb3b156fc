using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>Clients that want more memory than there is, at the same time: whoever has least always gets it.</summary>
internal sealed class ClientConnectionsTests
{
    private const string Greedy = "127.0.0.2", Modest = "127.0.0.3", Other = "127.0.0.4";

    /// <summary>An eighth of it is for requests, and a sixteenth for responses.</summary>
    private const int Memory = 18 << 20, Requests = Memory / 8, Responses = Memory / 16;

    /// <summary>Several find room at once.</summary>
    private const int Body = 400 * 1024, Response = 100 * 1024;

    /// <summary>Of what there is for responses, each of which counts twice its size.</summary>
    private const int LessThanHalf = 7 * Responses / 32, MoreThanHalf = 10 * Responses / 32;

    private const int MaxConnections = 64;

    private readonly ModuleListener _listener = new(new ModuleContext(
        TestSettings.Modules[0], TestSettings.Read(), TimeProvider.System, NullLoggerFactory.Instance));

    private ClientConnections _connections = null!;

    [SetUp]
    public void Begin() => _connections = new ClientConnections(new MemoryBudget(Memory, MaxConnections));

    [Test]
    public Task Given_a_client_that_leaves_responses_unread_without_end_when_others_are_answered_then_there_is_room_for_each() =>
        AreServedAsync(() => LeaveUnread(), address =>
        {
            (ClientConnection connection, Client client) = Connect(address);
            bool hasRoom = connection.HasRoomForResponse(Response);
            Write(connection, Response);
            connection.Dispose();
            return hasRoom && !client.IsAborted;
        });

    [Test]
    public Task Given_a_client_that_begins_bodies_without_end_when_others_send_theirs_then_there_is_room_for_each() =>
        AreServedAsync(() => Begin(Greedy, Body).Connection, address =>
        {
            (ClientConnection connection, _) = Connect(address);
            connection.CountBody(Body);
            bool isServed = !connection.IsOverBudget;
            connection.Dispose();
            return isServed;
        });

    [Test]
    public void Given_connections_evicted_for_one_client_when_another_wants_memory_before_they_are_aborted_then_it_gets_it()
    {
        bool? hasRoom = null;
        ClientConnection modest = Connect(Modest).Connection, other = Connect(Other).Connection;
        for (int i = 0; i < 2; i++) LeaveUnread(LessThanHalf, () => hasRoom ??= other.HasRoomForResponse(MoreThanHalf));
        Assert.That(modest.HasRoomForResponse(MoreThanHalf), Is.True);
        Assert.That(hasRoom, Is.True);
    }

    [Test]
    public void Given_room_that_the_greedy_client_takes_as_soon_as_it_is_made_when_another_is_answered_then_more_is_made()
    {
        ClientConnection modest = Connect(Modest).Connection;
        int evicted = 0;
        for (int i = 0; i < 2; i++)
        {
            LeaveUnread(LessThanHalf, () =>
            {
                evicted++;
                LeaveUnread(LessThanHalf);
            });
        }

        Assert.That(modest.HasRoomForResponse(MoreThanHalf), Is.True);
        Assert.That(evicted, Is.EqualTo(2));
    }

    [Test]
    public void Given_connections_closed_for_a_newcomer_when_another_client_wants_memory_before_they_are_aborted_then_it_gets_it()
    {
        ClientConnection other = Connect(Other).Connection;
        bool isServed = false;
        for (int i = 1; i < MaxConnections; i++)
        {
            (ClientConnection connection, Client client) = Begin(Greedy, i <= 3 ? Requests * 3 / 10 : 0);
            client.Aborted = () =>
            {
                if (other.RequestBytes > 0) return;
                other.CountBody(Requests * 9 / 20);
                isServed = !other.IsOverBudget;
            };
        }

        Connect(Modest);
        Assert.That(isServed, Is.True);
    }

    [Test]
    public async Task Given_a_connection_asked_to_close_whose_request_comes_at_the_last_moment_when_another_client_wants_memory_then_it_is_evicted()
    {
        ClientConnection modest = Connect(Modest).Connection;
        (ClientConnection Connection, Client Client)[] greedy =
            [.. Enumerable.Range(1, MaxConnections - 1).Select(_ => Begin(Greedy, 0))];
        Connect(Other);
        (ClientConnection Connection, Client Client)[] asked =
            [.. greedy.Where(connection => connection.Client.IsAskedToClose)];
        Assert.That(asked, Has.Length.EqualTo(2));
        foreach ((ClientConnection connection, Client client) in asked)
        {
            await client.Requests.WriteAsync(new byte[10]);
            connection.Input.AdvanceTo((await client.Request!).Buffer.End);
            client.Request = connection.Input.ReadAsync().AsTask();
            connection.CountBody(Requests / 2);
        }

        modest.CountBody(Body);
        Assert.That((modest.IsOverBudget, asked.Any(connection => connection.Client.IsAborted)),
            Is.EqualTo((false, true)));
    }

    [Test]
    public void Given_a_busy_client_that_has_as_much_as_the_greedy_one_when_another_wants_memory_then_the_greedy_one_is_evicted(
        [Values] bool isGreedyFirst)
    {
        if (isGreedyFirst) Begin(Greedy, Requests / 2);
        Connect(Other).Connection.CountBody(Requests / 2);
        if (!isGreedyFirst) Begin(Greedy, Requests / 2);
        ClientConnection modest = Connect(Modest).Connection;
        modest.CountBody(Body);
        Assert.That(modest.IsOverBudget, Is.False);
    }

    [Test]
    public void Given_as_many_connections_as_there_may_be_whose_responses_are_unread_when_another_client_connects_then_it_has_a_place()
    {
        _connections = new ClientConnections(new MemoryBudget(16L * Memory, MaxConnections));
        Client[] greedy = [.. Enumerable.Range(0, MaxConnections).Select(_ => LeaveUnreadBy(1000).Client)];
        Assert.That(_connections.TryAdd(new Client(Modest), _listener), Is.Not.Null);
        Assert.That(greedy.Count(client => client.IsAborted), Is.EqualTo(2));
    }

    [Test]
    public async Task Given_a_connection_asked_to_close_when_the_server_no_longer_reads_it_then_it_is_aborted_whether_or_not_its_client_reads()
    {
        (ClientConnection Connection, Client Client)[] greedy =
            [.. Enumerable.Range(0, MaxConnections).Select(_ => Begin(Greedy, 0))];
        Connect(Other);
        (ClientConnection connection, Client client) =
            greedy.First(connection => connection.Client.IsAskedToClose);
        connection.Input.CancelPendingRead();
        connection.Input.AdvanceTo((await client.Request!).Buffer.Start);
        await Eventually.IsSoAsync(() => client.IsAborted);
    }

    [Test]
    public void Given_a_connection_that_has_ended_then_what_it_held_is_free()
    {
        ClientConnection ended = LeaveUnread(MoreThanHalf), modest = Connect(Modest).Connection;
        ended.Dispose();
        Assert.That(modest.HasRoomForResponse(MoreThanHalf), Is.True);
    }

    /// <summary>Two threads of the greedy client against one each of two others.</summary>
    private static async Task AreServedAsync(Func<ClientConnection> take, Func<string, bool> isServed)
    {
        using var end = new CancellationTokenSource();
        Task[] greedy = [.. Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(() =>
        {
            var taken = new Queue<ClientConnection>();
            while (!end.IsCancellationRequested)
            {
                taken.Enqueue(take());
                if (taken.Count > MaxConnections / 4) taken.Dequeue().Dispose();
            }

            foreach (ClientConnection connection in taken) connection.Dispose();
        }, default, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        int[] refused = await Task.WhenAll(new[] { Modest, Other }.Select(address => Task.Factory.StartNew(
            () => Enumerable.Range(0, 5000).Count(_ => !isServed(address)),
            default, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await end.CancelAsync();
        await Task.WhenAll(greedy);
        Assert.That(refused, Is.All.Zero);
    }

    /// <summary>A connection of the greedy client with a response that it does not read.</summary>
    private ClientConnection LeaveUnread(int bytes = Response, Action? aborted = null) =>
        LeaveUnreadBy(bytes, aborted).Connection;

    private (ClientConnection Connection, Client Client) LeaveUnreadBy(int bytes, Action? aborted = null)
    {
        (ClientConnection connection, Client client) = Connect(Greedy);
        client.Aborted = aborted;
        Write(connection, bytes);
        if (!client.IsAborted) _ = connection.Output.FlushAsync().AsTask();
        return (connection, client);
    }

    /// <summary>A connection that waits for the rest of a body.</summary>
    private (ClientConnection Connection, Client Client) Begin(string address, int bytes)
    {
        (ClientConnection connection, Client client) = Connect(address);
        client.Request = connection.Input.ReadAsync().AsTask();
        connection.CountBody(bytes);
        return (connection, client);
    }

    private static void Write(ClientConnection connection, int bytes)
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
    private sealed class Client : DefaultConnectionContext, IConnectionLifetimeNotificationFeature
    {
        public Client(string address)
        {
            RemoteEndPoint = new IPEndPoint(IPAddress.Parse(address), 1);
            var requests = new Pipe();
            Requests = requests.Writer;
            var responses = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1));
            Transport = new Pipes(requests.Reader, responses.Writer);
            Features.Set<IConnectionLifetimeNotificationFeature>(this);
        }

        public PipeWriter Requests { get; }

        /// <summary>What the shop waits for.</summary>
        public Task<ReadResult>? Request { get; set; }

        public CancellationToken ConnectionClosedRequested { get; set; }

        public bool IsAskedToClose { get; private set; }

        public bool IsAborted { get; private set; }

        public Action? Aborted { get; set; }

        public void RequestClose() => IsAskedToClose = true;

        public override void Abort(ConnectionAbortedException abortReason)
        {
            IsAborted = true;
            Aborted?.Invoke();
        }

        private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
    }
}
