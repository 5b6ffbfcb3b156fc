using System.Collections.Concurrent;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Tests;

internal sealed class GroupCommitWriterTests
{
    [Test]
    public async Task Given_writes_that_wait_together_then_one_commit_carries_them_and_each_caller_finds_its_own_on_disk()
    {
        using var database = new DatabaseUnderTest();
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string>[] writes = [.. Enumerable.Range(0, 20).Select(n => database.WriteAsync($"{n}"))];
        Assert.That(await database.MetricAsync("db_write_queue_depth"), Is.EqualTo(20));
        release.Set();
        await Task.WhenAll([held, .. writes]);
        Assert.That(database.Notes(), Is.EqualTo(Enumerable.Range(0, 20).Select(n => $"{n}")));
        Assert.That(await database.MetricAsync("db_commit_batch_size_count"), Is.EqualTo(2));
        Assert.That(await database.MetricAsync("""db_commit_batch_size_bucket{le="16"}"""), Is.EqualTo(1));
        Assert.That(await database.MetricAsync("""db_commit_batch_size_bucket{le="32"}"""), Is.EqualTo(2));
    }

    [Test]
    public async Task Given_a_write_that_throws_then_its_neighbours_in_the_batch_are_kept_and_it_alone_is_undone()
    {
        using var database = new DatabaseUnderTest();
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string> before = database.WriteAsync("before");
        Task<string> failing = database.Writes.WriteAsync<string>(() =>
        {
            database.Insert.Set(1, "half").Run();
            throw new InvalidOperationException("no");
        });
        Task<string> doubled = database.WriteAsync("before");
        Task<string> after = database.WriteAsync("after");
        release.Set();
        await Task.WhenAll(held, before, after);
        Assert.That(async () => await failing, Throws.InvalidOperationException.With.Message.EqualTo("no"));
        Assert.That(async () => await doubled, Throws.TypeOf<StoreUnavailableException>());
        Assert.That(database.Notes(), Is.EqualTo(["before", "after"]));
        Assert.That(await database.MetricAsync("""db_writes_total{result="rolled_back"}"""), Is.EqualTo(2));
    }

#if DEBUG
    [Test]
    public async Task Given_a_write_that_does_something_else_when_it_runs_again_then_a_Debug_build_finds_it_and_undoes_it()
    {
        using var database = new DatabaseUnderTest();
        int runs = 0;
        var refused = new List<Exception>();
        for (int write = 0; write < 16; write++)
        {
            try
            {
                await database.Writes.WriteAsync(() =>
                {
                    for (int row = 0; row <= runs % 2; row++) database.Insert.Set(1, $"row {row} of run {runs}").Run();
                    runs++;
                    return WriteResult.Commit(0);
                });
            }
            catch (InvalidOperationException exception)
            {
                refused.Add(exception);
            }
        }

        Assert.That(refused, Is.Not.Empty);
        Assert.That(refused[0].Message, Does.Contain("when its batch ran again"));
    }

    [Test]
    public void Given_a_statement_of_the_writer_when_another_thread_runs_it_outside_a_write_then_a_Debug_build_asserts()
    {
        using var database = new DatabaseUnderTest();
        Assert.That(() => database.Insert.Run(), Throws.Exception.With.Message.Contains("outside a write"));
        Assert.That(database.Notes(), Is.Empty);
    }
#endif

    [Test]
    public void Given_a_database_that_is_not_open_when_it_is_asked_for_its_writer_then_the_error_says_what_to_do()
    {
        using var open = new DatabaseUnderTest();
        using var database = new Database("notes", open.Settings, NullLogger.Instance);
        Assert.That(() => database.Writes,
            Throws.InvalidOperationException.With.Message.Contains("before the module starts"));
        Assert.That(() => database.Keys,
            Throws.InvalidOperationException.With.Message.Contains("before the module starts"));
    }

    [Test]
    public async Task Given_a_write_that_decides_to_undo_then_it_has_its_answer_and_nothing_is_kept_and_no_follow_up_runs()
    {
        using var database = new DatabaseUnderTest();
        bool followed = false;
        string answer = await database.Writes.WriteAsync(() =>
        {
            database.Insert.Set(1, "gone").Run();
            return WriteResult.Rollback("refused");
        }, _ => followed = true);
        Assert.That((answer, followed, database.Notes().Length), Is.EqualTo(("refused", false, 0)));
    }

    [Test]
    public async Task Given_a_write_when_its_follow_up_runs_then_it_is_committed_already_and_the_caller_still_waits()
    {
        using var database = new DatabaseUnderTest();
        string[] seen = [];
        Task<string>? write = null;
        bool callerWaited = false;
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        write = database.WriteAsync("a", _ =>
        {
            seen = database.Notes();
            callerWaited = !write!.IsCompleted;
        });
        release.Set();
        await Task.WhenAll(held, write);
        Assert.That((seen, callerWaited), Is.EqualTo((new[] { "a" }, true))
            .Using<(string[], bool)>((one, other) => one.Item1.SequenceEqual(other.Item1) && one.Item2 == other.Item2));
    }

    [Test]
    public async Task Given_follow_ups_then_they_run_in_the_order_of_the_commits()
    {
        using var database = new DatabaseUnderTest();
        var order = new List<int>();
        await Task.WhenAll(Enumerable.Range(0, 500).Select(n => database.WriteAsync($"{n}", _ => order.Add(n))));
        Assert.That(order, Is.Ordered.And.Count.EqualTo(500));
    }

    [Test]
    public async Task Given_a_full_queue_then_the_next_write_is_refused_at_once_and_those_that_wait_are_written()
    {
        using var database = new DatabaseUnderTest(queueLimit: 3);
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string>[] waiting = [.. Enumerable.Range(0, 3).Select(n => database.WriteAsync($"{n}"))];
        Assert.That(() => database.WriteAsync("one too many"), Throws.TypeOf<WriteQueueFullException>());
        release.Set();
        await Task.WhenAll([held, .. waiting]);
        Assert.That(database.Notes(), Has.Length.EqualTo(3));
    }

    [Test]
    public async Task Given_a_write_that_waits_for_too_long_then_it_is_refused_and_not_made_and_what_comes_after_is()
    {
        using var database = new DatabaseUnderTest(requestTimeout: 1);
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string> late = database.WriteAsync("late");
        await Task.Delay(TimeSpan.FromSeconds(1.1)); // the time itself is what it is about
        Task<string> next = database.WriteAsync("next");
        release.Set();
        await Task.WhenAll(held, next);
        Assert.That(async () => await late, Throws.TypeOf<WriteTimeoutException>());
        Assert.That(database.Notes(), Is.EqualTo(new[] { "next" }));
    }

    [Test]
    public async Task Given_writes_that_wait_when_the_database_is_closed_then_they_are_finished_first()
    {
        using var database = new DatabaseUnderTest();
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string>[] waiting = [.. Enumerable.Range(0, 50).Select(n => database.WriteAsync($"{n}"))];
        Task closing = Task.Run(database.Database.Dispose);
        release.Set();
        await Task.WhenAll([held, closing, .. waiting]);
        Assert.That(waiting.Select(write => write.Result), Is.EqualTo(Enumerable.Range(0, 50).Select(n => $"{n}")));
        Assert.That(() => database.WriteAsync("late"), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(new FileInfo(database.Database.Path + "-wal") is { Exists: true, Length: > 0 },
            Is.False, "the WAL was moved into the file");
    }

    [Test]
    public async Task Given_a_disk_that_is_full_then_the_whole_batch_fails_is_counted_and_the_next_batch_works()
    {
        using var database = new DatabaseUnderTest();
        await database.WriteAsync("before");
        // SQLite's own limit is the disk's end: the same error, SQLITE_FULL, from the same place.
        long pages = database.Pragma("page_count");
        database.Pragma($"max_page_count={pages}");
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<string> small = database.WriteAsync("small");
        Task<string> large = database.WriteAsync(new string('x', 200_000));
        Task<string> behind = database.WriteAsync("behind");
        release.Set();
        await held;
        foreach (Task<string> write in new[] { small, large, behind })
            Assert.That(async () => await write, Throws.TypeOf<StoreUnavailableException>());
        Assert.That(await database.MetricAsync("""db_writes_total{result="failed"}"""), Is.EqualTo(3));
        Assert.That(database.Notes(), Is.EqualTo(["before"]));

        database.Pragma("max_page_count=1000000");
        await database.WriteAsync("after");
        Assert.That(database.Notes(), Is.EqualTo(["before", "after"]));
    }

    [Test]
    public async Task Given_a_database_that_can_not_be_written_then_every_caller_of_the_batch_fails_and_the_next_batch_works()
    {
        using var database = new DatabaseUnderTest();
        using (database.LockByAnother())
        {
            Task<string>[] writes = [.. Enumerable.Range(0, 5).Select(n => database.WriteAsync($"{n}"))];
            foreach (Task<string> write in writes)
                Assert.That(async () => await write, Throws.TypeOf<StoreUnavailableException>());
        }

        await database.WriteAsync("after");
        Assert.That(database.Notes(), Is.EqualTo(["after"]));
    }

    [Test]
    public void Given_an_open_database_then_a_commit_waits_for_the_disk_and_foreign_keys_hold()
    {
        using var database = new DatabaseUnderTest();
        Assert.That((database.Pragma("synchronous"), database.Pragma("foreign_keys"), database.Pragma("busy_timeout")),
            Is.EqualTo((2L, 1L, 5000L)));
    }

    [Test]
    public async Task Given_a_write_that_is_undone_then_its_batch_runs_again_only_where_it_had_changed_something()
    {
        using var database = new DatabaseUnderTest();
        foreach (bool changes in new[] { false, true })
        {
            int runs = 0;
            (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
            Task<int> neighbour = database.Writes.WriteAsync(() => WriteResult.Commit(++runs));
            Task<string> undone = database.Writes.WriteAsync(() =>
            {
                if (changes) database.Insert.Set(1, "gone").Run();
                return WriteResult.Rollback("refused");
            });
            release.Set();
            await held;
            Assert.That((await undone, await neighbour), Is.EqualTo(("refused", changes ? 2 : 1)));
        }

        Assert.That(database.Notes(), Is.Empty);
    }

    [Test]
    public void Given_any_mix_of_writes_that_keep_undo_and_throw_then_exactly_the_kept_are_there()
    {
        Gen.Select(Gen.Int[0, 2], Gen.Bool).Array[1, 60].Sample(kinds =>
        {
            using var database = new DatabaseUnderTest();
            Task<string>[] writes = [.. kinds.Select((each, n) => database.Writes.WriteAsync(() =>
            {
                if (each.Item2) database.Insert.Set(1, $"{n}").Run();
                return each.Item1 switch
                {
                    0 => WriteResult.Commit("kept"),
                    1 => WriteResult.Rollback("undone"),
                    _ => throw new InvalidOperationException(),
                };
            }))];
            Task.WhenAll(writes).ContinueWith(_ => { }, TaskScheduler.Default).Wait();
            return database.Notes().SequenceEqual(
                kinds.Select((each, n) => (each, n)).Where(one => one.each is (0, true)).Select(one => $"{one.n}"))
                && writes.Select((write, n) => write.IsFaulted == (kinds[n].Item1 == 2)).All(isRight => isRight);
        }, iter: 60, threads: 1);
    }

    [Test]
    public async Task Given_a_write_that_ends_in_any_way_then_its_caller_goes_on_elsewhere_than_on_the_writers_thread()
    {
        using var database = new DatabaseUnderTest(requestTimeout: 1);
        foreach (End end in Enum.GetValues<End>().Except([End.Fails, End.IsLate]))
            await GoesOnElsewhereAsync(database, end);
        using (database.LockByAnother()) await GoesOnElsewhereAsync(database, End.Fails);
        await GoesOnElsewhereAsync(database, End.IsLate);
    }

    [Test]
    public async Task Given_callers_that_are_brief_when_a_commit_carries_their_writes_then_they_go_on_one_after_the_other_in_its_order()
    {
        using var database = new DatabaseUnderTest();
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        int goingOn = 0;
        var wentOn = new ConcurrentQueue<(int Note, int Together)>();
        async Task GoOnAsync(int note)
        {
            await database.Writes.WriteAsync(new Note(database, $"{note}", isBrief: true)).ConfigureAwait(false);
            wentOn.Enqueue((note, Interlocked.Increment(ref goingOn)));
            Thread.SpinWait(10_000);
            Interlocked.Decrement(ref goingOn);
        }

        Task[] callers = [.. Enumerable.Range(0, 50).Select(GoOnAsync)];
        release.Set();
        await Task.WhenAll([held, .. callers]);
        Assert.That(wentOn, Is.EqualTo(Enumerable.Range(0, 50).Select(note => (note, 1))));
    }

    [Test]
    public async Task Given_a_write_that_is_on_disk_when_what_follows_it_throws_then_its_caller_is_told_that_it_is_done_and_the_next_are_written()
    {
        using var database = new DatabaseUnderTest();
        Assert.That(await database.WriteAsync("a", _ => throw new InvalidOperationException("no")), Is.EqualTo("a"));
        await database.WriteAsync("b");
        Assert.That(database.Notes(), Is.EqualTo(new[] { "a", "b" }));
    }

    [Test]
    public async Task Given_a_write_under_way_when_a_statement_is_prepared_elsewhere_then_it_waits_for_the_end_of_the_batch()
    {
        using var database = new DatabaseUnderTest();
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Task<Statement> preparing = Task.Run(() => database.Writes.Prepare("SELECT count(*) FROM notes"));
        Task<string> behind = database.WriteAsync("behind");
        Assert.That(preparing.IsCompleted, Is.False);
        release.Set();
        await Task.WhenAll(held, behind, preparing);
    }

#if DEBUG
    [Test]
    public async Task Given_a_debug_build_when_a_write_is_queued_on_a_writers_thread_then_an_assertion_fails()
    {
        using var database = new DatabaseUnderTest();
        using var other = new DatabaseUnderTest();
        Exception? queued = null;
        await database.WriteAsync("a", written => queued = Assert.Catch(() => { _ = other.WriteAsync("b"); }));
        Assert.That(queued?.Message, Does.Contain("for writes alone"));
    }
#endif

    [Test]
    public async Task Given_writes_that_are_objects_when_they_are_queued_then_no_other_object_is_made_for_them()
    {
        using var database = new DatabaseUnderTest();
        await GarbageOfQueueingAsync(database); // the queue grows once
        Assert.That(await GarbageOfQueueingAsync(database), Is.Zero);
    }

    private static async Task<long> GarbageOfQueueingAsync(DatabaseUnderTest database)
    {
        (ManualResetEventSlim release, Task held) = await database.HoldWriterAsync();
        Note[] notes = [.. Enumerable.Range(0, 100).Select(n => new Note(database, $"{n}-{Guid.NewGuid()}"))];
        var writes = new List<ValueTask<string>>(notes.Length);
        long before = GC.GetAllocatedBytesForCurrentThread();
#pragma warning disable CA2012 // each is awaited once, below
        foreach (Note note in notes) writes.Add(database.Writes.WriteAsync(note));
#pragma warning restore CA2012
        long garbage = GC.GetAllocatedBytesForCurrentThread() - before;
        release.Set();
        await held;
        foreach (ValueTask<string> write in writes) await write;
        return garbage;
    }

    private static async Task GoesOnElsewhereAsync(DatabaseUnderTest database, End end)
    {
        (ManualResetEventSlim? release, Task held) =
            end == End.Fails ? (null, Task.CompletedTask) : await database.HoldWriterAsync();
        Task<string?>[] callers =
        [
            ThreadAfterAsync(database.Writes.WriteAsync(new Note(database, $"{end}", end))),
            ThreadAfterAsync(database.Writes.WriteAsync(new Note(database, $"{end} briefly", end, isBrief: true))),
            ThreadAfterAsync(new ValueTask<string>(
                database.Writes.WriteAsync(() => new Note(database, $"{end} too", end).Outcome()))),
        ];
        if (end == End.IsLate) await Task.Delay(TimeSpan.FromSeconds(1.1)); // the time itself is what it is about
        release?.Set();
        await held;
        foreach (Task<string?> caller in callers) Assert.That(await caller, Is.Not.EqualTo("notes writer"), $"{end}");
    }

    private static async Task<string?> ThreadAfterAsync(ValueTask<string> write)
    {
        try
        {
            await write.ConfigureAwait(false); // the test has a context of its own, requests have none
        }
        catch (Exception exception) when (exception is InvalidOperationException or StoreException)
        {
            // What is asked is where it goes on.
        }

        return Thread.CurrentThread.Name;
    }

    private enum End
    {
        IsCommitted,
        IsUndone,
        IsUndoneWithChanges,
        Throws,
        Fails,
        IsLate,
    }

    private sealed class Note(
        DatabaseUnderTest database, string text, End end = End.IsCommitted, bool isBrief = false) : WriteCommand<string>
    {
        protected override bool HasShortContinuation => isBrief;

        public WriteResult<string> Outcome()
        {
            if (end != End.IsUndone) database.Insert.Set(1, text).Run();
            return end switch
            {
                End.Throws => throw new InvalidOperationException("no"),
                End.IsUndone or End.IsUndoneWithChanges => Data.Sqlite.WriteResult.Rollback(text),
                _ => Data.Sqlite.WriteResult.Commit(text),
            };
        }

        protected override WriteResult<string> Run() => Outcome();
    }
}
