using System.Globalization;
using System.Text.Json;
using CsCheck;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class ValueTests
{
    private static readonly MoneyField Price = new("price", 1, 100_000_000) { Description = "d", Example = "1" };
    private static readonly WholeNumberField Quantity = new("quantity", 1, 10_000) { Description = "d", Example = "1" };
    private static readonly TextField Name = new("name", 1, 5) { Description = "d", Example = "\"a\"" };

    [Test]
    public void Given_any_cents_then_they_come_back_from_the_decimal_unchanged_with_two_places() =>
        Gen.Long[-1_000_000_000_000, 1_000_000_000_000].Sample(cents =>
            Money.TryToCents(Money.FromCents(cents), out long back) && back == cents
            && Money.FromCents(cents).ToString(CultureInfo.InvariantCulture).Split('.')[1].Length == 2);

    [Test]
    public void Given_any_time_in_milliseconds_then_it_comes_back_unchanged() =>
        Gen.Long[0, 4_000_000_000_000].Sample(time => Timestamp.FromMilliseconds(time).ToMilliseconds() == time);

    [TestCase("0.01", 1L)]
    [TestCase("1000000", 100_000_000L)]
    [TestCase("1000000.00", 100_000_000L)]
    [TestCase("1.10", 110L)]
    [TestCase("1.100", 110L)]
    [TestCase("1e2", 10_000L)]
    [TestCase("0", null)]
    [TestCase("0.001", null)]
    [TestCase("1.005", null)]
    [TestCase("1000000.01", null)]
    [TestCase("-1", null)]
    [TestCase("1e300", null)]
    [TestCase("\"1\"", null)]
    [TestCase("true", null)]
    public void Given_an_amount_in_JSON_then_cents_or_a_fault(string json, long? cents)
    {
        string? fault = Price.Read(JsonElement.Parse(json), out long? value);
        Assert.That((value, fault is null), Is.EqualTo((cents, cents is not null)));
    }

    [TestCase("1", 1L)]
    [TestCase("10000", 10_000L)]
    [TestCase("2.0", 2L)]
    [TestCase("2e1", 20L)]
    [TestCase("0", null)]
    [TestCase("10001", null)]
    [TestCase("1.5", null)]
    [TestCase("99999999999999999999999999999999", null)]
    [TestCase("[]", null)]
    public void Given_a_number_in_JSON_then_it_is_whole_and_within_bounds_or_a_fault(string json, long? expected)
    {
        string? fault = Quantity.Read(JsonElement.Parse(json), out long? value);
        Assert.That((value, fault is null), Is.EqualTo((expected, expected is not null)));
    }

    [TestCase("\"abcde\"", true)]
    [TestCase("\"🫖🫖🫖🫖🫖\"", true)]
    [TestCase("\"abcdef\"", false)]
    [TestCase("\"\"", false)]
    [TestCase("\"a\\tb\"", false)]
    [TestCase("\"\\ud800\"", false)]
    [TestCase("5", false)]
    public void Given_a_text_in_JSON_then_its_characters_are_counted_as_people_do(string json, bool isRight) =>
        Assert.That(Name.Read(JsonElement.Parse(json), out _) is null, Is.EqualTo(isRight));

    [Test]
    public void Given_any_two_contents_then_their_fingerprints_are_equal_exactly_where_they_are()
    {
        Gen<string?[]> content = Gen.String[Gen.Char['a', 'c'], 0, 3].Null().Array[0, 4];
        Gen.Select(content, content).Sample((one, other) =>
            IdempotencyKey.FingerprintOf(one).SequenceEqual(IdempotencyKey.FingerprintOf(other)) == one.SequenceEqual(other));
    }
}
