using Shop.Platform.Http;

namespace Shop.Platform.Tests;

internal sealed class WriteConcurrencyLimiterTests
{
    private readonly StoppedClock _clock = new();

    [Test]
    public async Task Given_all_limiter_are_taken_then_who_asks_waits_and_each_that_is_done_lets_in_the_next_in_the_order_they_came()
    {
        WriteConcurrencyLimiter limiter = Taken();
        Task[] line = [Ask(limiter), Ask(limiter), Ask(limiter)];
        for (int served = 0; served < line.Length; served++)
        {
            Assert.That(line.Select(turn => turn.IsCompleted), Is.EqualTo(line.Select((_, place) => place < served)));
            limiter.Release();
            await line[served];
        }

        for (int i = 0; i < WriteConcurrencyLimiter.PermitLimit; i++) limiter.Release();
        Assert.That(Ask(limiter).IsCompleted, Is.True, "all limiter are free again");
    }

    [Test]
    public async Task Given_a_line_that_has_become_too_slow_then_nobody_joins_until_its_first_has_had_its_turn()
    {
        WriteConcurrencyLimiter limiter = Taken();
        Task first = Ask(limiter);
        _clock.Pass(WriteConcurrencyLimiter.MaxQueueDelay / 2);
        Task second = Ask(limiter);
        _clock.Pass(WriteConcurrencyLimiter.MaxQueueDelay / 2);
        Task third = Ask(limiter);
        _clock.Pass(TimeSpan.FromMilliseconds(1));
        Assert.That(limiter.TryAcquire(out _), Is.False);
        limiter.Release();
        await first;
        Task fourth = Ask(limiter);
        Assert.That(new[] { second, third, fourth }.Any(turn => turn.IsCompleted), Is.False);
        for (int i = 0; i < 3; i++) limiter.Release();
        await Task.WhenAll(second, third, fourth);
    }

    [Test]
    public async Task Given_all_turns_are_taken_when_one_becomes_free_between_the_question_and_the_wait_then_it_is_had_at_once()
    {
        WriteConcurrencyLimiter limiter = Taken();
        Assert.That(limiter.TryAcquire(out ValueTask turn), Is.True);
        limiter.Release();
        await turn.AsTask().WaitAsync(TimeSpan.FromMinutes(1));
        Task next = Ask(limiter);
        Assert.That(next.IsCompleted, Is.False, "all are taken again");
        limiter.Release();
        await next;
    }

    private WriteConcurrencyLimiter Taken()
    {
        var limiter = new WriteConcurrencyLimiter(_clock);
        for (int i = 0; i < WriteConcurrencyLimiter.PermitLimit; i++) Assert.That(Ask(limiter).IsCompleted, Is.True);
        return limiter;
    }

    private static Task Ask(WriteConcurrencyLimiter limiter)
    {
        Assert.That(limiter.TryAcquire(out ValueTask turn), Is.True);
        return turn.AsTask();
    }
}
