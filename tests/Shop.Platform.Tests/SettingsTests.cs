using static Shop.Platform.Tests.TestSettings;

namespace Shop.Platform.Tests;

/// <summary>Settings that are no numbers: what is just right, and what is nearly.</summary>
internal sealed class SettingsTests
{
    private const string Hash = "0123456789abcdefABCDEF9876543210000000000000000000000000000000ff";

    [TestCase("Shop:Currency", "CHF", true)]
    [TestCase("Shop:Currency", " CHF ", true)]
    [TestCase("Shop:Currency", "chf", false)]
    [TestCase("Shop:Currency", "CH", false)]
    [TestCase("Shop:Currency", "CHFR", false)]
    [TestCase("Shop:Currency", "CÄF", false)]
    [TestCase("Shop:Currency", "", false)]
    [TestCase("Shop:DemoData", "False", true)]
    [TestCase("Shop:DemoData", "0", false)]
    [TestCase("Shop:DemoData", "", false)]
    [TestCase("Shop:Faults", "on", true)]
    [TestCase("Shop:Faults", "off", true)]
    [TestCase("Shop:Faults", "Off", false)]
    [TestCase("Shop:Faults", "false", false)]
    [TestCase("Shop:Faults", "", false)]
    [TestCase("Shop:BindAddress", "*", true)]
    [TestCase("Shop:BindAddress", "::", true)]
    [TestCase("Shop:BindAddress", "192.0.2.1", true)]
    [TestCase("Shop:BindAddress", "Localhost", false)]
    [TestCase("Shop:BindAddress", "shop.example", false)]
    [TestCase("Shop:BindAddress", "192.0.2.1:80", false)]
    [TestCase("Shop:DataDirectory", "", false)]
    [TestCase("Shop:MaxConnections", "10", true)]
    [TestCase("Shop:MaxConnections", "1e1", false)]
    [TestCase("Shop:MaxConnections", "10.0", false)]
    [TestCase("Shop:MaxConnections", "", false)]
    [TestCase("Shop:ApiKeys", "", true)]
    [TestCase("Shop:ApiKeys", $"ada:write:{Hash}", true)]
    [TestCase("Shop:ApiKeys", $" ada:write:{Hash} ,, bob:read:{Hash}", true)]
    [TestCase("Shop:ApiKeys", $"ada:write:{Hash},ada:read:{Hash}", false)]
    [TestCase("Shop:ApiKeys", $"ada:Write:{Hash}", false)]
    [TestCase("Shop:ApiKeys", $"ada:admin:{Hash}", false)]
    [TestCase("Shop:ApiKeys", $":read:{Hash}", false)]
    [TestCase("Shop:ApiKeys", $"ada:{Hash}", false)]
    [TestCase("Shop:ApiKeys", $"ada:read:{Hash}:", false)]
    [TestCase("Shop:ApiKeys", $"ada:read:{Hash}0", false)]
    [TestCase("Shop:ApiKeys", $"ada:read:0{Hash}0", false)]
    [TestCase("Shop:ApiKeys", $"ada:read:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false)]
    [TestCase("Shop:MetricsKey", "", true)]
    [TestCase("Shop:MetricsKey", Hash, true)]
    [TestCase("Shop:MetricsKey", $"{Hash}0", false)]
    [TestCase("Shop:AllowedHosts", "", true)]
    [TestCase("Shop:AllowedHosts", "*", true)]
    [TestCase("Shop:AllowedHosts", "shop.example, [2001:db8::1],192.0.2.1", true)]
    [TestCase("Shop:AllowedHosts", "shop.example:80", false)]
    [TestCase("Shop:AllowedHosts", "https://shop.example", false)]
    [TestCase("Shop:AllowedHosts", "*.shop.example", false)]
    [TestCase("Shop:CorsOrigins", "*", true)]
    [TestCase("Shop:CorsOrigins", "https://shop.example, http://localhost:3000", true)]
    [TestCase("Shop:CorsOrigins", "https://shop.example/", false)]
    [TestCase("Shop:CorsOrigins", "shop.example", false)]
    [TestCase("Shop:CorsOrigins", "ftp://shop.example", false)]
    [TestCase("Shop:CorsOrigins", "https://ada@shop.example", false)]
    [TestCase("Shop:CorsOrigins", "https://shop.example,https://shop.example/path", false)]
    [TestCase("Shop:CorsOrigins", "https://*.shop.example", false)]
    [TestCase("Shop:CorsOrigins", "null", false)]
    [TestCase("Shop:Orders:PublicUrl", "", true)]
    [TestCase("Shop:Orders:PublicUrl", "https://orders.shop.example:8443", true)]
    [TestCase("Shop:Orders:PublicUrl", "*", false)]
    [TestCase("Shop:Orders:PublicUrl", "https://shop.example/orders", false)]
    [TestCase("Shop:Orders:PublicUrl", "https://shop.example,https://shop.example", false)]
    [TestCase("Shop:TrustedProxies", "10.0.0.0/8, 192.0.2.7, 2001:db8::/32,::1", true)]
    [TestCase("Shop:TrustedProxies", "10.0.0.0/33", false)]
    [TestCase("Shop:TrustedProxies", "proxy.example", false)]
    [TestCase("Shop:TrustedProxies", "*", false)]
    [TestCase("Shop:Paper:Port", "1", false)]
    [TestCase("Shop:Orders", "1", false)]
    public void Given_a_setting_when_it_is_nearly_right_then_the_start_names_it_and_when_it_is_right_it_is_taken(
        string key, string value, bool isRight)
    {
        if (isRight) Assert.That(() => Read((key, value)), Throws.Nothing);
        else
        {
            Assert.That(() => Read((key, value)),
                Throws.TypeOf<ShopStartException>().With.Message.StartsWith(key).And.Message.Not.Contains(Hash));
        }
    }

    [Test]
    public void Given_several_settings_that_are_wrong_then_all_are_named_at_once() =>
        Assert.That(() => Read(("Shop:Currency", "euro"), ("Shop:Orders:Port", "65536"), ("Shop:Portt", "1")),
            Throws.TypeOf<ShopStartException>().With.Message.Contains("Shop:Currency is 'euro'")
                .And.Message.Contains("Shop:Orders:Port is '65536'").And.Message.Contains("Shop:Portt is not"));

    [TestCase(0, 0, 0, true)]
    [TestCase(6001, 6002, 6003, true)]
    [TestCase(6001, 6002, 6002, false)]
    [TestCase(6001, 6002, 6001, false)]
    [TestCase(5002, 6002, 6003, true)]
    public void Given_ports_then_each_service_has_one_of_its_own_unless_the_system_picks_them(
        int products, int orders, int inventory, bool areRight)
    {
        (string, string)[] ports = [("Shop:Products:Port", $"{products}"), ("Shop:Orders:Port", $"{orders}"),
            ("Shop:Inventory:Port", $"{inventory}")];
        if (areRight) Assert.That(Read(ports).Ports["inventory"], Is.EqualTo(inventory));
        else Assert.That(() => Read(ports), Throws.TypeOf<ShopStartException>().With.Message.Contains("same port"));
    }

    [TestCase("Shop", null, null, null, new[] { "Shop", "Shop", "Shop" })]
    [TestCase("Shop", null, "Orders", null, new[] { "Shop", "Orders", "Shop" })]
    [TestCase(null, "Products", "Orders", "Inventory", new[] { "Products", "Orders", "Inventory" })]
    [TestCase(null, "Products", "Orders", null, null)]
    [TestCase(null, null, null, "Inventory", null)]
    public void Given_connection_strings_then_a_modules_own_comes_before_the_common_one_and_all_have_one_or_none(
        string? common, string? products, string? orders, string? inventory, string[]? expected)
    {
        (string, string)[] set = [.. new[] { ("Shop", common), ("Products", products), ("Orders", orders),
            ("Inventory", inventory) }.Where(one => one.Item2 is not null)
            .Select(one => ($"ConnectionStrings:{one.Item1}", $"Host=db;Database={one.Item2}"))];
        if (expected is null)
        {
            Assert.That(() => Read(set), Throws.TypeOf<ShopStartException>().With.Message.Contains("for all modules"));
            return;
        }

        Assert.That(TestSettings.Modules.Select(module => Read(set).Connections![module.Name]),
            Is.EqualTo(expected.Select(name => ($"ConnectionStrings:{name}", $"Host=db;Database={name}"))));
    }
}
