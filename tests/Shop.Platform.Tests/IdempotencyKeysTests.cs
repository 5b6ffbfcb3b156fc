using CsCheck;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class IdempotencyKeysTests
{
    private static readonly DateTime Noon = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);

    private static readonly Gen<Step> AnyStep = Gen.Frequency(
        (8, Gen.Select(Gen.Int[0, 2], Gen.OneOf("", "ada ", "bob ", "a b "), Gen.Int[0, 1], Gen.Int[0, 4],
            (key, owner, content, luck) => (Step)new Send($"{owner}k{key}", content, luck > 0))),
        (2, Gen.Int[-50, 50].Select(hours => (Step)new Pass(TimeSpan.FromHours(hours)))),
        (1, Gen.Const((Step)new Purge())));

    [Test]
    public void Given_any_history_of_requests_and_clocks_then_each_key_changes_once_in_its_48_hours_and_answers_as_the_first_time()
    {
        using var database = new DatabaseUnderTest();
        int run = 0;
        AnyStep.List[1, 40].Sample(steps =>
        {
            // Each history has keys of its own: the file stays.
            string suffix = $"-{Interlocked.Increment(ref run)}";
            var kept = new Dictionary<string, (int Content, string Answer, DateTime At)>(StringComparer.Ordinal);
            DateTime now = Noon;
            int made = 0, expected = 0;
            foreach (Step step in steps)
            {
                switch (step)
                {
                    case Pass pass:
                        now += pass.Time;
                        break;
                    case Purge:
                        database.Database.Keys.PurgeAsync(now).GetAwaiter().GetResult();
                        foreach (string old in kept.Where(key => key.Value.At < now.AddHours(-48))
                            .Select(key => key.Key).ToArray())
                        {
                            kept.Remove(old);
                        }

                        break;
                    case Send send:
                        int next = made + 1; // a write may run twice
                        Reply reply = SendAsync(database,
                            IdempotencyKey.Of(send.Key + suffix, $"content {send.Content}")!, now, send.Succeeds,
                            () => $"answer {made = next}").GetAwaiter().GetResult();
                        Assert.That(reply, Is.EqualTo(Expect(kept, send, now, ref expected)),
                            () => string.Join(", ", steps));
                        break;
                }
            }

            Assert.That(made, Is.EqualTo(expected));
        }, iter: 200, threads: 1);
    }

    [TestCase(-1L, true)]
    [TestCase(0L, true)]
    [TestCase(1L, false)]
    [TestCase(-48L * 3600 * 1000 * 2, true, Description = "a clock that was set back")]
    public async Task Given_a_key_when_48_hours_and_so_many_milliseconds_have_passed_then_it_is_kept_or_not_before_and_after_a_purge(
        long milliseconds, bool isKept)
    {
        using var database = new DatabaseUnderTest();
        var key = IdempotencyKey.Of("key", "content")!;
        await SendAsync(database, key, Noon, true, () => "first");
        DateTime later = Noon.AddHours(48).AddMilliseconds(milliseconds);
        Assert.That(database.Database.Keys.Find(key, later) is not null, Is.EqualTo(isKept), "before");
        await database.Database.Keys.PurgeAsync(later);
        // Asked at the first time: what is found is there, and not merely young enough.
        Assert.That(database.Database.Keys.Find(key, Noon) is not null, Is.EqualTo(isKept), "after");
        Reply reply = await SendAsync(database, key, later, true, () => "second");
        Assert.That((reply.Answer, reply.IsReplayed), Is.EqualTo(isKept ? ("first", true) : ("second", false)));
    }

    [Test]
    public async Task Given_a_key_that_is_too_old_and_not_yet_purged_when_it_is_used_again_then_it_stands_for_the_new_answer()
    {
        using var database = new DatabaseUnderTest();
        DateTime later = Noon.AddHours(49);
        await SendAsync(database, IdempotencyKey.Of("key", "content")!, Noon, true, () => "first");
        await SendAsync(database, IdempotencyKey.Of("key", "other content")!, later, true, () => "second");
        Assert.That(
            database.Database.Keys.Find(IdempotencyKey.Of("key", "other content")!, later.AddHours(48)),
            Is.EqualTo(new IdempotencyRecord(true, "second")));
    }

    [Test]
    public async Task Given_thousands_of_old_keys_when_purged_then_no_write_takes_more_than_its_share_and_the_young_ones_stay()
    {
        using var database = new DatabaseUnderTest();
        const int Old = (2 * IdempotencyKeys.MaxPurgedAtOnce) + 1;
        await Task.WhenAll(Enumerable.Range(0, Old)
            .Select(n => SendAsync(database, IdempotencyKey.Of($"old-{n}", "c")!, Noon, true, () => "a")));
        await SendAsync(database, IdempotencyKey.Of("young", "c")!, Noon.AddHours(1), true, () => "a");
        double writes = await database.MetricAsync("""db_writes_total{result="committed"}""");
        await database.Database.Keys.PurgeAsync(Noon.AddHours(48.5));
        Assert.That(await database.MetricAsync("""db_writes_total{result="committed"}"""), Is.EqualTo(writes + 3));
        Assert.That(database.Database.Rows("SELECT key FROM idempotency_keys", static row => row.GetString(0)),
            Is.EqualTo(new[] { "young" }));
    }

    // As a command of a module does: what was kept for the key, or a change and its answer.
    private static Task<Reply> SendAsync(
        DatabaseUnderTest database, IdempotencyKey key, DateTime now, bool succeeds, Func<string> make) =>
        database.Writes.WriteAsync(() =>
        {
            if (database.Database.Keys.FindUncommitted(key, now) is { } kept)
                return WriteResult.Rollback(
                    kept.IsSame ? new Reply(kept.Answer, IsReplayed: true) : new Reply(IsReused: true));
            if (!succeeds) return WriteResult.Rollback(new Reply());
            string answer = make();
            database.Database.Keys.Add(key, answer, now);
            return WriteResult.Commit(new Reply(answer));
        });

    private static Reply Expect(
        Dictionary<string, (int Content, string Answer, DateTime At)> kept, Send send, DateTime now, ref int made)
    {
        // A key with an owner is looked for without one, too: it may be from before there were owners.
        foreach (string text in new[] { send.Key, send.Key[(send.Key.LastIndexOf(' ') + 1)..] })
        {
            if (!kept.TryGetValue(text, out var known) || known.At < now.AddHours(-48)) continue;
            return known.Content == send.Content
                ? new Reply(known.Answer, IsReplayed: true)
                : new Reply(IsReused: true);
        }

        if (!send.Succeeds) return new Reply();
        string answer = $"answer {++made}";
        kept[send.Key] = (send.Content, answer, now);
        return new Reply(answer);
    }

    private readonly record struct Reply(string? Answer = null, bool IsReplayed = false, bool IsReused = false);

    internal abstract record Step;

    internal sealed record Send(string Key, int Content, bool Succeeds) : Step;

    internal sealed record Pass(TimeSpan Time) : Step;

    internal sealed record Purge : Step;
}
