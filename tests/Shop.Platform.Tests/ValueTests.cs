using System.Globalization;
using System.Numerics;
using System.Text;
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
            ExactNumber.TryRead(Encoding.UTF8.GetBytes(Money.FromCents(cents).ToString(CultureInfo.InvariantCulture)),
                2, out long back) && back == cents
            && Money.FromCents(cents).ToString(CultureInfo.InvariantCulture).Split('.')[1].Length == 2);

    [Test]
    public void Given_any_number_as_it_may_be_written_then_it_is_read_to_the_last_digit_or_refused() =>
        Gen.Select(Gen.Bool, Gen.String[Gen.Char['0', '9'], 1, 25], Gen.String[Gen.Char['0', '9'], 0, 25],
            Gen.Int[-30, 30], Gen.Int[0, 2]).Sample((isNegative, whole, fraction, exponent, decimals) =>
            {
                string text = $"{(isNegative ? "-" : "")}{whole}{(fraction.Length > 0 ? "." : "")}{fraction}"
                    + $"{(exponent == 0 ? "" : $"e{exponent}")}";
                var digits = BigInteger.Parse(whole + fraction, CultureInfo.InvariantCulture);
                int power = exponent - fraction.Length + decimals;
                BigInteger divisor = BigInteger.Pow(10, Math.Max(0, -power));
                BigInteger expected = (isNegative ? -1 : 1) * digits * BigInteger.Pow(10, Math.Max(0, power)) / divisor;
                bool isExact = digits % divisor == 0 && BigInteger.Abs(expected) <= long.MaxValue;
                return ExactNumber.TryRead(Encoding.UTF8.GetBytes(text), decimals, out long read) == isExact
                    && (!isExact || read == expected);
            });

    [TestCase("")]
    [TestCase(".")]
    [TestCase("-")]
    [TestCase("1e")]
    [TestCase("1 ")]
    [TestCase("1,5")]
    [TestCase("--1")]
    [TestCase("0x10")]
    [TestCase("\u0661")]
    [TestCase("1e99999999999999999999")]
    public void Given_what_is_no_number_then_it_is_refused(string text) =>
        Assert.That(ExactNumber.TryRead(Encoding.UTF8.GetBytes(text), 2, out _), Is.False);

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
    [TestCase("0.999999999999999999999999999999999", null)]
    [TestCase("1.00000000000000000000000000000000000001", null)]
    [TestCase("1.000000000000000000000000000000000000000", 100L)]
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
    [TestCase("0.99999999999999999999999999999999", null)]
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

    [TestCase('\n', true)]
    [TestCase('\r', true)]
    [TestCase('\t', true)]
    [TestCase('\0', false)]
    [TestCase('\v', false)]
    [TestCase('\x1b', false)]
    [TestCase('\x7f', false)]
    [TestCase('\x85', false)]
    public void Given_a_control_character_then_a_text_of_several_lines_may_have_it_if_it_is_white_space_and_another_text_not(
        char control, bool isTaken)
    {
        var description = new TextField("description", 0, 5)
        {
            Description = "d",
            Example = "\"a\"",
            IsMultiline = true,
        };
        Assert.That((description.Read($"a{control}b", out _) is null, Name.Read($"a{control}b", out _) is null),
            Is.EqualTo((isTaken, false)));
    }

    [Test]
    public void Given_any_two_contents_then_their_fingerprints_are_equal_exactly_where_they_are()
    {
        Gen<string?[]> content = Gen.String[Gen.Char['a', 'c'], 0, 3].Null().Array[0, 4];
        Gen.Select(content, content).Sample((one, other) =>
            IdempotencyKey.FingerprintOf(one)
                .SequenceEqual(IdempotencyKey.FingerprintOf(other)) == one.SequenceEqual(other));
    }
}
