using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Shop.EndToEnd.Tests;

/// <summary>The limits of a request's size that SECURITY.md lists: what is just within is taken, and what is just
/// beyond is not.</summary>
internal sealed class LimitTests
{
    private static readonly Uri Address = SharedShop.Shop.Products.BaseAddress!;

    private const string Valid = """{"name":"n","price":1,"pad":""";

    [TestCase(8192, 404)]
    [TestCase(8193, 414)]
    public async Task Given_a_request_line_of_8_KiB_then_it_is_taken_and_a_byte_more_is_not(int bytes, int status)
    {
        const string Around = "GET / HTTP/1.1\r\n";
        string answer =
            await RawHttp.SendAsync(Address,
            $"GET /{new string('x', bytes - Around.Length)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(status));
    }

    [TestCase(100, 0, 404)]
    [TestCase(101, 0, 431)]
    [TestCase(2, 16_000, 404)]
    [TestCase(2, 16_400, 431)]
    public async Task Given_a_hundred_headers_or_16_KiB_of_them_then_they_are_taken_and_more_are_not(int count,
        int bytes, int status)
    {
        string headers = string.Concat(Enumerable.Range(0, count - 2).Select(n => $"X-{n}: y\r\n"));
        if (bytes > 0) headers = $"X: {new string('y', bytes / 2)}\r\nY: {new string('y', bytes / 2)}\r\n";
        string answer =
            await RawHttp.SendAsync(Address,
            $"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        Assert.That(RawHttp.Status(answer), Is.EqualTo(status));
    }

    [TestCase(65_536, 201)]
    [TestCase(65_537, 413)]
    public async Task Given_a_body_of_64_KiB_then_it_is_taken_and_a_byte_more_is_not(int bytes, int status)
    {
        string body = $"{Valid}\"{new string('x', bytes - Valid.Length - 3)}\"}}";
        (HttpResponseMessage answer, _) = await SharedShop.Shop.Products.PostAsync("/products", body);
        Assert.That((body.Length, (int)answer.StatusCode), Is.EqualTo((bytes, status)));
    }

    [TestCase(65_536, 303)]
    [TestCase(65_537, 413)]
    public async Task Given_a_form_of_64_KiB_then_it_is_taken_and_a_byte_more_is_not(int bytes, int status)
    {
        const string Fields = "action=add&q=";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/basket")
        {
            Content = new StringContent(Fields + new string('x', bytes - Fields.Length), Encoding.UTF8,
                "application/x-www-form-urlencoded"),
        };
        request.Headers.Add("Origin", Address.GetLeftPart(UriPartial.Authority));
        using HttpResponseMessage answer = await SharedShop.Shop.Products.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
    }

    [TestCase(31, 201)]
    [TestCase(32, 400)]
    public async Task Given_a_body_of_depth_32_then_it_is_taken_and_one_more_is_not(int arrays, int status)
    {
        (HttpResponseMessage answer, _) = await SharedShop.Shop.Products.PostAsync("/products",
            $"{Valid}{new string('[', arrays)}{new string(']', arrays)}}}");
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
    }

    // What takes minutes to see. That it is kept to is seen in SlowClientTests, with shorter times.
    [Test]
    public async Task Given_the_limits_in_time_then_the_server_has_those_that_are_promised()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartHereAsync("Shop:RequestTimeout=7");
        KestrelServerLimits limits = shop.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.Multiple(() =>
        {
            Assert.That(limits.KeepAliveTimeout, Is.EqualTo(TimeSpan.FromMinutes(2)));
            Assert.That(limits.RequestHeadersTimeout, Is.EqualTo(TimeSpan.FromSeconds(7)));
            foreach (MinDataRate? rate in new[] { limits.MinRequestBodyDataRate, limits.MinResponseDataRate })
                Assert.That((rate!.BytesPerSecond, rate.GracePeriod), Is.EqualTo((240d, TimeSpan.FromSeconds(5))));
        });
    }
}
