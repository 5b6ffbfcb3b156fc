using Shop.Platform.Live;

namespace Shop.Platform.Tests;

/// <summary>The places of a stream of events: all for one client if nobody else wants one, and one for each client who does.</summary>
internal sealed class StreamPlacesTests
{
    [Test]
    public void Given_a_client_that_has_all_places_when_another_comes_then_the_oldest_of_the_first_gives_way()
    {
        var places = new StreamPlaces(4);
        StreamPlaces.Place[] greedy = [.. Enumerable.Range(0, 4).Select(_ => places.TryTake("greedy")!)];
        Assert.That((places.Free, places.TryTake("greedy")), Is.EqualTo((0, (StreamPlaces.Place?)null)));

        StreamPlaces.Place?[] modest = [places.TryTake("modest"), places.TryTake("modest"), places.TryTake("modest")];
        Assert.That(modest.Select(place => place is not null), Is.EqualTo(new[] { true, true, false }), "as many as the other, and no more");
        Assert.That(greedy.Select(place => place.GaveWay.IsCancellationRequested), Is.EqualTo(new[] { true, true, false, false }));
    }

    [Test]
    public void Given_places_that_are_given_back_in_any_order_then_each_is_free_once()
    {
        var places = new StreamPlaces(3);
        StreamPlaces.Place first = places.TryTake("one")!, second = places.TryTake("one")!;
        StreamPlaces.Place third = places.TryTake("one")!, other = places.TryTake("two")!;
        first.Dispose(); // it gave way before
        Assert.That((first.GaveWay.IsCancellationRequested, places.Free), Is.EqualTo((true, 0)));
        third.Dispose();
        third.Dispose();
        second.Dispose();
        other.Dispose();
        Assert.That(places.Free, Is.EqualTo(3));
        Assert.That(places.TryTake("three"), Is.Not.Null);
    }
}
