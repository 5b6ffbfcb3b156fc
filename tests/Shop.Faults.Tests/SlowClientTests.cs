using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;

namespace Shop.Faults.Tests;

/// <summary>Clients that take their time, by the hundred: others don't notice, and they are shown out.</summary>
internal sealed class SlowClientTests
{
    private const int Clients = 300;

    private static readonly TestCaseData[] Ways =
    [
        Way("a head that never ends", "POST /orders HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
        Way("a body that never comes", "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + "Content-Length: 100\r\n\r\n{").SetCategory("CI"),
        Way("a chunk that never ends", "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n40\r\n{").SetCategory("CI"),
    ];

    [TestCaseSource(nameof(Ways))]
    public async Task Given_hundreds_of_slow_clients_when_others_ask_then_they_are_served_and_the_slow_ones_are_shown_out(
        string bytes)
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
        Assert.That(ends,
            Is.All.Matches<string>(end => end.Length == 0 || end.StartsWith("HTTP/1.1 408", StringComparison.Ordinal)));
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
        await stream.WriteAsync(
            ("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"u8
                + "Content-Length: 60000\r\n\r\n"u8).ToArray());
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
        Assert.That(((int)problem["status"]!, (string)problem["error"]!),
            Is.EqualTo((408, "The body did not arrive within 1 s.")));
    }

    [Test]
    public async Task Given_hundreds_of_clients_that_never_read_their_answers_when_others_ask_then_they_are_served()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        Uri address = shop.Products.BaseAddress!;
        byte[] requests = Encoding.ASCII.GetBytes(
            string.Concat(Enumerable.Repeat("GET /products?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 100)));
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
    public async Task Given_as_many_connections_as_there_may_be_all_at_work_when_one_more_comes_then_it_is_told_and_closed_and_the_other_services_are_not_concerned()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartHereAsync("Shop:MaxConnections=3");
        Uri address = shop.Orders.BaseAddress!;
        ModuleListener orders = shop.Services.GetServices<ModuleListener>()
            .Single(listener => listener.Module.Identity.Name == "orders");
        Task<HttpResponseMessage>[] atWork;
        using (StuckDatabase.OfOrders(shop.DataDirectory))
        {
            atWork = [.. Enumerable.Range(0, 3)
                .Select(async _ => (await shop.Orders.PostAsync("/orders", Http.Order("prod_0"))).Response)];
            await Eventually.IsSoAsync(() => Task.FromResult(orders.Metrics.InProgress == 3));
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port);
            string answer = await AskAsync(client);
            Assert.That(answer.Split(' ')[1], Is.EqualTo("503"));
            Assert.That(answer, Does.Contain("\r\nRetry-After: 1\r\n").And.Contain("\r\nConnection: close\r\n")
                .And.Contain("\r\nX-Content-Type-Options: nosniff\r\n")
                .And.Contain("\r\nCache-Control: no-store\r\n").And.Contain("\r\nReferrer-Policy: no-referrer\r\n")
                .And.Contain("\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
            Assert.That(await AskAsync(client), Is.Empty, "closed");
            JsonNode problem = JsonNode.Parse(answer[answer.IndexOf('{')..])!;
            Assert.That(((int)problem["status"]!, (string)problem["error"]!, ((string)problem["trace_id"]!).Length),
                Is.EqualTo((503, "Too many connections; try again in a second.", 32)));
            await shop.Products.GetJsonAsync("/products/prod_0");
        }

        Assert.That((await Task.WhenAll(atWork)).Select(response => response.StatusCode),
            Is.All.EqualTo(HttpStatusCode.Created));
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That((metrics["""app_requests_rejected_total{reason="too_many_connections"}"""],
            metrics["""http_requests_by_status_code_total{code="503"}"""]), Is.EqualTo((1.0, 1.0)));
    }

    [Test]
    public async Task Given_idle_connections_wherever_there_may_be_any_when_others_come_then_they_are_served_at_once_and_only_the_client_with_most_gives_way()
    {
        const int Limit = 64;
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:MaxConnections={Limit}");
        Uri address = shop.Orders.BaseAddress!;
        TcpClient modest = await FromAsync("127.0.0.3", address);
        Assert.That(await AskAsync(modest), Does.StartWith("HTTP/1.1 200"));
        TcpClient[] idle =
            [.. await Task.WhenAll(Enumerable.Range(0, Limit - 1).Select(_ => FromAsync("127.0.0.2", address)))];
        foreach (TcpClient client in idle.Take(Limit / 2))
            Assert.That(await AskAsync(client), Does.StartWith("HTTP/1.1 200"));

        // Of the greedy client and of others, again and again: each is served.
        var others = new List<TcpClient>();
        for (int i = 0; i < 2 * Limit; i++)
        {
            others.Add(await FromAsync(i % 4 == 0 ? $"127.0.1.{i + 1}" : "127.0.0.2", address));
            Assert.That(await AskAsync(others[^1]), Does.StartWith("HTTP/1.1 200"));
        }

        Assert.That(await AskAsync(modest), Does.StartWith("HTTP/1.1 200"), "whoever has less than others keeps it");
        Exposition metrics = await Exposition.OfAsync(shop.Orders);
        Assert.That((metrics["app_connections_gave_way_total"] > Limit,
            metrics["""app_requests_rejected_total{reason="too_many_connections"}"""]), Is.EqualTo((true, 0.0)));
        foreach (TcpClient client in (TcpClient[])[modest, .. idle, .. others]) client.Dispose();
    }

    [Test]
    public async Task Given_clients_in_line_for_a_stuck_database_when_all_go_away_at_once_then_it_ends_what_it_began_and_finds_no_fault()
    {
        string directory = Directory.CreateTempSubdirectory("shop-gone-").FullName;
        using (ShopProcess shop = await ShopProcess.StartAsync(directory))
        {
            Uri address = shop.Orders.BaseAddress!;
            Socket[] clients = [.. Enumerable.Range(0, WriteConcurrencyLimiter.PermitLimit + 500)
                .Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true })];
            foreach (Socket client in clients) await client.ConnectAsync(address.Host, address.Port);
            const string Body = """{"customer_id":"someone","items":[{"product_id":"prod_0","quantity":1}]}""";
            byte[] order = Encoding.ASCII.GetBytes($"POST /orders HTTP/1.1\r\nHost: localhost\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");
            using (StuckDatabase.OfOrders(directory))
            {
                foreach (Socket client in clients) await client.SendAsync(order);
                await UnderWayAsync(shop, requests => requests > WriteConcurrencyLimiter.PermitLimit);
                foreach (Socket client in clients) client.Dispose();
            }

            await UnderWayAsync(shop, requests => requests == 0);
            (HttpResponseMessage next, _) = await shop.Orders.PostAsync("/orders", Http.Order("prod_1"));
            Assert.That(next.StatusCode, Is.EqualTo(HttpStatusCode.Created));
            // A machine with other work to do may be told so: a slow heartbeat of the server, or a
            // line that nobody more may join.
            string[] log = [.. shop.Log.Split('\n')
                .Where(line => !line.Contains("the heartbeat has been running", StringComparison.Ordinal)
                    && !line.Contains("more requests failed", StringComparison.Ordinal))];
            Assert.That(log, Has.None.Contains("Exception").And.None.Contains("warn:").And.None.Contains("fail:"));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static Task UnderWayAsync(ShopProcess shop, Predicate<double> isSo) =>
        Eventually.IsSoAsync(async () => isSo((await Exposition.OfAsync(shop.Orders))["app_requests_in_progress"]));

    private static TestCaseData Way(string name, string bytes) => new TestCaseData(bytes).SetArgDisplayNames(name);

    // Room is made for a thirty-second of all that there may be, so that it need not be made for each.
    [Test]
    public async Task Given_connections_that_have_waited_for_different_times_when_there_is_no_room_then_those_that_waited_longest_give_way()
    {
        const int Limit = 64, Greedy = Limit - 2, Evicted = 2;
        int[] longest = [7, 3];
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync($"Shop:MaxConnections={Limit}");
        Uri address = shop.Orders.BaseAddress!;
        await Exposition.OfAsync(shop.Orders); // its connection is there from now on
        TcpClient[] greedy =
            [.. await Task.WhenAll(Enumerable.Range(0, Greedy).Select(_ => FromAsync("127.0.0.2", address)))];
        // The others twice: the shop may begin to wait a moment after its answer, and for these it must have by then.
        int[] others = [.. Enumerable.Range(0, Greedy).Except(longest)];
        foreach (int asked in (int[])[.. longest, .. others, .. others])
            Assert.That(await AskAsync(greedy[asked]), Does.StartWith("HTTP/1.1 200"));
        TcpClient[] newcomers = [await FromAsync("127.0.0.3", address), await FromAsync("127.0.0.4", address)];
        foreach (TcpClient newcomer in newcomers) Assert.That(await AskAsync(newcomer), Does.StartWith("HTTP/1.1 200"));
        await Eventually.IsSoAsync(async () =>
            (await Exposition.OfAsync(shop.Orders))["app_connections_gave_way_total"] >= Evicted);
        foreach (int asked in longest) Assert.That(await AskAsync(greedy[asked]), Is.Empty, $"{asked}");
        foreach (int asked in others.Where(asked => asked % 5 == 0))
            Assert.That(await AskAsync(greedy[asked]), Does.StartWith("HTTP/1.1 200"), $"{asked}");
        foreach (TcpClient client in (TcpClient[])[.. greedy, .. newcomers]) client.Dispose();
    }

    private static async Task<TcpClient> FromAsync(string from, Uri address)
    {
        var client = new TcpClient(new IPEndPoint(IPAddress.Parse(from), 0));
        await client.ConnectAsync(IPAddress.Loopback, address.Port);
        return client;
    }

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
                for (int read; (read = await client.GetStream().ReadAsync(buffer)) > 0;)
                    text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
            catch (IOException)
            {
                // A reset ends it too.
            }

            return text.ToString();
        }
    }
}
