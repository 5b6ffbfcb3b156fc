using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Playwright;
using Shop.Host;
using static Microsoft.Playwright.Assertions;

namespace Shop.Pages.Tests;

/// <summary>The page of alerts, a process of its own: what Alertmanager sends, and what it does not.</summary>
internal sealed class AlertsPageTests
{
    private WebApplication _host = null!;
    private HttpClient _client = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _host = AlertsHost.Build(["--Shop:Alerts:Port=0"]);
        await _host.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_host.Urls.Single()) };
    }

    [TearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _host.DisposeAsync();
    }

    [Test]
    public async Task Given_an_open_page_when_alerts_fire_and_end_then_it_shows_by_which_route_and_in_which_group()
    {
        await using Window window = await Browser.OpenAsync();
        IPage page = window.Page;
        await page.GotoAsync($"{_client.BaseAddress}");
        await Expect(page.Locator("main")).ToContainTextAsync("Nothing has come yet");
        ILocator groups = page.GetByRole(AriaRole.Region, new() { Name = "Groups" }).Locator("tbody tr");
        await AcceptedAsync(Notification("firing", "page", "ServiceDown"));
        await Expect(groups).ToHaveCountAsync(1); // without a reload by hand
        await Expect(groups).ToContainTextAsync("firing");
        await AcceptedAsync(Notification("firing", "ticket", "CommitsSlow"));
        await AcceptedAsync(Notification("resolved", "page", "ServiceDown"));
        await Expect(groups).ToHaveCountAsync(2);
        await Expect(groups.First).ToContainTextAsync("alertname=\"CommitsSlow\"");
        await Expect(groups.Last)
            .ToHaveTextAsync(new System.Text.RegularExpressions.Regex("resolved.*ServiceDown.*page",
                System.Text.RegularExpressions.RegexOptions.Singleline, TimeSpan.FromMinutes(1)));
        ILocator newest = page.Locator("section[aria-labelledby=notifications] table").First;
        await Expect(newest.Locator("caption"))
            .ToContainTextAsync("resolved, to page, group alertname=\"ServiceDown\"");
        await Expect(newest).ToContainTextAsync("2026-11-26 04:00:00");
        await Expect(newest).ToContainTextAsync("2026-11-26 04:10:00");
        await Expect(newest.GetByRole(AriaRole.Link))
            .ToHaveAttributeAsync("href", "http://localhost:9090/graph?g0.expr=up");
        string[] rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
        AxeResult result = await page.RunAxe(
            new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "tag", Values = [.. rules] } });
        Assert.That(result.Violations.Select(violation => violation.Help), Is.Empty);
        await page.ScreenshotAsync(
            new() { Path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures", "alerts.png") });
    }

    [Test]
    public async Task Given_a_group_that_two_receivers_get_then_the_last_of_each_is_shown()
    {
        (string Status, string Receiver)[] told = [("firing", "page"), ("firing", "own"), ("resolved", "page")];
        foreach ((string status, string receiver) in told)
            await AcceptedAsync(Notification(status, receiver, "ServiceDown"));
        string page = await _client.GetStringAsync("");
        string[] groups = page[..page.IndexOf("</tbody>", StringComparison.Ordinal)].Split("<tr><td>")[1..];
        Assert.That(groups, Has.Length.EqualTo(2));
        Assert.That(groups[0], Does.Contain(">firing<").And.Contain(">own<"), "first what fires");
        Assert.That(groups[1], Does.Contain(">resolved<").And.Contain(">page<"));
    }

    [Test]
    public async Task Given_a_notification_that_means_harm_then_the_page_shows_it_as_text_and_links_nowhere()
    {
        await AcceptedAsync(
            Notification("firing", "<script>alert(1)</script>", "<img src=x>", generator: "javascript:alert(1)"));
        await using Window window = await Browser.OpenAsync();
        await window.Page.GotoAsync($"{_client.BaseAddress}");
        await Expect(window.Page.Locator("main")).ToContainTextAsync("<img src=x>");
        await Expect(window.Page.Locator("main a[href^=javascript], main img, main script")).ToHaveCountAsync(0);
    }

    [TestCase("Origin", "http://localhost:5004", 403)]
    [TestCase("Origin", "null", 403)]
    [TestCase("Sec-Fetch-Site", "same-origin", 403)]
    [TestCase("Host", "evil.example", 400)]
    [TestCase("Host", "localhost.evil.example", 400)]
    [TestCase("Host", "alerts", 204)]
    [TestCase("Host", "localhost:80", 204)]
    public async Task Given_a_notification_of_a_page_or_under_another_name_then_it_is_refused_and_not_shown(
        string header, string value, int status)
    {
        using HttpRequestMessage request = Request(Notification("firing", "page", "Forged"));
        request.Headers.TryAddWithoutValidation(header, value);
        using HttpResponseMessage answer = await _client.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
        Assert.That(await _client.GetStringAsync(""),
            status == 204 ? Does.Contain("Forged") : Does.Not.Contain("Forged"));
    }

    [TestCase("GET", "/", 200)]
    [TestCase("GET", "/events", 200)]
    [TestCase("GET", "/health/ready", 200)]
    [TestCase("GET", "/assets/none.css", 404)]
    [TestCase("GET", "/nowhere", 404)]
    [TestCase("PUT", "/", 405)]
    [TestCase("POST", "/notifications", 415)]
    [TestCase("GET", "/", 400, "localhost.evil.example")]
    [TestCase("GET", "/events", 400, "evil.example")]
    [TestCase("GET", "/health/ready", 400, "xlocalhost")]
    [TestCase("GET", "/assets/none.css", 400, "alerts.evil.example")]
    [TestCase("GET", "/", 400, "127.0.0.1.evil.example")]
    public async Task Given_any_answer_of_the_page_then_it_has_the_headers_that_keep_browsers_to_it(
        string method, string path, int status, string? host = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (host is not null) request.Headers.Host = host;
        using HttpResponseMessage answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Multiple(() =>
        {
            Assert.That((int)answer.StatusCode, Is.EqualTo(status));
            Assert.That(answer.Header("X-Content-Type-Options"), Is.EqualTo("nosniff"));
            Assert.That(answer.Header("Content-Security-Policy"),
                Does.StartWith("default-src 'none'").And.Contain("frame-ancestors 'none'").And.Not.Contain("unsafe"));
            Assert.That(answer.Header("Cache-Control"), Does.StartWith("no-store"));
            Assert.That(answer.Header("Access-Control-Allow-Origin") ?? answer.Header("Server"), Is.Null);
        });
    }

    [Test]
    public async Task Given_where_the_services_are_then_the_page_leads_to_each_of_them_there()
    {
        await using WebApplication page = AlertsHost.Build(["--Shop:Alerts:Port=0", "--Shop:Products:Port=6011",
            "--Shop:Orders:PublicUrl=https://orders.shop.example"]);
        await page.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(page.Urls.Single()) };
        string html = await client.GetStringAsync("");
        foreach (string address in new[] { "http://127.0.0.1:6011/", "https://orders.shop.example/",
            "http://127.0.0.1:5003/" })
            Assert.That(html, Does.Contain($"href=\"{address}"));
    }

    [Test]
    public async Task Given_the_page_then_its_server_has_the_limits_that_are_promised()
    {
        await using WebApplication page = AlertsHost.Build(["--Shop:Alerts:Port=0", "--Shop:RequestTimeout=7"]);
        KestrelServerLimits limits = page.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.That((limits.MaxConcurrentConnections, limits.MaxRequestBodySize, limits.RequestHeadersTimeout,
                limits.MinRequestBodyDataRate?.BytesPerSecond),
            Is.EqualTo(((long?)64, (long?)262_144, TimeSpan.FromSeconds(7), (double?)240)));
    }

    [TestCase("application/x-www-form-urlencoded", "a=1", 415)]
    [TestCase("text/plain", "{}", 415)]
    [TestCase("application/json", "null", 400)]
    [TestCase("application/json", "{", 400)]
    [TestCase("application/json",
        """{"receiver":null,"status":"firing","groupKey":"","groupLabels":{},"alerts":[]}""", 400)]
    [TestCase("application/json", """{"status":"firing","alerts":[]}""", 400)]
    public async Task Given_what_is_no_notification_then_it_is_refused(string type, string body, int status)
    {
        using var content = new StringContent(body, Encoding.UTF8, MediaTypeHeaderValue.Parse(type));
        using HttpResponseMessage answer = await _client.PostAsync("/notifications", content);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), await answer.Content.ReadAsStringAsync());
    }

    [Test]
    public async Task Given_more_than_it_keeps_then_the_newest_are_kept_within_its_bounds_and_what_is_too_large_is_refused()
    {
        for (int i = 0; i < 120; i++) await AcceptedAsync(Notification("firing", "page", $"Small{i}"));
        string page = await _client.GetStringAsync("");
        Assert.That((page.Split("<caption>").Length - 1, page.Contains("Small20<"), page.Contains("Small19<")),
            Is.EqualTo((100, true, false)));
        for (int i = 0; i < 12; i++) await AcceptedAsync(Notification("firing", "page", $"Large{i}", padding: 200_000));
        page = await _client.GetStringAsync("");
        Assert.That((page.Split("<caption>").Length - 1, page.Contains("Large11<"), page.Contains("Large1<")),
            Is.EqualTo((10, true, false)), "2 MiB are ten of 200 kB");
        using HttpResponseMessage answer =
            await _client.SendAsync(Request(Notification("firing", "page", "TooLarge", padding: 256 * 1024)));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.RequestEntityTooLarge));
    }

    // Alertmanager leaves out alerts of a large group (max_alerts in alertmanager.yml), and says how many.
    [Test]
    public async Task Given_a_notification_of_several_alerts_that_leaves_some_out_then_the_page_counts_those_too()
    {
        JsonNode told = JsonNode.Parse(Notification("firing", "page", "DiskAlmostFull"))!;
        told["groupLabels"]!["service"] = "node";
        JsonNode ended = JsonNode.Parse(Notification("resolved", "page", "DiskAlmostFull"))!["alerts"]![0]!;
        ended["labels"]!["mountpoint"] = "/data";
        ended["annotations"]!["summary"] = "The disk /data is almost full";
        ended["annotations"]!["runbook_url"] = "docs/runbooks/DiskAlmostFull.md";
        told["alerts"]!.AsArray().Add(ended.DeepClone());
        told["truncatedAlerts"] = 7;
        told["externalURL"] = "http://localhost:9093/";
        await AcceptedAsync(told.ToJsonString());
        (told["receiver"], told["truncatedAlerts"]) = ("ticket", 0);
        await AcceptedAsync(told.ToJsonString());

        string page = WebUtility.HtmlDecode(await _client.GetStringAsync(""));
        string[] rows = [.. page.Split("<tr><td>")[1..]
            .Select(row => row[..row.IndexOf("</tr>", StringComparison.Ordinal)])];
        Assert.Multiple(() =>
        {
            // The groups, then the alerts of each notification.
            Assert.That(rows, Has.Length.EqualTo(6));
            const string Group = "alertname=\"DiskAlmostFull\", service=\"node\"";
            Assert.That(rows[0], Does.Contain(
                $"<td>{Group}</td><td class=\"minor\">ticket</td><td class=\"number minor\">2</td>"));
            Assert.That(rows[1], Does.Contain(
                $"<td>{Group}</td><td class=\"minor\">page</td><td class=\"number minor\">9</td>"));
            Assert.That(Captions(page), Is.EqualTo(new[]
            {
                $"firing, to ticket, group {Group}", $"firing, to page, group {Group}; 7 more alerts were left out",
            }));
            Assert.That(rows[2], Does.Contain(">firing<").And.Contain("order-service is down")
                .And.EndWith("<td>2026-11-26 04:00:00</td><td class=\"minor\"></td>"));
            Assert.That(rows[3], Does.Contain(">resolved<").And.Contain("The disk /data is almost full")
                .And.Contain("docs/runbooks/DiskAlmostFull.md")
                .And.Contain(">service=\"order-service\", severity=\"page\", mountpoint=\"/data\"<")
                .And.EndWith("<td>2026-11-26 04:00:00</td><td class=\"minor\">2026-11-26 04:10:00</td>"));
            Assert.That(page, Does.Contain("href=\"http://localhost:9093/#/alerts?silenced=true&inhibited=true\""));
        });

        static IEnumerable<string> Captions(string page) => page.Split("<caption>")[1..].Select(caption =>
            caption[..caption.IndexOf("</caption>", StringComparison.Ordinal)].Split(": ", 2)[1]);
    }

    private static string Notification(
        string status, string receiver, string alert, string generator = "http://localhost:9090/graph?g0.expr=up",
        int padding = 0) => JsonSerializer.Serialize(new
        {
            receiver,
            status,
            alerts = new[]
            {
                new
                {
                    status,
                    labels = new Dictionary<string, string>
                    {
                        ["alertname"] = alert,
                        ["service"] = "order-service",
                        ["severity"] = "page",
                    },
                    annotations = new { summary = "order-service is down", padding = new string('x', padding) },
                    startsAt = "2026-11-26T04:00:00Z",
                    endsAt = status == "resolved" ? "2026-11-26T04:10:00Z" : "0001-01-01T00:00:00Z",
                    generatorURL = generator,
                    fingerprint = "0",
                },
            },
            groupLabels = new { alertname = alert, service = "order-service" },
            commonLabels = new { },
            commonAnnotations = new { },
            externalURL = "http://localhost:9093",
            version = "4",
            groupKey = $"{{}}:{{alertname=\"{alert}\"}}",
            truncatedAlerts = 0,
        });

    private static HttpRequestMessage Request(string notification) =>
        new(HttpMethod.Post, "/notifications")
        {
            Content = new StringContent(notification, Encoding.UTF8, "application/json"),
        };

    private async Task AcceptedAsync(string notification)
    {
        using HttpResponseMessage answer = await _client.SendAsync(Request(notification));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NoContent), await answer.Content.ReadAsStringAsync());
    }
}
