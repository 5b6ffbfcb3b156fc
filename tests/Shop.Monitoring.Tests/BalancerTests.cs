using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;

namespace Shop.Monitoring.Tests;

/// <summary>HAProxy as scale/haproxy configures it, in front of two hosts: what it sends to another of them.</summary>
internal sealed class BalancerTests
{
    private readonly HttpClient _client = DirectHttpClient.Create();
    private string _folder = "";
    private Process? _balancer;
    private Host[] _hosts = [];
    private Uri _orders = null!;

    [SetUp]
    public async Task StartAsync()
    {
        string program = Tools.Need("haproxy");
        _hosts = [await Host.StartAsync(), await Host.StartAsync()];
        // If the host of a kept connection dies, HAProxy closes that of the client, too, which may repeat the request.
        _client.DefaultRequestHeaders.ConnectionClose = true;
        Dictionary<string, int> ports = BalancerFile.Names.Zip(FreePort.Next(BalancerFile.Names.Length))
            .ToDictionary(port => port.First, port => port.Second, StringComparer.Ordinal);
        _orders = new Uri($"http://127.0.0.1:{ports["orders"]}/orders");
        _folder = Directory.CreateTempSubdirectory("shop-balancer-").FullName;
        string file = Path.Combine(_folder, "haproxy.cfg");
        // The hosts are looked at once, at the start: what becomes of them later, the balancer finds out by requests.
        await File.WriteAllTextAsync(
            file, BalancerFile.Of(_ => _hosts.Select(host => host.Address), ports, interval: "1h"));
        _balancer = Process.Start(new ProcessStartInfo(program, ["-db", "-f", file]) { UseShellExecute = false })!;
        await WatchedShop.UntilAsync(async () =>
        {
            try
            {
                using HttpResponseMessage answer = await _client.GetAsync(_orders);
                return answer.StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false; // it does not listen yet
            }
        }, () => Task.FromResult("HAProxy does not answer"));
    }

    [TearDown]
    public async Task StopAsync()
    {
        if (_balancer is not null)
        {
            _balancer.Kill();
            await _balancer.WaitForExitAsync();
            _balancer.Dispose();
            Directory.Delete(_folder, recursive: true);
        }

        foreach (Host host in _hosts) await host.DisposeAsync();
    }

    [OneTimeTearDown]
    public void Close() => _client.Dispose();

    [Test]
    public async Task Given_a_host_that_dies_over_an_order_that_it_has_taken_then_no_other_host_gets_that_order()
    {
        foreach (Host host in _hosts) host.DiesOverOrders = true;
        for (int orders = 1; orders <= 4; orders++)
        {
            Assert.That(await OrderAsync(), Is.EqualTo(HttpStatusCode.BadGateway));
            Assert.That(_hosts.Sum(host => host.Orders), Is.EqualTo(orders), "each came once");
        }
    }

    [Test]
    public async Task Given_a_host_that_is_gone_when_orders_come_then_the_other_gets_each_of_them_once()
    {
        await _hosts[0].DisposeAsync();
        for (int orders = 1; orders <= 2; orders++)
            Assert.That(await OrderAsync(), Is.EqualTo(HttpStatusCode.Created));
        Assert.That(_hosts.Select(host => host.Orders), Is.EqualTo(new[] { 0, 2 }));
    }

    /// <summary>A host limits and names clients by the last address, which is HAProxy's word and not theirs.</summary>
    [Test]
    public async Task Given_a_client_that_says_it_is_another_when_it_orders_then_the_host_is_told_its_own_address_last()
    {
        _client.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        try
        {
            Assert.That(await OrderAsync(), Is.EqualTo(HttpStatusCode.Created));
        }
        finally
        {
            _client.DefaultRequestHeaders.Remove("X-Forwarded-For");
        }

        Assert.That(_hosts.Select(host => host.Client).Single(client => client.Length > 0),
            Is.EqualTo("203.0.113.7,127.0.0.1"));
    }

    private async Task<HttpStatusCode> OrderAsync()
    {
        using var body = new StringContent("{}", null, "application/json");
        using HttpResponseMessage answer = await _client.PostAsync(_orders, body);
        return answer.StatusCode;
    }

    private sealed class Host(WebApplication app) : IAsyncDisposable
    {
        private int _orders;

        public string Address => new Uri(app.Urls.Single()).Authority;

        public int Orders => Volatile.Read(ref _orders);

        public bool DiesOverOrders { get; set; }

        /// <summary>From where the last order came, as the balancer says.</summary>
        public string Client { get; private set; } = "";

        public static async Task<Host> StartAsync()
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            WebApplication app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            var host = new Host(app);
            app.Run(host.AnswerAsync);
            await app.StartAsync();
            return host;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private async Task AnswerAsync(HttpContext http)
        {
            if (HttpMethods.IsGet(http.Request.Method)) return; // its health, too
            await http.Request.Body.CopyToAsync(Stream.Null);
            Client = http.Request.Headers["X-Forwarded-For"].ToString();
            Interlocked.Increment(ref _orders);
            if (DiesOverOrders) http.Abort();
            else http.Response.StatusCode = StatusCodes.Status201Created;
        }
    }
}
