using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Data;
using Shop.Testing;

namespace Shop.Platform.Tests;

internal sealed class SharedGaugeRefreshTests
{
    private readonly Clock _clock = new();
    private readonly List<TaskCompletionSource> _reads = [];
    private long _commits;
    private SharedGaugeRefresh _refresh = null!;

    [SetUp]
    public void Make()
    {
        _reads.Clear();
        _refresh = new SharedGaugeRefresh(_ =>
        {
            _reads.Add(new TaskCompletionSource());
            return _reads[^1].Task;
        }, () => _commits, _clock, NullLogger.Instance);
    }

    [Test]
    public async Task Given_a_commit_while_the_state_is_read_when_scrapes_come_then_they_wait_for_one_reading_that_knows_it()
    {
        Task before = _refresh.RefreshAsync(default);
        _commits++;
        Task[] after = [_refresh.RefreshAsync(default), _refresh.RefreshAsync(default)];
        Assert.That(_reads, Has.Count.EqualTo(1), "one after the other");
        _reads[0].SetResult();
        await before;
        await Eventually.IsSoAsync(() => _reads.Count == 2);
        Assert.That(after.Select(scrape => scrape.IsCompleted), Is.All.False);
        _reads[1].SetResult();
        await Task.WhenAll(after);
        Assert.That(_reads, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Given_a_reading_that_fails_when_scrapes_wait_for_the_next_one_then_they_get_it_then_and_later()
    {
        for (int failures = 1; failures <= 2; failures++)
        {
            Task failing = _refresh.RefreshAsync(default);
            _commits++;
            Task after = _refresh.RefreshAsync(default);
            _reads[^1].SetException(new InvalidOperationException());
            Assert.That(async () => await failing, Throws.InvalidOperationException);
            await Eventually.IsSoAsync(() => _reads.Count == 2 * failures);
            _reads[^1].SetResult();
            await after;
            _commits++;
        }
    }

    [Test]
    public async Task Given_no_commit_when_scrapes_follow_each_other_then_they_read_once_a_second()
    {
        Task first = _refresh.RefreshAsync(default), beside = _refresh.RefreshAsync(default);
        _reads[0].SetResult();
        await Task.WhenAll(first, beside);
        _clock.Milliseconds += 999;
        await _refresh.RefreshAsync(default);
        Assert.That(_reads, Has.Count.EqualTo(1));
        _clock.Milliseconds++;
        Task later = _refresh.RefreshAsync(default);
        Assert.That(_reads, Has.Count.EqualTo(2));
        _reads[1].SetResult();
        await later;
    }

    private sealed class Clock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }
}
