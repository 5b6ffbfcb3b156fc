using Shop.Platform.Security;

namespace Shop.Faults.Tests;

/// <summary>A client on an address that is not loopback: what a client on this machine alone may do is refused,
/// whatever it says of itself.</summary>
internal sealed class StrangerTests
{
    [Test]
    public async Task Given_a_client_on_another_address_when_it_makes_trouble_by_any_name_for_the_shop_then_403_and_there_is_none()
    {
        using var network = OtherNetwork.Make();
        (string key, string hash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:BindAddress=*");
        await using ShopUnderTest withKeys = await ShopUnderTest.StartAsync("Shop:BindAddress=*",
            $"Shop:ApiKeys=ada:write:{hash}");
        int port = shop.Products.BaseAddress!.Port;
        (string, string)[] forged =
            [("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"),
                ("X-Client-IP", "127.0.0.1"), ("True-Client-IP", "::1")];
        foreach (string host in new[] { $"localhost:{port}", "localhost", $"127.0.0.1:{port}", $"[::1]:{port}",
            $"{network.Here}:{port}" })
        {
            foreach ((string, string)? header in forged.Select(header => ((string, string)?)header).Prepend(null))
                Assert.That(await StartAsync(shop, network.Here, host, header), Is.EqualTo(403), $"{host} {header}");
        }

        Assert.That(await StartAsync(withKeys, network.Here, "localhost", null), Is.EqualTo(401));
        Assert.That(await StartAsync(withKeys, network.Here, "localhost", ("Authorization", $"Bearer {key}")),
            Is.EqualTo(200), "with keys, the address is nothing");
        Assert.That((await RunAsync(shop), await RunAsync(withKeys)), Is.EqualTo((0, 1)));
        // Any address of the loopback is this machine; by the name of another, it is not taken for it.
        Assert.That(await StartAsync(shop, "127.0.0.1", network.Here, null), Is.EqualTo(403));
        Assert.That(await StartAsync(shop, "127.4.5.6", "localhost", null), Is.EqualTo(200));
        Assert.That(await RunAsync(shop), Is.EqualTo(1));
    }

    [Test]
    public async Task Given_a_client_on_another_address_when_it_starts_demo_traffic_then_it_may_if_it_may_write()
    {
        using var network = OtherNetwork.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:BindAddress=*");
        await using ShopUnderTest withKeys = await ShopUnderTest.StartAsync("Shop:BindAddress=*",
            $"Shop:ApiKeys=ada:write:{ApiKeys.Make().Hash}");
        foreach ((ShopUnderTest asked, int status) in new[] { (shop, 303), (withKeys, 401) })
        {
            string host = $"{network.Here}:{asked.Products.BaseAddress!.Port}";
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{host}/live/traffic")
            {
                Content = new FormUrlEncodedContent([KeyValuePair.Create("action", "start"),
                    KeyValuePair.Create("rate", "3")]),
            };
            request.Headers.Add("Origin", $"http://{host}");
            Assert.That(await SendAsync(request), Is.EqualTo(status));
        }
    }

    private static async Task<int> StartAsync(ShopUnderTest shop, string address, string host,
        (string Name, string Value)? header)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put,
            $"http://{address}:{shop.Products.BaseAddress!.Port}/faults/slow_answers")
        {
            Content = new StringContent("""{"intensity":0.001}""", null, "application/json"),
        };
        request.Headers.Host = host;
        if (header is { } forged) request.Headers.TryAddWithoutValidation(forged.Name, forged.Value);
        return await SendAsync(request);
    }

    // A client of its own: what it is asked by is not its address.
    private static async Task<int> SendAsync(HttpRequestMessage request)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        using HttpResponseMessage answer = await client.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static async Task<int> RunAsync(ShopUnderTest shop) =>
        (await shop.Products.GetJsonAsync("/faults")).AsArray().Count(fault => (bool)fault!["active"]!);
}
