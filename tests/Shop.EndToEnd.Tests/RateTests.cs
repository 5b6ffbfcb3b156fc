using System.Diagnostics;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>Limits by number: as many as are allowed pass, one more does not, and after the time that it says they pass
/// again.</summary>
internal sealed class RateTests
{
    private const int Rate = 7, Scrapes = 20;

    // The answer says a second. A minute, as by a slip of the unit, would give a first request after nine.
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(6);

    private ShopUnderTest _shop = null!;
    private int _client;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync($"Shop:ClientRateLimit={Rate}",
        "Shop:TrustedProxies=127.0.0.1,10.0.0.0/8", "Shop:CorsOrigins=https://front.example");

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [TestCase("GET", "/products/prod_0", Rate)]
    [TestCase("HEAD", "/products/prod_0", Rate)]
    [TestCase("POST", "/products", Rate)]
    [TestCase("OPTIONS", "/products", Rate)]
    [TestCase("GET", "/nowhere", Rate)]
    [TestCase("GET", "/docs", Rate)]
    [TestCase("GET", "/metrics", Scrapes)]
    public async Task Given_a_rate_when_a_client_sends_more_at_once_then_so_many_pass_and_no_more_until_a_second_is_over(
        string method, string path, int allowed)
    {
        // What is due fills up all the time, so a burst on a busy machine gets a few more: then another client tries.
        string client = "";
        int passed = 0;
        long since = 0;
        for (int i = 0; passed != allowed && i < 100; i++)
        {
            client = NextClient();
            since = Stopwatch.GetTimestamp();
            (passed, double seconds) = await BurstAsync(method, path, client, allowed + 5);
            Assert.That(passed, Is.InRange(allowed, allowed + 1 + (allowed * seconds)));
        }

        Assert.That(passed, Is.EqualTo(allowed));
        Assert.That((await BurstAsync("GET", "/health/live", client, 50)).Passed, Is.EqualTo(50),
            "health is never refused");
        Assert.That((await BurstAsync(method, path, NextClient(), 1)).Passed, Is.EqualTo(1),
            "another client is not concerned");

        // As the answer says, another try makes sense soon, and no more than what is due by then.
        long start = Stopwatch.GetTimestamp();
        while (await StatusAsync(method, path, client) == 429)
        {
            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(MaxWait), "it does not pass again");
            await Task.Yield();
        }

        passed = 1 + (await BurstAsync(method, path, client, 3 * allowed)).Passed;
        Assert.That(passed, Is.LessThanOrEqualTo(2 + (allowed * Stopwatch.GetElapsedTime(since).TotalSeconds)));
    }

    [Test]
    public async Task Given_a_client_that_sends_too_much_then_the_refusal_keeps_what_every_answer_promises_in_its_figures_too(
        [Values("*/*", "text/html, */*;q=0.9")] string accept)
    {
        string client = NextClient();
        foreach ((string path, string said) in new[] { ("/products/prod_0", $"More than {Rate} requests a second"),
            ("/metrics", $"More than {Scrapes} scrapes a second") })
        {
            while (true)
            {
                using HttpRequestMessage request = Request("GET", path, client);
                request.Headers.Add("Origin", "https://front.example");
                request.Headers.Accept.ParseAdd(accept);
                using HttpResponseMessage answer = await _shop.Products.SendAsync(request);
                string body = await answer.Content.ReadAsStringAsync();
                Assert.That(AnswerPromises.Faults(answer, body, _shop.Orders.BaseAddress!, "https://front.example"),
                    Is.Empty);
                if ((int)answer.StatusCode != 429) continue;
                Assert.That(body, Does.Contain(said));
                break;
            }
        }
    }

    // The client is the last address that no trusted proxy has: what stands before it is the client's own word.
    [TestCase("198.51.100.{0}", true)]
    [TestCase("198.51.100.{0}, 10.1.2.3", true)]
    [TestCase("198.51.100.{0}, 203.0.113.77", false)]
    [TestCase("198.51.100.{0}, 203.0.113.78, 10.1.2.3, 127.0.0.1", false)]
    [TestCase("198.51.100.{0}, 11.1.2.3", false)]
    [TestCase("nonsense-{0}", false)]
    [TestCase("2001:db8:0:{0}::1", true)]
    [TestCase("2001:db8:77::{0}", false)]
    [TestCase("::ffff:198.51.99.{0}", true)]
    public async Task Given_addresses_that_are_forwarded_then_each_client_is_told_apart_by_what_a_trusted_proxy_saw(
        string forwarded, bool areDifferent)
    {
        int[] statuses = await Task.WhenAll(Enumerable.Range(1, 60)
            .Select(n => StatusAsync("GET", "/products/prod_0", forwarded
            .Replace("{0}", $"{n}", StringComparison.Ordinal))));
        Assert.That(statuses.Contains(429), Is.EqualTo(!areDifferent));
    }

    // Whoever could have a rate for each key that it makes up would have none.
    [TestCase("made up for each request", "203.0.113.9", true)]
    [TestCase("made up for each request", "198.51.100.{0}", false)]
    [TestCase("known", "198.51.100.{0}", true)]
    public async Task Given_keys_then_a_known_one_has_its_rate_from_anywhere_and_whoever_shows_others_has_that_of_an_address(
        string shown, string forwarded, bool isOneClient)
    {
        (string key, string hash) = ApiKeys.Make();
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:ClientRateLimit={Rate}",
            "Shop:TrustedProxies=127.0.0.1", $"Shop:ApiKeys=ada:read:{hash}");
        int[] statuses = await Task.WhenAll(Enumerable.Range(1, 60).Select(async n =>
        {
            using HttpRequestMessage request = Request("GET", "/products/prod_0",
                forwarded.Replace("{0}", $"{n}", StringComparison.Ordinal));
            request.Headers.Add("Authorization", $"Bearer {(shown == "known" ? key : ApiKeys.Make().Key)}");
            using HttpResponseMessage answer = await shop.Products.SendAsync(request);
            return (int)answer.StatusCode;
        }));
        Assert.That(statuses.Contains(429), Is.EqualTo(isOneClient));
        Assert.That(statuses.Where(status => status != 429), Is.All.EqualTo(shown == "known" ? 200 : 401));
    }

    private string NextClient() => $"203.0.{100 + (Interlocked.Increment(ref _client) / 250)}.{1 + (_client % 250)}";

    private static HttpRequestMessage Request(string method, string path, string client)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", client);
        return request;
    }

    private async Task<int> StatusAsync(string method, string path, string client)
    {
        using HttpRequestMessage request = Request(method, path, client);
        using HttpResponseMessage answer = await _shop.Products.SendAsync(request,
            HttpCompletionOption.ResponseHeadersRead);
        return (int)answer.StatusCode;
    }

    // All at once.
    private async Task<(int Passed, double Seconds)> BurstAsync(string method, string path, string client, int times)
    {
        long start = Stopwatch.GetTimestamp();
        int[] statuses = await Task.WhenAll(Enumerable.Range(0, times).Select(_ => StatusAsync(method, path, client)));
        return (statuses.Count(status => status != 429), Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
}
