namespace Shop.Products.Tests;

internal sealed class SearchTextTests
{
    [TestCase("Crème brûlée", "cre\u0300me")]
    [TestCase("cafe\u0301 au lait", "CAF\u00c9")]
    [TestCase("Ti\u1ec7p", "tie\u0323\u0302p")]
    [TestCase("Straße", "STRASSE")]
    [TestCase("STRASSE", "straße")]
    [TestCase("STRA\u1E9EE", "strasse")]
    [TestCase("ΆΛΦΑ", "ά")]
    [TestCase("й", "\u0438\u0306")]
    [TestCase("🫖 pot", "🫖")]
    public void Given_the_same_text_written_in_another_way_then_it_is_found(string text, string part) =>
        Assert.That(SearchText.Contains(SearchText.Of(text), SearchText.Of(part)), Is.True);

    [TestCase("cafe", "café")]
    [TestCase("Strase", "straße")]
    public void Given_other_text_then_it_is_not(string text, string part) =>
        Assert.That(SearchText.Contains(SearchText.Of(text), SearchText.Of(part)), Is.False);
}
