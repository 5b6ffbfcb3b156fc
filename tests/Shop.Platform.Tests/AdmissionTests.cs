using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Security;

namespace Shop.Platform.Tests;

internal sealed class AdmissionTests
{
    [Test]
    public void Given_a_route_that_says_nothing_about_who_may_use_it_when_keys_are_set_then_it_takes_one_that_may_write()
    {
        (string writer, string writerHash) = ApiKeys.Make();
        (string reader, string readerHash) = ApiKeys.Make();
        var endpoint = new RouteEndpoint(static _ => Task.CompletedTask, RoutePatternFactory.Parse("/forgotten"), 0,
            EndpointMetadataCollection.Empty, "forgotten");
        int?[] refusals = [.. new[] { null, reader, writer }.Select(
            key => Status(Ask("GET", "localhost:5001", key is null ? [] : [("Authorization", $"Bearer {key}")],
                endpoint, $"Shop:ApiKeys=ada:write:{writerHash},bob:read:{readerHash}")))];
        Assert.That(refusals, Is.EqualTo(new int?[] { 401, 403, null }));
    }

    [TestCase("localhost", "localhost:5001", true)]
    [TestCase("localhost", "LOCALHOST", true)]
    [TestCase("localhost", "localhost.", true)]
    [TestCase("localhost", "127.0.0.1:5001", true)]
    [TestCase("localhost", "127.1.2.3", true)]
    [TestCase("localhost", "[::1]:5001", true)]
    [TestCase("localhost", "[::ffff:127.0.0.1]:5001", true)]
    [TestCase("localhost", "host.docker.internal:5001", true)]
    [TestCase("localhost", "", true, Description = "no name can have been pointed here")]
    [TestCase("localhost", "evil.example:5001", false)]
    [TestCase("localhost", "localhost.evil.example", false)]
    [TestCase("localhost", "127.0.0.1.evil.example", false)]
    [TestCase("localhost", "evil", false)]
    [TestCase("localhost", "192.168.1.5:5001", false, Description = "an address that is not bound")]
    [TestCase("192.168.1.5", "192.168.1.5:5001", true)]
    [TestCase("192.168.1.5", "192.168.1.6:5001", false)]
    [TestCase("*", "192.168.1.6:5001", true,
        Description = "any address may be the shop's, and none can be pointed elsewhere")]
    [TestCase("0.0.0.0", "[fe80::1]:5001", true)]
    [TestCase("*", "evil.example", false)]
    [TestCase("localhost;AllowedHosts=::1", "[::1]", true)]
    [TestCase("localhost;AllowedHosts=[2001:db8::1]", "[2001:DB8:0::1]:5001", true)]
    [TestCase("localhost;AllowedHosts=shop.example", "SHOP.example.:80", true)]
    [TestCase("localhost;AllowedHosts=shop.example", "localhost", true, Description = "the setting adds")]
    [TestCase("localhost;AllowedHosts=shop.example", "www.shop.example", false)]
    [TestCase("localhost;AllowedHosts=bücher.example", "xn--bcher-kva.example", true)]
    [TestCase("localhost;AllowedHosts=*", "evil.example", true)]
    [TestCase("localhost;Orders:PublicUrl=https://orders.shop.example", "orders.shop.example", true)]
    public void Given_what_is_bound_and_set_when_a_host_is_asked_for_then_it_is_taken_or_400(
        string settings, string host, bool isTaken)
    {
        string[] parts = [.. $"BindAddress={settings}".Split(';').Select(part => $"Shop:{part}")];
        Assert.That(Status(Ask("GET", host, [], null, parts)), Is.EqualTo(isTaken ? null : 400));
        // A second time, since the last name that was taken is remembered.
        (Admission Guard, IServiceProvider Services) admission = Make(parts);
        foreach (string asked in new[] { "localhost", host, "localhost", host })
            Status(Ask(admission, "GET", asked, []));
        Assert.That(Status(Ask(admission, "GET", host, [])), Is.EqualTo(isTaken ? null : 400));
    }

    [TestCase("shop:5001", null)]
    [TestCase("10.1.2.3:5001", null)]
    [TestCase("evil.example:5001", 400)]
    public void Given_a_scrape_by_a_name_of_its_own_then_it_is_taken_if_nobody_can_own_that_name(
        string host, int? refusal)
    {
        RouteEndpoint Watched(Access access) => new(static _ => Task.CompletedTask,
            RoutePatternFactory.Parse("/watched"), 0, new EndpointMetadataCollection(access), "watched");
        Assert.That(Status(Ask("GET", host, [], Watched(Access.Metrics), "Shop:AllowedHosts=shop.example")),
            Is.EqualTo(refusal));
        Assert.That(Status(Ask("GET", host, [], Watched(Access.Health), "Shop:AllowedHosts=shop.example")),
            Is.Null, "health is told to whoever asks, by any name");
        Assert.That(Status(Ask("GET", host, [], Watched(Access.Open), "Shop:AllowedHosts=shop.example")),
            Is.EqualTo(400));
    }

    [TestCase("localhost:5001", null, null, false, Description = "no browser")]
    [TestCase("localhost:5001", "http://localhost:5001", "same-origin", false)]
    [TestCase("localhost:5001", "http://localhost:5002", "same-site", false, Description = "a sibling service")]
    [TestCase("localhost:5001", "HTTP://LOCALHOST:5001", null, false)]
    [TestCase("localhost", "http://localhost", "same-origin", false, Description = "on port 80 browsers name none")]
    [TestCase("localhost:80", "http://localhost", null, false)]
    [TestCase("localhost:8081", "http://localhost:8081", null, false,
        Description = "a published port that is not the shop's own")]
    [TestCase("localhost", "https://localhost", null, false, Description = "a proxy ends TLS")]
    [TestCase("[::1]:5001", "http://[0::1]:5001", null, false)]
    [TestCase("localhost:5001", null, "same-origin", false)]
    [TestCase("localhost:5001", null, "none", false, Description = "typed by the user")]
    [TestCase("localhost:5001", null, "cross-site", true)]
    [TestCase("localhost:5001", null, "same-site", true)]
    [TestCase("localhost:5001", null, "nonsense", true)]
    [TestCase("localhost:5001", "https://evil.example", null, true)]
    [TestCase("localhost:5001", "https://evil.example", "same-origin", true)]
    [TestCase("localhost:5001", "http://localhost:5001", "cross-site", true)]
    [TestCase("localhost:5001", "http://localhost:3000", "same-site", true,
        Description = "another program on this machine")]
    [TestCase("localhost:5001", "http://localhost:5001.evil.example", null, true)]
    [TestCase("localhost:5001", "http://localhost:5001/", null, false)]
    [TestCase("localhost:5001", "null", null, true)]
    [TestCase("localhost:5001", "", null, true)]
    public void Given_a_request_that_changes_something_when_a_page_of_elsewhere_sends_it_then_403(
        string host, string? origin, string? site, bool isRefused)
    {
        (string, string)[] headers =
        [
            .. origin is null ? [] : new[] { ("Origin", origin) },
            .. site is null ? [] : new[] { ("Sec-Fetch-Site", site) },
        ];
        foreach (string method in new[] { "POST", "PUT", "DELETE", "PATCH", "get" })
            Assert.That(Status(Ask(method, host, headers, null)), Is.EqualTo(isRefused ? 403 : null), method);
        foreach (string method in new[] { "GET", "HEAD" })
            Assert.That(Status(Ask(method, host, headers, null)), Is.Null, method);
    }

    [TestCase("https://shop.example", "cross-site", false)]
    [TestCase("https://xn--bcher-kva.example", "same-site", false)]
    [TestCase("https://BÜCHER.example:443", null, false)]
    [TestCase("http://shop.example", null, true, Description = "another scheme is another origin")]
    [TestCase("https://shop.example:444", null, true)]
    [TestCase("https://front.example", "cross-site", false, Description = "CORS allows it")]
    [TestCase("https://evil.example", "cross-site", true)]
    public void Given_public_addresses_and_CORS_when_a_page_of_theirs_changes_something_then_it_is_taken(
        string origin, string? site, bool isRefused)
    {
        (string, string)[] headers = [("Origin", origin), .. site is null ? [] : new[] { ("Sec-Fetch-Site", site) }];
        Assert.That(Status(Ask("POST", "orders.shop.example", headers, null,
                "Shop:Products:PublicUrl=https://shop.example", "Shop:Inventory:PublicUrl=https://bücher.example",
                "Shop:Orders:PublicUrl=https://orders.shop.example", "Shop:CorsOrigins=https://front.example")),
            Is.EqualTo(isRefused ? 403 : null));
    }

    private static IResult? Ask(
        string method, string host, (string Name, string Value)[] headers, Endpoint? endpoint,
        params string[] settings) =>
        Ask(Make(settings), method, host, headers, endpoint);

    private static IResult? Ask(
        (Admission Guard, IServiceProvider Services) admission, string method, string host,
        (string Name, string Value)[] headers, Endpoint? endpoint = null)
    {
        var http = new DefaultHttpContext { RequestServices = admission.Services };
        http.Request.Method = method;
        http.Request.Scheme = "http";
        http.Request.Headers.Host = host;
        foreach ((string name, string value) in headers) http.Request.Headers[name] = value;
        return admission.Guard.Answer(http, endpoint);
    }

    private static (Admission Guard, IServiceProvider Services) Make(string[] settings)
    {
        ShopSettings read = TestSettings.Read(
            [.. settings.Select(setting => setting.Split('=', 2)).Select(pair => (pair[0], pair[1]))]);
        ModuleListener[] listeners = [.. TestSettings.Modules.Select(module =>
            new ModuleListener(new ModuleContext(module, read, TimeProvider.System, NullLoggerFactory.Instance)))];
        IServiceCollection services = new ServiceCollection().AddLogging().AddCors();
        foreach (ModuleListener listener in listeners) services.AddSingleton(listener);
        IServiceProvider provider = services.BuildServiceProvider();
        return (new Admission(listeners[1], provider), provider);
    }

    private static int? Status(IResult? answer) => (answer as Problem)?.Status;
}
