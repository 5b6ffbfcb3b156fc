using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Shop.Faults.Tests;

/// <summary>
/// Thousands of connections, each within the limits of one, against a shop that has the memory of its container.
/// </summary>
[NonParallelizable]
[Category("CI")]
internal sealed class MemoryTests
{
    private const string Post = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

    private static readonly TestCaseData[] Ways =
    [
        Way("nothing", "orders", 10_000, ""),
        Way("one request, and then nothing", "orders", 10_000, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Way("a head in one long line without an end", "orders", 5000,
            $"GET /orders HTTP/1.1\r\nHost: localhost\r\nX: {Long(15_000)}"),
        Way("a head in many lines without an end", "orders", 5000, $"GET /orders HTTP/1.1\r\n"
            + $"Host: localhost\r\n{string.Concat(Enumerable.Range(0, 10).Select(i => $"X-{i}: {Long(1500)}\r\n"))}"),
        Way("half a body", "orders", 5000, $"{Post}Content-Length: 65000\r\n\r\n{Long(63_000)}"),
        Way("a chunk without an end", "orders", 5000,
            $"{Post}Transfer-Encoding: chunked\r\n\r\nFDE8\r\n{Long(63_000)}"),
        Way("requests without reading what is answered", "products", 3000,
            string.Concat(Enumerable.Repeat("GET /products?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 50))),
    ];

    [TestCaseSource(nameof(Ways))]
    public async Task Given_thousands_of_connections_of_one_client_then_the_shop_lives_on_and_serves_others(
        string service, int connections, string bytes)
    {
        string directory = Directory.CreateTempSubdirectory("shop-memory-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(
            directory, SmallMemory.Setting, ShopProgram.ProfileGuided))
        {
            await using var memory = new SmallMemory(shop);
            (_, JsonNode? before) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
            using var done = new CancellationTokenSource();
            Task<(int Answers, long Most)> watching = Task.Run(() => WatchAsync(shop, memory, done.Token));
            byte[] request = Encoding.ASCII.GetBytes(bytes);
            Uri address = (service == "orders" ? shop.Orders : shop.Products).BaseAddress!;
            var attackers = new Socket[connections];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < connections; i++) attackers[i] = await OpenAsync(address, request);
            TimeSpan time = Stopwatch.GetElapsedTime(start);
            (HttpResponseMessage during, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_1"));
            foreach (Socket attacker in attackers) attacker.Dispose();
            await done.CancelAsync();
            (int answers, long most) = await watching;
            TestContext.Out.WriteLine($"{connections} connections in {time.TotalSeconds:0.0} s; "
                + $"health answered {answers} times; {most >> 20} MiB held at most.");
            JsonNode after = await shop.Orders.GetJsonAsync($"/orders/{before!["order_id"]}");
            Exposition metrics = await Exposition.OfAsync(service == "orders" ? shop.Orders : shop.Products);
            Assert.Multiple(() =>
            {
                Assert.That(shop.HasExited, Is.False);
                Assert.That(during.StatusCode, Is.EqualTo(HttpStatusCode.Created));
                Assert.That(after.ToJsonString(), Is.EqualTo(before.ToJsonString()));
                Assert.That(answers, Is.Positive);
                Assert.That(most, Is.LessThan(SmallMemory.Bytes));
                Assert.That(metrics["""app_requests_rejected_total{reason="no_memory"}"""]
                    + metrics["app_connections_gave_way_total"], Is.Positive);
                Assert.That(shop.Log, Does.Not.Contain("OutOfMemory"));
            });
            shop.Signal(9);
            await shop.ExitAsync();
        }

        Directory.Delete(directory, recursive: true);
    }

    // Each time as a client who has never been here.
    private static async Task<(int Answers, long Most)> WatchAsync(
        ShopProcess shop, SmallMemory memory, CancellationToken done)
    {
        using var client = new HttpClient { BaseAddress = shop.Inventory.BaseAddress };
        client.DefaultRequestHeaders.ConnectionClose = true;
        int answers = 0;
        long most = 0;
        while (!done.IsCancellationRequested)
        {
            await client.GetJsonAsync("/health/ready");
            answers++;
            most = Math.Max(most, memory.Held());
            await Task.WhenAny(Task.Delay(50, done)); // the pace of a client
        }

        return (answers, most);
    }

    // From an address of its own: if there is no room, the client that has most is refused, and that must not be the
    // one whose order is checked. What the shop does not take at once, it will not take.
    private static async Task<Socket> OpenAsync(Uri address, byte[] bytes)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            ReceiveBufferSize = 4096,
            SendBufferSize = 2 * bytes.Length,
        };
        socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
        await socket.ConnectAsync(IPAddress.Loopback, address.Port);
        socket.Blocking = false;
        if (bytes.Length > 0) socket.Send(bytes, SocketFlags.None, out _);
        return socket;
    }

    private static string Long(int length) => new('a', length);

    private static TestCaseData Way(string name, string service, int connections, string bytes) =>
        new TestCaseData(service, connections, bytes).SetName("Given_thousands_of_connections_that_send_"
            + name.Replace(' ', '_').Replace(",", "", StringComparison.Ordinal)
            + "_then_the_shop_lives_on_and_serves_others");
}
