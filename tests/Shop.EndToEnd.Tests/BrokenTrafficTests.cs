using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Traffic;
using Spectre.Console;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Traffic without k6 on a shop that is broken: one that stands before the real shop, and
/// changes what is asked or answered.
/// </summary>
[Category("CI")]
internal sealed class BrokenTrafficTests
{
    /// <param name="Asked">What was asked.</param>
    /// <param name="Body">Its body, which a fault may change.</param>
    /// <param name="Forward">Asks the real shop.</param>
    private sealed record Call(HttpRequest Asked, string Body, Func<string, Task<(int Status, string Body)>> Forward)
    {
        public bool Is(string method, string end) =>
            Asked.Method == method && Asked.Path.Value!.EndsWith(end, StringComparison.Ordinal);
    }

    [Test]
    public async Task Given_answers_that_die_after_placing_when_traffic_has_run_then_each_order_was_sent_again_and_placed_once()
    {
        var seen = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        (int code, string text) = await RunAsync(async call =>
        {
            (int status, string body) = await call.Forward(call.Body);
            bool dies = call.Is("POST", "/orders")
                && seen.TryAdd(call.Asked.Headers["Idempotency-Key"].ToString(), true);
            return dies ? null : (status, body);
        }, isEnough: () => seen.Count > 20);
        Assert.That(code, Is.Zero, text);
        Assert.That(text, Does.Match(@"agrees +Orders: [1-9]\d* acknowledged here, each is there\.")
            .And.Match(@"\b[1-9]\d* retries"));
        Assert.That(text, Does.Not.Contain("more are there"),
            "an order whose first answer died was placed a second time");
    }

    [Test]
    public async Task Given_answers_that_never_come_when_traffic_has_run_then_the_orders_behind_them_are_named()
    {
        int placed = 0;
        (int code, string text) = await RunAsync(async call =>
        {
            (int status, string body) = await call.Forward(call.Body);
            // It asks to come back later, ten times, whatever it has done.
            if (!call.Is("POST", "/orders") || status != 201) return (status, body);
            Interlocked.Increment(ref placed);
            return (429, "{}");
        }, isEnough: () => placed > 20);
        Assert.That(code, Is.Zero, text);
        Assert.That(text,
            Does.Match(@"Orders: 0 acknowledged here, each is there; [1-9]\d* more are there, whose answers never came")
                .And.Match(@"\b[1-9]\d* errors"));
    }

    private static IEnumerable<TestCaseData> Faults()
    {
        yield return Case("an order that holds a unit more than was ordered", "POST /orders",
            "Units: the stock's movements do not show those of",
            (call, isMeant) => call.Forward(isMeant ? OneMore(call.Body) : call.Body));
        yield return Case("a receipt that is acknowledged and forgotten", "POST /inventory/increase",
            @"not [1-9]\d* receipts that were acknowledged",
            (call, isMeant) => isMeant ? Task.FromResult((200, "{}")) : call.Forward(call.Body));
        yield return Case("a receipt of a unit too few", "POST /inventory/increase",
            @"not [1-9]\d* receipts that were acknowledged",
            (call, isMeant) => call.Forward(isMeant ? OneFewer(call.Body) : call.Body));
        int receipts = 0;
        yield return Case("receipts that are forgotten beside others that come four times", "POST /inventory/increase",
            @"not [1-9]\d* receipts that were acknowledged", async (call, isMeant) =>
            {
                if (!isMeant) return await call.Forward(call.Body);
                if (Interlocked.Increment(ref receipts) % 2 == 1) return (200, "{}");
                for (int further = 0; further < 3; further++) await call.Forward(call.Body);
                return await call.Forward(call.Body);
            });
        yield return Case("a cancellation that is acknowledged and forgotten", "POST /cancel",
            "Units: the stock's movements do not show those of",
            (call, isMeant) => isMeant ? Task.FromResult((200, "{}")) : call.Forward(call.Body));
        yield return Case("an order that is gone from its customer's list", "POST /orders",
            @"[1-9]\d* of them not there", async (call, _) =>
            {
                (int status, string body) = await call.Forward(call.Body);
                return call.Is("GET", "/orders") && JsonNode.Parse(body) is JsonArray { Count: > 0 } orders
                    ? (status, new JsonArray([.. orders.Skip(1).Select(order => order!.DeepClone())]).ToJsonString())
                    : (status, body);
            });

        yield return Case("units that come back though their order goes on", "POST /orders",
            "Units: the stock's movements do not show those of", (call, _) => WithMovementsAsync(call, Released));
        yield return Case("units that are shipped twice", "POST /ship",
            "Units: the stock's movements do not show those of", (call, _) => WithMovementsAsync(call, ShippedTwice));

        static TestCaseData Case(string what, string meant, string said, Func<Call, bool, Task<(int, string)>> fault) =>
            new TestCaseData(meant, fault, said).SetArgDisplayNames(what);
    }

    [TestCaseSource(nameof(Faults))]
    public async Task Given_a_shop_whose_books_are_wrong_when_traffic_has_run_then_it_fails_and_says_what_differs(
        string meant, object fault, string said)
    {
        int times = 0;
        var faulty = (Func<Call, bool, Task<(int, string)>>)fault;
        (int code, string text) = await RunAsync(async call =>
        {
            bool isMeant = call.Is(meant.Split(' ')[0], meant.Split(' ')[1]);
            (int, string) answer = await faulty(call, isMeant);
            if (isMeant) Interlocked.Increment(ref times);
            return answer;
        }, isEnough: () => times > 2);
        Assert.That(code, Is.EqualTo(1), text);
        Assert.That(text, Does.Match($"differs +.*{said}"));
    }

    [Test]
    public async Task Given_answers_with_500_when_traffic_has_run_then_they_are_errors()
    {
        int products = 0;
        (int code, string text) = await RunAsync(async call =>
        {
            (int status, string body) = await call.Forward(call.Body);
            bool isOfProduct = call.Asked.Path.Value!.StartsWith("/products/", StringComparison.Ordinal);
            if (!isOfProduct) return (status, body);
            Interlocked.Increment(ref products);
            return (500, "{}");
        }, isEnough: () => products > 20);
        Assert.That(code, Is.Zero, text);
        Assert.That(text, Does.Contain($"{products} errors, of which 0 had no answer"));
    }

    private static async Task<(int, string)> WithMovementsAsync(
        Call call, Func<JsonNode, IEnumerable<JsonNode>> change)
    {
        (int status, string body) = await call.Forward(call.Body);
        return call.Is("GET", "/movements") && status == 200
            ? (status, new JsonArray([.. JsonNode.Parse(body)!.AsArray()
                .SelectMany(movement => change(movement!.DeepClone()))]).ToJsonString())
            : (status, body);
    }

    private static IEnumerable<JsonNode> Released(JsonNode movement)
    {
        yield return movement;
        if ((string)movement["kind"]! != "reserved") yield break;
        JsonNode released = movement.DeepClone();
        released["kind"] = "released";
        yield return released;
    }

    private static IEnumerable<JsonNode> ShippedTwice(JsonNode movement) =>
        (string)movement["kind"]! == "shipped" ? [movement, movement.DeepClone()] : [movement];

    private static string OneMore(string order)
    {
        JsonNode body = JsonNode.Parse(order)!;
        body["items"]![0]!["quantity"] = (int)body["items"]![0]!["quantity"]! + 1;
        return body.ToJsonString();
    }

    private static string OneFewer(string receipt)
    {
        JsonNode body = JsonNode.Parse(receipt)!;
        body["quantity_increased"] = (int)body["quantity_increased"]! - 1;
        return body.ToJsonString();
    }

    // Null is an answer that dies. The run ends once there is enough to see.
    private static async Task<(int Code, string Text)> RunAsync(
        Func<Call, Task<(int Status, string Body)?>> fault, Func<bool> isEnough)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        await using WebApplication products = await StandBeforeAsync(shop.Products, fault);
        await using WebApplication orders = await StandBeforeAsync(shop.Orders, fault);
        await using WebApplication inventory = await StandBeforeAsync(shop.Inventory, fault);
        var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(text),
            Interactive = InteractionSupport.No,
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
        });
        console.Profile.Width = 250;
        using var stop = new CancellationTokenSource();
        var options = new TrafficOptions(LoadProfile.Constant(200, null), new Uri(products.Urls.First()),
            new Uri(orders.Urls.First()), new Uri(inventory.Urls.First()));
        Task<int> running = new TrafficRun(options, console).RunAsync(stop.Token);
        while (!isEnough() && !running.IsCompleted) await Task.Delay(20);
        await stop.CancelAsync();
        return (await running, text.ToString());
    }

    private static Task<WebApplication> StandBeforeAsync(
        HttpClient shop, Func<Call, Task<(int Status, string Body)?>> fault) =>
        StandIn.StartAsync(app => app.Run(async http =>
        {
            string body = await new StreamReader(http.Request.Body).ReadToEndAsync();
            async Task<(int, string)> ForwardAsync(string asked)
            {
                using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method),
                    http.Request.Path + http.Request.QueryString);
                if (asked.Length > 0)
                    request.Content = new StringContent(asked, MediaTypeHeaderValue.Parse("application/json"));
                if (http.Request.Headers.TryGetValue("Idempotency-Key", out var key))
                    request.Headers.Add("Idempotency-Key", key.ToString());
                if (http.Request.Headers.Accept.Count > 0)
                    request.Headers.Add("Accept", http.Request.Headers.Accept.ToString());
                using HttpResponseMessage response = await shop.SendAsync(request);
                if (response.Headers.TryGetValues("Link", out IEnumerable<string>? links))
                    http.Response.Headers.Link = links.Single();
                return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
            }

            if (await fault(new Call(http.Request, body, ForwardAsync)) is not ({ } status, { } text))
            {
                http.Abort();
                return;
            }

            http.Response.StatusCode = status;
            if (status == StatusCodes.Status429TooManyRequests) http.Response.Headers.RetryAfter = "0";
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(text);
        }));
}
