using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Shop.Faults.Tests;

/// <summary>
/// Clients that vanish without a word, as a notebook does that is closed: no end of the
/// connection, no reset, no answer.
/// </summary>
[Category("CI")]
internal sealed class VanishedClientTests
{
    private const int Viewers = 20, Places = 256;

    [Test]
    public async Task Given_viewers_whose_network_goes_down_then_their_places_are_free_within_a_minute()
    {
        using var network = OtherNetwork.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:BindAddress=*");
        string[] streams = ["/board/events", "/live/events"];
        foreach (string path in streams)
        {
            for (int i = 0; i < Viewers; i++)
            {
                string request = $@"GET {path} HTTP/1.1\r\nHost: {network.Here}\r\n\r\n";
                string there = $"/dev/tcp/{network.Here}/{shop.Orders.BaseAddress!.Port}";
                network.Run($"exec 3<>{there}; printf '{request}' >&3; cat <&3 >/dev/null");
            }
        }

        foreach (string path in streams) await FreePlacesAsync(shop, path, Places - Viewers);
        network.PullTheCable();
        long down = Stopwatch.GetTimestamp();
        foreach (string path in streams) await FreePlacesAsync(shop, path, Places);
        TestContext.Out.WriteLine($"Their places were free after {Stopwatch.GetElapsedTime(down).TotalSeconds:0.0} s.");
    }

    private static async Task FreePlacesAsync(ShopUnderTest shop, string path, int expected)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            (_, JsonNode? now) = await shop.Orders.SendJsonAsync(HttpMethod.Get, path, null,
                ("Accept", "application/json"));
            int places = (int)now!["places"]!;
            if (places == expected) return;
            bool isInTime = Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(1);
            Assert.That(isInTime, Is.True, $"{places} places on {path}");
            await Task.Delay(100);
        }
    }
}
