using Shop.Platform.Live;

namespace Shop.Platform.Tests;

/// <summary>
/// The places of a stream of events: all for one client if nobody else wants one, and one for each client who does.
/// </summary>
internal sealed class StreamLimiterTests
{
    [TestCase(2, 1)]
    [TestCase(3, 1)]
    [TestCase(4, 2)]
    [TestCase(5, 2)]
    public void Given_a_client_that_has_all_places_when_another_comes_then_the_oldest_of_the_first_give_way_until_the_first_has_at_most_one_more_than_the_other(
        int all, int given)
    {
        var places = new StreamLimiter(all);
        StreamLimiter.Lease[] greedy = [.. Enumerable.Range(0, all).Select(_ => places.TryAcquire("greedy")!)];
        Assert.That((places.Free, places.TryAcquire("greedy")), Is.EqualTo((0, (StreamLimiter.Lease?)null)));

        StreamLimiter.Lease?[] modest = [.. Enumerable.Range(0, given + 2).Select(_ => places.TryAcquire("modest"))];
        Assert.That(modest.TakeWhile(lease => lease is not null).Count(), Is.EqualTo(given));
        Assert.That(modest[given..], Is.All.Null);
        Assert.That(modest.Any(lease => lease?.Evicted.IsCancellationRequested == true), Is.False);
        Assert.That(greedy.Select(lease => lease.Evicted.IsCancellationRequested),
            Is.EqualTo(Enumerable.Range(0, all).Select(i => i < given)));
        Assert.That(places.TryAcquire("greedy"), Is.Null, "nor does it come back for its own");
    }

    [Test]
    public void Given_places_that_are_given_back_in_any_order_then_each_is_free_once()
    {
        var places = new StreamLimiter(3);
        StreamLimiter.Lease first = places.TryAcquire("one")!, second = places.TryAcquire("one")!;
        StreamLimiter.Lease third = places.TryAcquire("one")!, other = places.TryAcquire("two")!;
        first.Dispose(); // it gave way before
        Assert.That((first.Evicted.IsCancellationRequested, places.Free), Is.EqualTo((true, 0)));
        third.Dispose();
        third.Dispose();
        second.Dispose();
        other.Dispose();
        Assert.That(places.Free, Is.EqualTo(3));
        Assert.That(places.TryAcquire("three"), Is.Not.Null);
    }
}
