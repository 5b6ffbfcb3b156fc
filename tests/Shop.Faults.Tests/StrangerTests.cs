using System.Text.Json.Nodes;
using Shop.Platform.Security;

namespace Shop.Faults.Tests;

/// <summary>A client on an address that is not loopback: what a client on this machine alone may do is refused,
/// whatever it says of itself.</summary>
internal sealed class StrangerTests
{
    [Test]
    public async Task Given_a_client_on_another_address_when_it_starts_demo_traffic_by_any_name_for_the_shop_then_403_and_there_is_none()
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
            Is.EqualTo(303), "with keys, the address is nothing");
        Assert.That((await RateAsync(shop), await RateAsync(withKeys)), Is.EqualTo((0, 3)));
        // Any address of the loopback is this machine; by the name of another, it is not taken for it.
        Assert.That(await StartAsync(shop, "127.0.0.1", network.Here, null), Is.EqualTo(403));
        Assert.That(await StartAsync(shop, "127.4.5.6", "localhost", null), Is.EqualTo(303));
        Assert.That(await RateAsync(shop), Is.EqualTo(3));
    }

    private static async Task<int> StartAsync(ShopUnderTest shop, string address, string host,
        (string Name, string Value)? header)
    {
        // A client of its own: what it is asked by is not its address.
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        using var request = new HttpRequestMessage(HttpMethod.Post,
            $"http://{address}:{shop.Products.BaseAddress!.Port}/live/traffic")
        {
            Content = new FormUrlEncodedContent([KeyValuePair.Create("action", "start"),
                KeyValuePair.Create("rate", "3")]),
        };
        request.Headers.Host = host;
        request.Headers.Add("Origin", $"http://{host}");
        if (header is { } forged) request.Headers.TryAddWithoutValidation(forged.Name, forged.Value);
        using HttpResponseMessage answer = await client.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static async Task<int> RateAsync(ShopUnderTest shop)
    {
        (_, JsonNode? now) = await shop.Products.SendJsonAsync(HttpMethod.Get, "/live/events", null,
            ("Accept", "application/json"));
        return (int)now!["events"]!.AsArray().Last(happened =>
            (string)happened!["event"]! == "second")!["data"]!["traffic"]!;
    }
}
