using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Shop.Platform.Data;

namespace Shop.Platform.Tests;

/// <summary>
/// Queries that may take long: on threads of their own, in turns between clients, bounded in number and in time.
/// </summary>
internal sealed class QuerySchedulerTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1), Short = TimeSpan.FromSeconds(10);

    [Test]
    public async Task Given_a_client_with_many_queries_when_another_client_comes_then_it_has_the_next_turn_but_one()
    {
        using var scheduler = new QueryScheduler("test", Long);
        using var hold = new ManualResetEventSlim();
        Task[] held = [.. Enumerable.Range(0, QueryScheduler.MaxThreads)
            .Select(_ => scheduler.RunAsync("first", _ => Hold(hold), default))];
        var order = new ConcurrentQueue<string>();
        using var isNoted = new ManualResetEventSlim();
        int turns = 0;
        // By then another thread has the other client's query, but may not have noted it yet.
        Task[] waiting = [.. Enumerable.Range(0, 50).Select(_ => scheduler.RunAsync("greedy", _ =>
        {
            if (Interlocked.Increment(ref turns) > 1 + QueryScheduler.MaxThreads && !isNoted.Wait(Short, default))
                isNoted.Set();
            return Note(order, "greedy");
        }, default))];
        Task other = scheduler.RunAsync("other", _ =>
        {
            int noted = Note(order, "other");
            isNoted.Set();
            return noted;
        }, default);
        hold.Set();
        await Task.WhenAll([.. held, .. waiting, other]);

        Assert.That(order.ToList().IndexOf("other"), Is.LessThanOrEqualTo(1 + QueryScheduler.MaxThreads));
    }

    [Test]
    public async Task Given_a_query_then_it_runs_on_a_thread_of_the_scheduler_and_its_caller_does_not()
    {
        using var scheduler = new QueryScheduler("test", Long);
        string? name = await scheduler.RunAsync("client", _ => Thread.CurrentThread.Name, default);
        // If it is done before it is awaited, the caller goes on where it was.
        Assert.That((name, Thread.CurrentThread.Name == name), Is.EqualTo(("test queries", false)));
    }

    [Test]
    public async Task Given_a_query_that_does_not_end_when_its_deadline_comes_then_sqlite_ends_it_and_the_thread_is_free_again()
    {
        using var database = new DatabaseUnderTest();
        using var scheduler = new QueryScheduler("test", TimeSpan.FromMilliseconds(100));
        Task<long> endless = scheduler.RunAsync("client", end => database.Database.Read(Count, end), default);
        Assert.ThrowsAsync<QueryTimeoutException>(() => endless);

        using var patient = new QueryScheduler("test", Long);
        using var gone = new CancellationTokenSource();
        Task<long> ofClientThatLeaves =
            patient.RunAsync("client", end => database.Database.Read(Count, end), gone.Token);
        await gone.CancelAsync();
        Assert.That(async () => await ofClientThatLeaves, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await patient.RunAsync("client",
                end => database.Database.Read(static connection => Scalar(connection, "SELECT 7"), end), default),
            Is.EqualTo(7));
        Assert.That(database.Database.Read(static connection => Scalar(connection, "SELECT 8"), CancellationToken.None),
            Is.EqualTo(8), "its connection goes on");

        static long Count(SqliteConnection connection) =>
            Scalar(connection,
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
    }

    [Test]
    public async Task Given_a_query_that_waits_when_its_deadline_comes_then_its_caller_is_told_at_once_and_it_is_never_run()
    {
        using var scheduler = new QueryScheduler("test", TimeSpan.FromMilliseconds(100));
        using var hold = new ManualResetEventSlim();
        Task[] held = [.. Enumerable.Range(0, QueryScheduler.MaxThreads)
            .Select(_ => scheduler.RunAsync("first", _ => Hold(hold), default))];
        bool hasRun = false;
        Task late = scheduler.RunAsync("second", _ => hasRun = true, default);
        Assert.ThrowsAsync<QueryTimeoutException>(() => late);
        // Before they may end: each has a timer of its own, and which is first is open.
        Assert.That(async () => await Task.WhenAll(held),
            Throws.InstanceOf<QueryTimeoutException>(), "they were told, too");
        hold.Set();
        while (scheduler.Waiting > 0) await Task.Yield();
        scheduler.Dispose(); // waits for what a thread has taken
        Assert.That(hasRun, Is.False);
    }

    [Test]
    public async Task Given_as_many_queries_of_a_client_as_may_wait_then_its_next_is_refused_and_that_of_another_client_is_not()
    {
        using var scheduler = new QueryScheduler("test", Long);
        using var hold = new ManualResetEventSlim();
        Task<int>[] held = [.. Enumerable.Range(0, QueryScheduler.MaxThreads)
            .Select(_ => scheduler.RunAsync("first", _ => Hold(hold), default))];
        while (scheduler.Waiting > 0) await Task.Yield();
        Task<int>[] waiting = [.. Enumerable.Range(0, QueryScheduler.MaxWaitingPerClient)
            .Select(n => scheduler.RunAsync("greedy", _ => n, default))];
        bool isRefused = IsRefused(scheduler, "greedy");
        Task<int> other = scheduler.RunAsync("other", _ => 17, default);
        hold.Set();
        Assert.That(isRefused, Is.True);
        Assert.That(await other, Is.EqualTo(17));
        Assert.That(await Task.WhenAll(waiting), Is.EqualTo(Enumerable.Range(0, waiting.Length)));
        await Task.WhenAll(held);
    }

    [Test]
    public async Task Given_as_many_queries_of_all_clients_as_may_wait_then_the_next_is_refused_whoever_asks()
    {
        using var scheduler = new QueryScheduler("test", Long);
        using var hold = new ManualResetEventSlim();
        Task<int>[] held = [.. Enumerable.Range(0, QueryScheduler.MaxThreads)
            .Select(_ => scheduler.RunAsync("first", _ => Hold(hold), default))];
        while (scheduler.Waiting > 0) await Task.Yield();
        Task<int>[] waiting =
            [.. Enumerable.Range(0, 4096).Select(n => scheduler.RunAsync($"client {n % 8}", _ => n, default))];
        bool isRefused = IsRefused(scheduler, "another");
        hold.Set();
        Assert.That(isRefused, Is.True);
        Assert.That(await Task.WhenAll(waiting), Is.EqualTo(Enumerable.Range(0, waiting.Length)));
        await Task.WhenAll(held);
    }

    [Test]
    public async Task Given_queries_that_wait_when_it_is_disposed_then_they_are_cancelled_and_nothing_hangs()
    {
        var scheduler = new QueryScheduler("test", Long);
        using var hold = new ManualResetEventSlim();
        Task<int>[] held = [.. Enumerable.Range(0, QueryScheduler.MaxThreads)
            .Select(_ => scheduler.RunAsync("first", _ => Hold(hold), default))];
        while (scheduler.Waiting > 0) await Task.Yield();
        Task<int> waiting = scheduler.RunAsync("second", _ => 0, default);
        Task disposal = Task.Run(scheduler.Dispose);
        while (!scheduler.IsDisposed) await Task.Yield();
        hold.Set();
        await disposal;
        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await Task.WhenAll(held), Has.All.EqualTo(0));
    }

    // Told afterwards: a test that fails while the threads are held would wait for them for ever.
    private static bool IsRefused(QueryScheduler scheduler, string client)
    {
        try
        {
            _ = scheduler.RunAsync(client, _ => 0, default);
            return false;
        }
        catch (TooManyQueriesException)
        {
            return true;
        }
    }

    private static int Hold(ManualResetEventSlim hold)
    {
        hold.Wait();
        return 0;
    }

    private static int Note(ConcurrentQueue<string> order, string who)
    {
        order.Enqueue(who);
        return 0;
    }

    private static long Scalar(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
