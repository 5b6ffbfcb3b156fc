using Shop.Platform.Http;

namespace Shop.Platform.Tests;

internal sealed class TurnsTests
{
    private readonly StoppedClock _clock = new();

    [Test]
    public async Task Given_all_turns_are_taken_then_who_asks_waits_and_each_that_is_done_lets_in_the_next_in_the_order_they_came()
    {
        Turns turns = Taken();
        Task[] line = [Ask(turns), Ask(turns), Ask(turns)];
        for (int served = 0; served < line.Length; served++)
        {
            Assert.That(line.Select(turn => turn.IsCompleted), Is.EqualTo(line.Select((_, place) => place < served)));
            turns.Done();
            await line[served];
        }

        for (int i = 0; i < Turns.AtOnce; i++) turns.Done();
        Assert.That(Ask(turns).IsCompleted, Is.True, "all turns are free again");
    }

    [Test]
    public async Task Given_a_line_that_has_become_too_slow_then_nobody_joins_until_its_first_has_had_its_turn()
    {
        Turns turns = Taken();
        Task first = Ask(turns);
        _clock.Pass(Turns.LongestLine / 2);
        Task second = Ask(turns);
        _clock.Pass(Turns.LongestLine / 2);
        Task third = Ask(turns);
        _clock.Pass(TimeSpan.FromMilliseconds(1));
        Assert.That(turns.TryAsk(out _), Is.False);
        turns.Done();
        await first;
        Task fourth = Ask(turns);
        Assert.That(new[] { second, third, fourth }.Any(turn => turn.IsCompleted), Is.False);
        for (int i = 0; i < 3; i++) turns.Done();
        await Task.WhenAll(second, third, fourth);
    }

    private Turns Taken()
    {
        var turns = new Turns(_clock);
        for (int i = 0; i < Turns.AtOnce; i++) Assert.That(Ask(turns).IsCompleted, Is.True);
        return turns;
    }

    private static Task Ask(Turns turns)
    {
        Assert.That(turns.TryAsk(out ValueTask turn), Is.True);
        return turn.AsTask();
    }
}
