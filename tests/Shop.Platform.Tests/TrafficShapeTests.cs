using Shop.Platform.Live;

namespace Shop.Platform.Tests;

internal sealed class TrafficShapeTests
{
    [TestCase("constant", 0, 1)]
    [TestCase("constant", 3599, 1)]
    [TestCase("day", 0, 0.2)]
    [TestCase("day", 75, 0.6)]
    [TestCase("day", 150, 1)]
    [TestCase("day", 300, 0.2)]
    [TestCase("spikes", 0, 0.25)]
    [TestCase("spikes", 20, 1)]
    [TestCase("spikes", 29.9, 1)]
    [TestCase("spikes", 30, 0.25)]
    [TestCase("spikes", 85, 1)]
    [TestCase("outage", 59, 0.5)]
    [TestCase("outage", 60, 0)]
    [TestCase("outage", 89, 0)]
    [TestCase("outage", 90, 1)]
    [TestCase("outage", 105, 0.5)]
    [TestCase("outage", 181, 0)]
    public void Given_a_shape_then_it_has_this_share_of_the_rate_at_a_time(string name, double seconds, double share) =>
        Assert.That(TrafficShape.Find(name)!.Share(TimeSpan.FromSeconds(seconds)), Is.EqualTo(share).Within(1e-9));

    [Test]
    public void Given_any_shape_then_the_rate_is_the_highest_of_it_and_is_reached()
    {
        foreach (TrafficShape shape in TrafficShape.All)
        {
            double[] shares = [.. Enumerable.Range(0, 3600)
                .Select(second => shape.Share(TimeSpan.FromSeconds(second)))];
            Assert.That(shares.Max(), Is.EqualTo(1).Within(1e-9), shape.Name);
            Assert.That(shares, Is.All.InRange(0, 1 + 1e-9), shape.Name);
        }
    }
}
