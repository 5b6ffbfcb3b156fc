using System.Globalization;
using System.Text.RegularExpressions;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>The settings as README's table has them: their names, their defaults, and their bounds.</summary>
internal sealed partial class SettingsTableTests
{
    private static readonly Dictionary<string, Func<ShopSettings, object>> Values = new(StringComparer.Ordinal)
    {
        ["Shop:OrderRetention"] = settings => (long)settings.OrderRetention.TotalDays,
        ["Shop:MaxConcurrentRequests"] = settings => (long)settings.MaxConcurrentRequests,
        ["Shop:WriteQueueLimit"] = settings => (long)settings.WriteQueueLimit,
        ["Shop:WriteBatchLimit"] = settings => (long)settings.WriteBatchLimit,
        ["Shop:MaxConnections"] = settings => (long)settings.MaxConnections,
        ["Shop:RequestTimeout"] = settings => (long)settings.RequestTimeout.TotalSeconds,
        ["Shop:ClientRateLimit"] = settings => (long)settings.ClientRateLimit,
    };

    private static (string Key, string Default, string Meaning)[] Rows() =>
        [.. Row().Matches(Repository.Text("README.md"))
            .Select(row => (row.Groups["key"].Value, row.Groups["value"].Value, row.Groups["meaning"].Value))];

    private static IEnumerable<string> Numbers => Values.Keys;

    [Test]
    public void Given_the_table_then_it_has_every_setting_and_no_other()
    {
        string[] listed = [.. Rows().SelectMany(row => Key().Matches(row.Key).Select(key => key.Value))];
        Assert.That(listed, Is.EquivalentTo(ShopSettings.Keys(TestSettings.Modules)));
    }

    [TestCaseSource(nameof(Numbers))]
    public void Given_a_setting_that_is_a_number_then_its_default_and_its_bounds_are_those_of_the_table(string key)
    {
        (_, string byDefault, string meaning) = Rows().Single(row => row.Key == $"`{key}`");
        Match bounds = Bounds().Match(meaning);
        long least = bounds.Groups["least"].Success ? Number(bounds.Groups["least"].Value) : 0, most =
            Number(bounds.Groups["most"].Value);
        Assert.Multiple(() =>
        {
            Assert.That(Values[key](Read()), Is.EqualTo(Number(byDefault)), "default");
            foreach (long right in new[] { least, most }) Assert.That(Values[key](Read((key, right))),
                Is.EqualTo(right));
            foreach (long wrong in new[] { least - 1, most + 1 })
                Assert.That(() => Read((key, wrong)), Throws.TypeOf<ShopStartException>().With.Message.Contains(key),
                    $"{wrong}");
        });
    }

    private static ShopSettings Read(params (string Key, long Value)[] values) => TestSettings.Read(
        [.. values.Select(value => (value.Key, value.Value.ToString(CultureInfo.InvariantCulture)))]);

    private static long Number(string text) => long.Parse(text, NumberStyles.AllowThousands,
        CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\| (?<key>`(Shop|ConnectionStrings):[^|]*) \|\s*(?<value>[^|]*?)\s*\| (?<meaning>.*) \|$",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline, 60_000)]
    private static partial Regex Row();

    [GeneratedRegex("(Shop|ConnectionStrings):[A-Za-z:]+", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Key();

    [GeneratedRegex(@"((?<least>\d+) to|up to) (?<most>[\d,]*\d)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Bounds();
}
