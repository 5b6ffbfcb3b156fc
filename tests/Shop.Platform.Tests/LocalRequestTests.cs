using System.Net;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Security;

namespace Shop.Platform.Tests;

/// <summary>Who sits at the shop's own machine, and so may make trouble without a key.</summary>
internal sealed class LocalRequestTests
{
    [TestCase("127.0.0.1", "localhost:5001", true)]
    [TestCase("127.0.0.1", "LocalHost", true)]
    [TestCase("127.1.2.3", "127.3.2.1:5001", true)]
    [TestCase("::1", "[::1]:5001", true)]
    [TestCase("::1", "localhost:5001", true)]
    [TestCase("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:5001", true)]
    [TestCase("192.0.2.1", "localhost:5001", false)]
    [TestCase("::ffff:192.0.2.1", "localhost:5001", false)]
    [TestCase("fe80::1", "localhost:5001", false)]
    [TestCase("", "localhost:5001", false)]
    [TestCase("127.0.0.1", "192.0.2.1:5001", false)]
    [TestCase("127.0.0.1", "0.0.0.0:5001", false)]
    [TestCase("127.0.0.1", "host.docker.internal:5001", false)]
    [TestCase("127.0.0.1", "localhost.evil.example", false)]
    [TestCase("127.0.0.1", "notlocalhost", false)]
    [TestCase("127.0.0.1", "", false)]
    public void Given_where_a_request_comes_from_and_what_it_asks_for_then_it_is_local_if_both_are_this_machine(
        string from, string host, bool isLocal) =>
        Assert.That(LocalRequest.IsLocal(Request(from, host), TestSettings.Read()), Is.EqualTo(isLocal));

    [TestCase("Authorization", true)]
    [TestCase("Idempotency-Key", true)]
    [TestCase("Xylophone", true)]
    [TestCase("Skip", true)]
    [TestCase("Viaduct", true)]
    [TestCase("X-Forwarded-For", false)]
    [TestCase("x-anything-at-all", false)]
    [TestCase("True-Client-IP", false)]
    [TestCase("fastly-client-ip", false)]
    [TestCase("FORWARDED", false)]
    [TestCase("via", false)]
    [TestCase("cdn-loop", false)]
    public void Given_a_header_then_a_request_with_it_is_not_local_if_proxies_add_it_however_it_is_written(
        string header, bool isLocal)
    {
        HttpContext http = Request("127.0.0.1", "localhost:5001");
        http.Request.Headers[header] = "1";
        Assert.That(LocalRequest.IsLocal(http, TestSettings.Read()), Is.EqualTo(isLocal));
    }

    [TestCase("HTTP/1.1", "Shop:DemoData", "true", true)]
    [TestCase("HTTP/1.0", "Shop:DemoData", "true", false)]
    [TestCase("HTTP/1.1", "Shop:AllowedHosts", "*", true)]
    [TestCase("HTTP/1.1", "Shop:TrustedProxies", "192.0.2.7", false)]
    [TestCase("HTTP/1.1", "Shop:Products:PublicUrl", "https://shop.example", false)]
    [TestCase("HTTP/1.1", "Shop:Orders:PublicUrl", "https://shop.example", false)]
    public void Given_the_protocol_and_the_settings_then_no_request_is_local_if_they_tell_of_a_proxy(
        string protocol, string key, string value, bool isLocal)
    {
        HttpContext http = Request("127.0.0.1", "localhost:5001");
        http.Request.Protocol = protocol;
        Assert.That(LocalRequest.IsLocal(http, TestSettings.Read((key, value))), Is.EqualTo(isLocal));
    }

    private static DefaultHttpContext Request(string from, string host)
    {
        var http = new DefaultHttpContext();
        http.Connection.RemoteIpAddress = from.Length == 0 ? null : IPAddress.Parse(from);
        http.Request.Protocol = "HTTP/1.1";
        http.Request.Headers.Host = host;
        return http;
    }
}
