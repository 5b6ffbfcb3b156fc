namespace Shop.EndToEnd.Tests;

/// <summary>One shop for the tests that need no settings of their own. They make their own products and orders in it.</summary>
[SetUpFixture]
internal sealed class SharedShop
{
    public static ShopUnderTest Shop { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task Start() => Shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task Stop() => await Shop.DisposeAsync();
}
