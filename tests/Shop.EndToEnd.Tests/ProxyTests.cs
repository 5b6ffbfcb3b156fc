using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// The configurations of docs/proxies.md, as they stand there, in front of the real shop. Where a program is missing
/// its tests say so; in CI they fail.
/// </summary>
[Platform("Linux", Reason = "nginx and HAProxy are looked for as Debian installs them.")]
internal sealed partial class ProxyTests
{
    private static readonly string[] Names = ["shop.example", "orders.shop.example", "stock.shop.example"];

    private string _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("shop-proxy-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase("nginx")]
    [TestCase("haproxy")]
    [Category("CI")]
    public async Task Given_the_proxy_of_the_page_then_names_forms_cookies_and_streams_of_events_work_through_it(
        string program)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:TrustedProxies=127.0.0.1",
            "Shop:Products:PublicUrl=https://shop.example",
            "Shop:Orders:PublicUrl=https://orders.shop.example", "Shop:Inventory:PublicUrl=https://stock.shop.example");
        using Proxy proxy = await StartAsync(program, program, shop);
        foreach ((string name, string service) in Names.Zip(["product-service", "order-service", "inventory-service"]))
            Assert.That((string)(await proxy.Client(name).GetJsonAsync("/"))["service"]!, Is.EqualTo(service));

        // A form comes from the page's public address, and the cookie knows that the browser used TLS.
        using HttpResponseMessage basket = await PostAsync(proxy, "shop.example", "/basket", ("action", "add"),
            ("product_id", "prod_0"), ("quantity", "1"));
        Assert.That((int)basket.StatusCode, Is.EqualTo(303), await basket.Content.ReadAsStringAsync());
        Assert.That(basket.Header("Set-Cookie"), Does.Contain("; secure"));
        using HttpResponseMessage order = await PostAsync(proxy, "orders.shop.example", "/checkout",
            ("customer_id", "ada"), ("product_id", "prod_0"), ("unit_price_cents", "1290"),
            ("quantity", "1"), ("key", "k"));
        Assert.That((int)order.StatusCode, Is.EqualTo(303), await order.Content.ReadAsStringAsync());
        using HttpResponseMessage traffic = await PostAsync(proxy, "orders.shop.example", "/live/traffic",
            ("action", "start"), ("rate", "1"));
        Assert.That((int)traffic.StatusCode, Is.EqualTo(303), await traffic.Content.ReadAsStringAsync());
        using HttpResponseMessage stop = await PostAsync(
            proxy, "orders.shop.example", "/live/traffic", ("action", "stop"));
        Assert.That((int)stop.StatusCode, Is.EqualTo(303), await stop.Content.ReadAsStringAsync());

        // Events come at once, are not cut although the proxy waits for 8 seconds here, and go on where they were.
        HttpClient orders = proxy.Client("orders.shop.example");
        string placed = await shop.OrderAsync("prod_1"), lastId;
        using (EventReader stream = await EventReader.OpenAsync(orders, "/board/events"))
        {
            await stream.NextAsync("beat");
            string first = await shop.OrderAsync("prod_2");
            // The last request of the traffic may still have placed an order.
            while (IdOf(await stream.NextAsync("order")) != first) continue;
            for (int i = 0; i < 3; i++) await stream.NextAsync("beat");
            string second = await shop.OrderAsync("prod_3");
            ServerEvent last = await stream.NextAsync("order");
            Assert.That(IdOf(last), Is.EqualTo(second));
            lastId = last.Id!;
        }

        string missed = await shop.OrderAsync("prod_4");
        using (EventReader stream = await EventReader.OpenAsync(orders, "/board/events", lastId))
            Assert.That(IdOf(await stream.NextAsync("order")), Is.EqualTo(missed));
        // By now the proxy has asked each service for its health several times.
        Assert.That((string)(await orders.GetJsonAsync($"/orders/{placed}"))["order_id"]!, Is.EqualTo(placed));
    }

    [Test]
    public async Task Given_the_path_prefix_of_the_page_then_the_API_works_below_it_and_Location_says_so()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using Proxy proxy = await StartAsync("nginx", "nginx-prefix", shop);
        HttpClient client = proxy.Client(null);
        (HttpResponseMessage placed, JsonNode? order) = await client.PostAsync(
            "/shop/orders/orders", Http.Order("prod_0"));
        Assert.That((int)placed.StatusCode, Is.EqualTo(201));
        // nginx puts itself before it
        Assert.That(placed.Header("Location"), Does.EndWith($"/shop/orders/orders/{(string)order!["order_id"]!}"));
        Assert.That((string)(await client.GetJsonAsync(placed.Header("Location")!))["status"]!, Is.EqualTo("created"));
    }

    private static string IdOf(ServerEvent order) => (string)JsonNode.Parse(order.Data)!["order_id"]!;

    private static async Task<HttpResponseMessage> PostAsync(
        Proxy proxy, string name, string path, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))),
            Headers = { { "Origin", $"https://{name}" }, { "X-Forwarded-Proto", "http" } },
        };
        return await proxy.Client(name).SendAsync(request);
    }

    private async Task<Proxy> StartAsync(string program, string block, ShopUnderTest shop)
    {
        string path = Find(program);
        int port = FreePort.Next();
        string configuration = Block(block);
        bool isTls = configuration.Contains("127.0.0.1:443", StringComparison.Ordinal);
        (string crt, string key) = Certificate();
        var ports = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["127.0.0.1:5001"] = shop.Products.BaseAddress!.Authority,
            ["127.0.0.1:5002"] = shop.Orders.BaseAddress!.Authority,
            ["127.0.0.1:5003"] = shop.Inventory.BaseAddress!.Authority,
            [isTls ? "127.0.0.1:443" : "127.0.0.1:80"] = $"127.0.0.1:{port}",
        };
        // All at once, and whole: a free port may begin with another of them.
        configuration = Address().Replace(configuration, match => ports.GetValueOrDefault(match.Value, match.Value));
        foreach ((string there, string here) in new[]
        {
            ("/etc/ssl/shop.example.crt", crt), ("/etc/ssl/shop.example.key", key), ("/etc/ssl/shop.example.pem", crt),
            (" 30s", " 8s"), // for a test that ends
        }) configuration = configuration.Replace(there, here, StringComparison.Ordinal);

        string file = Path.Combine(_directory, $"{program}.conf");
        if (program == "nginx")
        {
            string folders = string.Concat(new[] { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" }.Select(
                name => $"{name}_temp_path {_directory}/{name};\n"));
            configuration = $"daemon off;\nmaster_process off;\npid {_directory}/pid;\nevents {{ }}\nhttp {{\n"
                + $"access_log off;\nproxy_read_timeout 8s;\n{folders}{configuration}}}\n";
        }

        await File.WriteAllTextAsync(file, configuration);
        string[] arguments = program == "nginx" ? ["-p", _directory, "-e", "stderr", "-c", file] : ["-f", file, "-db"];
        return await Proxy.StartAsync(path, arguments, port, isTls);
    }

    /// <summary>The lines of the page between the fences after a mark.</summary>
    private static string Block(string mark)
    {
        string page = Repository.Text("docs", "proxies.md");
        Match block = Blocks().Matches(page).Single(match => match.Groups["mark"].Value == mark);
        return block.Groups["lines"].Value;
    }

    /// <summary>The path of a program of this machine. If there is none, the test is skipped; in CI it fails.</summary>
    public static string Find(string program)
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin"];
        string? path = folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        if (path is not null) return path;
        string why = $"{program} is not on this machine.";
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"))) Assert.Ignore(why);
        throw new AssertionException(why);
    }

    private (string Certificate, string Key) Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=shop.example", key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1));
        (string crt, string pem) = (Path.Combine(_directory, "shop.crt"), Path.Combine(_directory, "shop.key"));
        // HAProxy wants both in one file, and nginx does not mind.
        File.WriteAllText(crt, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(pem, key.ExportPkcs8PrivateKeyPem());
        return (crt, pem);
    }

    [GeneratedRegex(@"127\.0\.0\.1:\d+", RegexOptions.None, 60_000)]
    private static partial Regex Address();

    [GeneratedRegex("<!-- (?<mark>[a-z-]+) -->\n```[a-z]+\n(?<lines>.*?)```\n",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, 60_000)]
    private static partial Regex Blocks();

    /// <summary>A proxy as a process of its own, and clients that find it under any name.</summary>
    private sealed class Proxy : IDisposable
    {
        private readonly Process _process;
        private readonly Task<string> _said;
        private readonly SocketsHttpHandler _handler;
        private readonly List<HttpClient> _clients = [];
        private readonly bool _isTls;

        private Proxy(Process process, int port, bool isTls)
        {
            (_process, _said, _isTls) = (process, process.StandardError.ReadToEndAsync(), isTls);
            _handler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                ConnectCallback = async (_, cancel) =>
                {
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                    await socket.ConnectAsync(IPAddress.Loopback, port, cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                },
                SslOptions =
                {
                    RemoteCertificateValidationCallback = static (_, certificate, _, _) =>
                        certificate!.Subject == "CN=shop.example",
                },
            };
        }

        public static async Task<Proxy> StartAsync(string path, string[] arguments, int port, bool isTls)
        {
            var start = new ProcessStartInfo(path, arguments) { RedirectStandardError = true, UseShellExecute = false };
            var proxy = new Proxy(Process.Start(start)!, port, isTls);
            while (true)
            {
                using var client = new TcpClient();
                try
                {
                    await client.ConnectAsync(IPAddress.Loopback, port);
                    return proxy;
                }
                catch (SocketException)
                {
                    if (proxy._process.HasExited) Assert.Fail($"{path} ended: {await proxy._said}");
                    await Task.Delay(20);
                }
            }
        }

        public HttpClient Client(string? name)
        {
            var client = new HttpClient(_handler, disposeHandler: false)
            {
                BaseAddress = new Uri($"{(_isTls ? "https" : "http")}://{name ?? "localhost"}"),
            };
            _clients.Add(client);
            return client;
        }

        public void Dispose()
        {
            foreach (HttpClient client in _clients) client.Dispose();
            _handler.Dispose();
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
