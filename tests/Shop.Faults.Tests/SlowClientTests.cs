using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Shop.Platform.Http;

namespace Shop.Faults.Tests;

/// <summary>Clients that take their time, by the hundred: others don't notice, and they are shown out.</summary>
internal sealed class SlowClientTests
{
    private const int Clients = 300;

    private static readonly TestCaseData[] Ways =
    [
        Way("a head that never ends", "POST /orders HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
        Way("a body that never comes", "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
        Way("a chunk that never ends", "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"),
    ];

    [TestCaseSource(nameof(Ways))]
    public async Task Given_hundreds_of_slow_clients_when_others_ask_then_they_are_served_and_the_slow_ones_are_shown_out(string bytes)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=2");
        Uri address = shop.Orders.BaseAddress!;
        TcpClient[] slow = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(bytes));
            return client;
        }));
        for (int i = 0; i < 50; i++) await shop.OrderAsync("prod_0");

        // Each ends by the shop's doing: with 408 and what is wrong, where it has come so far, or closed.
        string[] ends = await Task.WhenAll(slow.Select(ReadToEndAsync));
        Assert.That(ends, Is.All.Matches<string>(end => end.Length == 0 || end.StartsWith("HTTP/1.1 408", StringComparison.Ordinal)));
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That(metrics["""http_requests_by_status_code_total{code="408"}"""], Is.EqualTo(Clients));
        Assert.That(metrics["app_requests_in_progress"], Is.Zero);
    }

    [Test]
    public async Task Given_clients_that_dribble_a_body_when_the_time_is_over_then_408_names_it_though_each_byte_came_in_time()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:RequestTimeout=1");
        using var client = new TcpClient();
        await client.ConnectAsync(shop.Orders.BaseAddress!.Host, shop.Orders.BaseAddress.Port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"u8.ToArray());
        Task<string> end = ReadToEndAsync(client);
        while (!end.IsCompleted)
        {
            try
            {
                await stream.WriteAsync(new byte[50]);
            }
            catch (IOException)
            {
                break; // shown out
            }

            await Task.WhenAny(end, Task.Delay(50)); // the pace of the client
        }

        string answer = await end;
        JsonNode problem = JsonNode.Parse(answer[answer.IndexOf("\r\n\r\n", StringComparison.Ordinal)..])!;
        Assert.That(((int)problem["status"]!, (string)problem["error"]!), Is.EqualTo((408, "The body did not arrive within 1 s.")));
    }

    [Test]
    public async Task Given_hundreds_of_clients_that_never_read_their_answers_when_others_ask_then_they_are_served()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        Uri address = shop.Products.BaseAddress!;
        byte[] requests = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("GET /products?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 100)));
        TcpClient[] deaf = [.. Enumerable.Range(0, Clients).Select(_ => new TcpClient { ReceiveBufferSize = 4096 })];
        await Task.WhenAll(deaf.Select(async client =>
        {
            await client.ConnectAsync(address.Host, address.Port);
            await client.GetStream().WriteAsync(requests);
        }));
        for (int i = 0; i < 50; i++) await shop.Products.GetJsonAsync("/products?limit=1000");
        foreach (TcpClient client in deaf) client.Dispose();
    }

    [Test]
    public async Task Given_as_many_connections_as_there_may_be_when_one_more_comes_then_it_is_told_and_closed_and_the_other_services_are_not_concerned()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync("Shop:MaxConnections=3");
        Uri address = shop.Orders.BaseAddress!;
        TcpClient[] clients = [.. Enumerable.Range(0, 4).Select(_ => new TcpClient())];
        string[] answers = new string[clients.Length];
        for (int i = 0; i < clients.Length; i++)
        {
            await clients[i].ConnectAsync(address.Host, address.Port);
            answers[i] = await AskAsync(clients[i]);
        }

        Assert.That(answers.Select(answer => answer.Split(' ')[1]), Is.EqualTo(new[] { "200", "200", "200", "503" }));
        Assert.That(answers[3], Does.Contain("\r\nRetry-After: 1\r\n").And.Contain("\r\nConnection: close\r\n").And.Contain("\r\nX-Content-Type-Options: nosniff\r\n"));
        Assert.That(await AskAsync(clients[3]), Is.Empty, "closed");
        JsonNode problem = JsonNode.Parse(answers[3][answers[3].IndexOf('{')..])!;
        Assert.That(((int)problem["status"]!, (string)problem["error"]!, ((string)problem["trace_id"]!).Length), Is.EqualTo((503, "Too many connections; try again in a second.", 32)));
        await shop.Products.GetJsonAsync("/products/prod_0");

        // A place that is free again is given to the next, and what was refused was counted.
        clients[0].Dispose();
        Exposition? metrics = null;
        for (int refused = 1; metrics is null; refused++)
        {
            try
            {
                metrics = await Exposition.OfAsync(shop.Orders);
                Assert.That((metrics["""app_requests_rejected_total{reason="too_many_connections"}"""], metrics["""http_requests_by_status_code_total{code="503"}"""]),
                    Is.EqualTo(((double)refused, (double)refused)));
            }
            catch (HttpRequestException exception) when (exception.StatusCode == HttpStatusCode.ServiceUnavailable)
            {
                // The shop has not noticed yet that the first has gone.
            }
        }

        foreach (TcpClient client in clients) client.Dispose();
    }

    [Test]
    public async Task Given_clients_in_line_for_a_stuck_database_when_all_go_away_at_once_then_it_ends_what_it_began_and_finds_no_fault()
    {
        string directory = Directory.CreateTempSubdirectory("shop-gone-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            Uri address = shop.Orders.BaseAddress!;
            Socket[] clients = [.. Enumerable.Range(0, Turns.AtOnce + 500).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true })];
            foreach (Socket client in clients) await client.ConnectAsync(address.Host, address.Port);
            const string Body = """{"customer_id":"someone","items":[{"product_id":"prod_0","quantity":1}]}""";
            byte[] order = Encoding.ASCII.GetBytes($"POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");
            using (StuckDatabase.OfOrders(directory))
            {
                foreach (Socket client in clients) await client.SendAsync(order);
                await UnderWayAsync(shop, requests => requests > Turns.AtOnce);
                foreach (Socket client in clients) client.Dispose();
            }

            await UnderWayAsync(shop, requests => requests == 0);
            (HttpResponseMessage next, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_1"));
            Assert.That(next.StatusCode, Is.EqualTo(HttpStatusCode.Created));
            // A machine with other work to do may be told so: a slow heartbeat of the server, or a line that nobody more may join.
            string[] log = [.. shop.Log.Split('\n').Where(line => !line.Contains("the heartbeat has been running", StringComparison.Ordinal) && !line.Contains("more requests failed", StringComparison.Ordinal))];
            Assert.That(log, Has.None.Contains("Exception").And.None.Contains("warn:").And.None.Contains("fail:"));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static Task UnderWayAsync(ShopProcess shop, Predicate<double> isSo) =>
        Eventually.IsSoAsync(async () => isSo((await Exposition.OfAsync(shop.Orders))["app_requests_in_progress"]));

    private static TestCaseData Way(string name, string bytes) => new TestCaseData(bytes).SetArgDisplayNames(name);

    private static async Task<string> AskAsync(TcpClient client)
    {
        try
        {
            await client.GetStream().WriteAsync("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
            byte[] buffer = new byte[4096];
            return Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer));
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static async Task<string> ReadToEndAsync(TcpClient client)
    {
        using (client)
        {
            var text = new StringBuilder();
            byte[] buffer = new byte[4096];
            try
            {
                for (int read; (read = await client.GetStream().ReadAsync(buffer)) > 0;) text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
            catch (IOException)
            {
                // A reset ends it too.
            }

            return text.ToString();
        }
    }
}
