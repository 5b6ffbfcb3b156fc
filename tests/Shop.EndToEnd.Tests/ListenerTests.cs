using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Shop.Host;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.EndToEnd.Tests;

internal sealed class ListenerTests
{
    private static readonly (string Module, string Path)[] Routes =
    [
        ("products", "/products"), ("products", "/products/prod_0"), ("products", "/categories"),
        ("orders", "/orders"), ("orders", "/orders/some-id"), ("orders", "/orders/some-id/events"),
        ("orders", "/orders/some-id/pay"), ("orders", "/orders/some-id/ship"), ("orders", "/orders/some-id/deliver"),
        ("orders", "/orders/some-id/cancel"),
        ("inventory", "/inventory"), ("inventory", "/inventory/prod_0"), ("inventory", "/inventory/prod_0/movements"),
        ("inventory", "/inventory/increase"), ("inventory", "/inventory/decrease"),
    ];

    private static IEnumerable<TestCaseData> ForeignRoutes() =>
        from route in Routes
        from port in new[] { "products", "orders", "inventory" }
        where port != route.Module
        from prefix in new[] { "", "/api" }
        select new TestCaseData(route.Module, prefix + route.Path, port);

    [TestCaseSource(nameof(ForeignRoutes))]
    public async Task Given_a_route_of_one_module_when_asked_on_anothers_port_then_404(
        string owner, string path, string port)
    {
        HttpClient client = SharedShop.Shop.ByName[port];
        Uri home = SharedShop.Shop.ByName[owner].BaseAddress!;
        Uri here = client.BaseAddress!;
        foreach (string method in new[] { "GET", "POST" })
        {
            string forgedHost = await RawHttp.SendAsync(here, $"{method} {path} HTTP/1.1\r\nHost: {home.Authority}\r\n"
                + "Content-Length: 0\r\nConnection: close\r\n\r\n");
            string absolute = await RawHttp.SendAsync(here,
                $"{method} {home.Scheme}://{home.Authority}{path} HTTP/1.1\r\nHost: {home.Authority}\r\n"
                + "Content-Length: 0\r\nConnection: close\r\n\r\n");
            string plain = await RawHttp.SendAsync(here, $"{method} {path} HTTP/1.1\r\nHost: {here.Authority}\r\n"
                + "Content-Length: 0\r\nConnection: close\r\n\r\n");
            Assert.That(new[] { forgedHost, absolute, plain }.Select(RawHttp.Status),
                Is.All.EqualTo(404), $"{method} {path} on {port}");
        }
    }

    [Test]
    public async Task Given_every_route_when_asked_on_its_own_port_with_or_without_the_prefix_then_it_is_there()
    {
        foreach ((string module, string path) in Routes)
        {
            HttpClient client = SharedShop.Shop.ByName[module];
            foreach (string prefix in new[] { "", "/api" })
            {
                using HttpResponseMessage get = await client.GetAsync(prefix + path);
                string text = await get.Content.ReadAsStringAsync();
                Assert.That(text, Does.Not.Contain("There is nothing at"), $"{prefix}{path} on {module}");
            }
        }
    }

    [Test]
    public async Task Given_localhost_when_the_shop_binds_it_then_IPv4_and_IPv6_both_answer()
    {
        if (!Socket.OSSupportsIPv6) Assert.Ignore("This machine has no IPv6.");
        await using WebApplication shop = await StartOnLocalhostAsync();
        int port = shop.ModuleAddresses().First().Address.Port;
        foreach (string host in new[] { "127.0.0.1", "[::1]" })
        {
            using var client = new HttpClient();
            using HttpResponseMessage live = await client.GetAsync(new Uri($"http://{host}:{port}/health/live"));
            Assert.That(live.StatusCode, Is.EqualTo(HttpStatusCode.OK), host);
        }

        await shop.StopAsync();
    }

    [Test]
    public void Given_ports_of_0_when_the_shop_has_started_then_it_tells_three_different_real_ports()
    {
        int[] ports = [.. SharedShop.Shop.ByName.Values.Select(client => client.BaseAddress!.Port)];
        Assert.That(ports, Is.Unique.And.All.GreaterThan(0));
        Assert.That(SharedShop.Shop.ByName.Values.Select(client => client.BaseAddress!.Host),
            Is.All.EqualTo("127.0.0.1"));
    }

    [Test]
    public async Task Given_a_module_whose_routes_can_not_be_built_when_the_shop_starts_then_the_start_fails_and_no_port_opens()
    {
        string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
        string[] settings =
        [
            $"--Shop:DataDirectory={directory}", "--Shop:Products:Port=0", "--Shop:Orders:Port=0",
            "--Shop:Inventory:Port=0", "--Logging:LogLevel:Default=None",
        ];
        await using WebApplication shop = ShopHost.Build(settings,
            services => services.AddSingleton<BuildInfo>(static _ => throw new NotSupportedException("No version.")));

        Assert.That(async () => await shop.StartAsync(),
            Throws.InstanceOf<NotSupportedException>().With.Message.EqualTo("No version."));

        Assert.That(shop.Urls, Is.Empty);
    }

    // A port that was free a moment ago may be taken by now: then it is another's turn.
    private static async Task<WebApplication> StartOnLocalhostAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            int[] ports = FreePort.Next(3);
            string directory = Directory.CreateTempSubdirectory("shop-test-").FullName;
            WebApplication shop =
                ShopHost.Build([$"--Shop:DataDirectory={directory}", $"--Shop:Products:Port={ports[0]}",
                    $"--Shop:Orders:Port={ports[1]}", $"--Shop:Inventory:Port={ports[2]}",
                    "--Logging:LogLevel:Default=None"]);
            try
            {
                await shop.StartAsync();
                return shop;
            }
            catch (IOException) when (attempt < 5)
            {
                await shop.DisposeAsync();
            }
        }
    }
}
