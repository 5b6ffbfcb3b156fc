using Microsoft.Extensions.Configuration;

namespace Shop.Platform.Tests;

internal sealed class SettingsTests
{
    [TestCase("Shop:OrderRetention", 0, 36_500)]
    [TestCase("Shop:MaxConcurrentRequests", 1, 100_000)]
    [TestCase("Shop:WriteQueueLimit", 1, 1_000_000)]
    [TestCase("Shop:WriteBatchLimit", 1, 1024)]
    [TestCase("Shop:RequestTimeout", 1, 300)]
    [TestCase("Shop:MaxConnections", 1, 1_000_000)]
    [TestCase("Shop:ClientRateLimit", 0, 1_000_000)]
    [TestCase("Shop:Alerts:Port", 0, 65_535)]
    public void Given_a_setting_that_is_a_number_then_it_is_taken_from_its_least_to_its_most_and_not_beyond(string key,
        int least, int most)
    {
        foreach (int right in new[] { least, most })
            Assert.That(() => Read(key, $"{right}"), Throws.Nothing, $"{right}");
        foreach (long wrong in new[] { least - 1L, most + 1L })
        {
            Assert.That(() => Read(key, $"{wrong}"), Throws.TypeOf<ShopStartException>()
                .With.Message.EqualTo($"{key} is '{wrong}', but must be a whole number from {least} to {most}"));
        }
    }

    [Test]
    public void Given_no_setting_then_each_has_the_value_that_the_README_says()
    {
        ShopSettings settings = Read("Shop:DemoData", "true");
        Assert.That((settings.OrderRetention, settings.MaxConcurrentRequests, settings.WriteQueueLimit,
            settings.WriteBatchLimit,
            settings.RequestTimeout, settings.MaxConnections, settings.ClientRateLimit),
            Is.EqualTo((TimeSpan.Zero, 8192, 4096, 1024, TimeSpan.FromSeconds(10), 8192, 0)));
    }

    private static ShopSettings Read(string key, string value) =>
        ShopSettings.Read(new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]).Build(), []);
}
