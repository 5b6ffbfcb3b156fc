using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Alerts;
using Shop.Platform.Data;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>What is bounded in number or in time: at its edge, below it and above it.</summary>
internal sealed class EdgeTests
{
    /// <summary>Other tests go by the names, so that they hold at any size. Here is each size itself.</summary>
    [Test]
    public void Given_what_documents_and_settings_promise_then_each_size_and_each_time_is_that()
    {
        Assert.Multiple(() =>
        {
            Assert.That((RequestBody.MaxBytes, RequestBody.MaxDepth, ValidationErrors.MaxListed),
                Is.EqualTo((65_536, 32, 250)), "a request");
            Assert.That((Paging.MaxCounted, Paging.MaxBytes), Is.EqualTo((10_000, 1_048_576)), "a page");
            Assert.That((IdempotencyKey.Retention, IdempotencyKeys.MaxPurgedAtOnce),
                Is.EqualTo((TimeSpan.FromHours(48), 500)), "keys");
            Assert.That((GroupCommitWriter.MaxBatch, SegmentedIndex.RowsPerSegment), Is.EqualTo((1024, 1024)),
                "the database");
            Assert.That((QueryScheduler.MaxWaitingPerClient, QueryScheduler.MaxWaiting), Is.EqualTo((1024, 4096)),
                "queries");
            Assert.That((WriteConcurrencyLimiter.PermitLimit, WriteConcurrencyLimiter.MaxQueueDelay),
                Is.EqualTo((1024, TimeSpan.FromMilliseconds(700))), "writes");
            Assert.That((ConnectionLimit.BeingRefused, ModuleListener.KeepAlive, MemoryBudget.RequestBuffer),
                Is.EqualTo((1024, TimeSpan.FromMinutes(2), 16_384)), "connections");
            Assert.That((EventStream.MaxClients, EventStream.Heartbeat, LiveMetrics.History, DemoTraffic.MaxRate),
                Is.EqualTo((256, TimeSpan.FromSeconds(5), 900, 500)), "the console");
            Assert.That((AlertsPage.MaxBody, NotificationLog.MaxCount, NotificationLog.MaxBytes),
                Is.EqualTo((262_144, 100, 2_097_152)), "the page of alerts");
            Assert.That((FailureLog.LinesPerSecond, FailureLog.TracesPerSecond), Is.EqualTo((50, 5)), "the log");
        });
    }

    [TestCase(9_999, 9_999, true)]
    [TestCase(10_000, 10_000, true)]
    [TestCase(10_001, 10_000, false)]
    public void Given_rows_around_those_that_are_counted_then_the_total_is_exact_up_to_there(long rows, long total,
        bool isExact) =>
        Assert.That(Paging.Count(5, areAll: false, atMost => Math.Min(rows, atMost)),
            Is.EqualTo(new RowTotal(total, isExact)));

    [Test]
    public void Given_each_length_that_a_list_may_have_then_the_bound_of_its_plan_takes_it_and_few_more() =>
        Assert.That(Enumerable.Range(1, 1001).Where(rows => long.Parse(ListPlan.AtLeast(rows)) is var bound
            && (bound < rows || (bound > 11 && bound / 10 > rows))), Is.Empty);

    [TestCase(2, false)]
    [TestCase(3, false)]
    [TestCase(4, true)]
    public void Given_a_list_around_the_limit_then_it_has_a_next_page_only_if_there_is_a_row_for_it(int rows,
        bool hasNext)
    {
        var http = new DefaultHttpContext();
        http.Request.Path = "/things";
        int[] all = [.. Enumerable.Range(1, rows)];
        int[] page = [.. Paging.Page(http, Paging.TakePage(all, 3), new RowTotal(rows), row => $"{row}")];
        Assert.That(page, Is.EqualTo(Enumerable.Range(1, Math.Min(3, rows))));
        Assert.That(http.Response.Headers.Link.Count, Is.EqualTo(hasNext ? 1 : 0));
        if (hasNext) Assert.That(http.Response.Headers.Link.ToString(), Does.Contain($"after={Paging.Cursor("3")}"));
    }

    [Test]
    public void Given_more_that_is_wrong_than_is_listed_then_250_are_listed_and_the_rest_is_counted()
    {
        foreach ((int wrong, string? more) in new[] { (3, null), (4, "and 1 more"), (250, "and 247 more"),
            (251, "and 248 more"), (999, "and 996 more") })
        {
            var errors = new ValidationErrors();
            for (int n = 0; n < wrong; n++) errors.Add($"f{n}", "is wrong");
            Assert.That(errors.All, Has.Count.EqualTo(Math.Min(250, wrong)));
            Assert.That(errors.Summary,
                Is.EqualTo($"f0 is wrong; f1 is wrong; f2 is wrong{(more is null ? "" : $"; {more}")}"));
        }
    }

    [TestCase(64, "id")]
    [TestCase(65, null)]
    public void Given_a_long_name_then_it_is_looked_at_up_to_64_characters(int length, string? expected) =>
        Assert.That(NameSuggestion.Nearest("id".PadRight(length, '-'), ["id"]), Is.EqualTo(expected));

    [Test]
    public async Task Given_a_feed_that_keeps_four_events_when_a_client_has_missed_so_many_then_it_gets_them_and_after_one_more_the_opening()
    {
        var feed = new EventFeed(4, _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>([new Numbered(-1)]));
        string position = feed.Position;
        for (int n = 1; n <= 4; n++)
        {
            feed.Publish(new Numbered(n));
            EventFeed.Batch missed = await feed.OpenAsync(position);
            Assert.That(missed.Events.Select(happened => ((Numbered)happened).Number),
                Is.EqualTo(Enumerable.Range(1, n)));
            Assert.That((missed.IsOpening, missed.Last), Is.EqualTo((false, (long)n)));
        }

        feed.Publish(new Numbered(5));
        EventFeed.Batch opening = await feed.OpenAsync(position);
        Assert.That((opening.IsOpening, opening.Last, ((Numbered)opening.Events.Single()).Number),
            Is.EqualTo((true, 5L, -1)));
        Assert.That((await feed.OpenAsync(feed.Id(5))).Events, Is.Empty, "has all");
        Assert.That((await feed.OpenAsync(feed.Id(6))).IsOpening, Is.True, "has what has not happened");
    }

    [Test]
    public async Task Given_a_feed_when_something_happens_while_the_opening_is_made_then_it_comes_after_the_opening()
    {
        EventFeed feed = null!;
        feed = new EventFeed(4, _ =>
        {
            feed.Publish(new Numbered(1));
            return ValueTask.FromResult<IReadOnlyList<FeedEvent>>([new Numbered(-1)]);
        });
        EventFeed.Batch opening = await feed.OpenAsync(null);
        Assert.That(feed.Since(opening.Last)?.Events, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Given_a_feed_when_a_client_waits_for_what_comes_next_then_it_goes_on_though_that_came_before_it_waited()
    {
        var feed = new EventFeed(4, _ => ValueTask.FromResult<IReadOnlyList<FeedEvent>>([]));
        Task[] waiting = [feed.NextAsync(0), feed.NextAsync(0)];
        Assert.That(waiting.Any(next => next.IsCompleted), Is.False);
        feed.Publish(new Numbered(1));
        await Task.WhenAll(waiting);
        await feed.NextAsync(0).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.That(feed.NextAsync(1).IsCompleted, Is.False);
    }

    [Test]
    public void Given_notifications_then_a_hundred_are_kept_in_two_mebibytes_and_the_newest_however_large_it_is()
    {
        var log = new NotificationLog();
        for (int n = 1; n <= 101; n++)
        {
            log.Add(Received(n, 1));
            Assert.That(Kept(log), Is.EqualTo((n, Math.Min(100, n), n)));
        }

        log = new NotificationLog();
        log.Add(Received(1, 1));
        log.Add(Received(2, (2 * 1024 * 1024) - 1));
        Assert.That(Kept(log), Is.EqualTo((2, 2, 2)), "at the edge");
        log.Add(Received(3, 1));
        Assert.That(Kept(log), Is.EqualTo((3, 2, 3)), "the oldest went, and that was enough");
        log.Add(Received(4, 3 * 1024 * 1024));
        Assert.That(Kept(log), Is.EqualTo((4, 1, 4)));

        static (long Count, int Kept, int Newest) Kept(NotificationLog log) =>
            (log.Read().Count, log.Read().NewestFirst.Count,
                int.Parse(log.Read().NewestFirst[0].Notification.Receiver));
        static ReceivedNotification Received(int number, int bytes) =>
            new(DateTimeOffset.UnixEpoch,
                new Notification($"{number}", "firing", "", new Dictionary<string, string>(), []), bytes);
    }

    [Test]
    public async Task Given_work_that_is_done_every_so_often_then_it_is_done_at_once_and_again_after_each_period_and_not_before_though_it_fails()
    {
        var clock = new ManualClock();
        var period = TimeSpan.FromMinutes(5);
        int rounds = 0;
        Task WorkAsync() => ++rounds % 2 == 0 ? throw new InvalidOperationException("no") : Task.CompletedTask;
        await using var periodic = new PeriodicTask("Work", period, WorkAsync, clock, NullLogger.Instance);
        for (int round = 1; round <= 4; round++)
        {
            await clock.UntilWaitingAsync(period);
            await clock.PassAsync(period - TimeSpan.FromMilliseconds(1));
            await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(1));
            Assert.That(rounds, Is.EqualTo(round));
            await clock.PassAsync(TimeSpan.FromMilliseconds(1));
        }
    }

    private sealed class Numbered(int number) : FeedEvent("numbered")
    {
        public int Number { get; } = number;

        public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult("{}"u8.ToArray());
    }
}
