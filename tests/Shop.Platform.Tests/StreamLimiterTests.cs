using Shop.Platform.Live;

namespace Shop.Platform.Tests;

/// <summary>
/// The places of a stream of events: all for one client if nobody else wants one, and one for each client who does.
/// </summary>
internal sealed class StreamLimiterTests
{
    [Test]
    public void Given_a_client_that_has_all_places_when_another_comes_then_the_oldest_of_the_first_gives_way()
    {
        var places = new StreamLimiter(4);
        StreamLimiter.Lease[] greedy = [.. Enumerable.Range(0, 4).Select(_ => places.TryAcquire("greedy")!)];
        Assert.That((places.Free, places.TryAcquire("greedy")), Is.EqualTo((0, (StreamLimiter.Lease?)null)));

        StreamLimiter.Lease?[] modest =
            [places.TryAcquire("modest"), places.TryAcquire("modest"), places.TryAcquire("modest")];
        Assert.That(
            modest.Select(lease => lease is not null), Is.EqualTo(new[] { true, true, false }),
            "as many as the other, and no more");
        Assert.That(
            greedy.Select(lease => lease.Evicted.IsCancellationRequested),
            Is.EqualTo(new[] { true, true, false, false }));
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
