using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Shop.Telemetry.Tests;

/// <summary>
/// The documented command starts a dashboard that nobody of the shop wrote, and somebody who
/// looks at it finds an order in it.
/// </summary>
[Platform("Linux")]
internal sealed partial class DashboardTests
{
    // Far more than it ever takes, on any machine.
    private const int MaxWait = 120_000;

    [TestCase("http/protobuf", "OTLP/HTTP")]
    [TestCase("grpc", "OTLP/gRPC")]
    public async Task Given_the_Aspire_dashboard_when_an_order_is_placed_then_Chromium_finds_its_trace_in_three_services_and_the_log_line_of_a_refusal(
        string protocol, string listener)
    {
        string? chromium = new[]
        {
            "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
        }.FirstOrDefault(File.Exists);
        if (chromium is null && System.Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail("There is no Chromium on this machine, and CI skips nothing.");
        if (chromium is null) Assert.Ignore("There is no Chromium on this machine.");
        using var dashboard = new Dashboard();
        await dashboard.HasStartedAsync();
        string directory = Directory.CreateTempSubdirectory("shop-dashboard-").FullName;
        try
        {
            using ShopProcess shop = await ShopProcess.StartAsync(directory,
                ("OTEL_EXPORTER_OTLP_ENDPOINT", dashboard.Addresses[listener]),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_BLRP_SCHEDULE_DELAY", "100"));
            const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
            (HttpResponseMessage placed, _) = await shop.Orders.PostAsync("/api/orders", Http.Order("prod_0"),
                ("traceparent", $"00-{TraceId}-00f067aa0ba902b7-01"));
            (HttpResponseMessage refused, _) = await shop.Orders.PostAsync("/api/orders",
                Http.Order("no_such_product"));
            Assert.That(((int)placed.StatusCode, (int)refused.StatusCode), Is.EqualTo((201, 422)));

            using IPlaywright playwright = await Playwright.CreateAsync();
            await using IBrowser browser = await playwright.Chromium.LaunchAsync(
                new BrowserTypeLaunchOptions { ExecutablePath = chromium, Args = ["--no-sandbox"] });
            IPage page = await browser.NewPageAsync(
                new BrowserNewPageOptions { ViewportSize = new ViewportSize { Width = 1600, Height = 1200 } });
            page.SetDefaultTimeout(MaxWait);
            await page.GotoAsync($"{dashboard.Addresses["Dashboard"]}/traces/detail/{TraceId}");
            foreach (string service in new[] { "order-service", "product-service", "inventory-service" })
                await page.GetByText(service).First.WaitForAsync();
            foreach (string span in new[]
            {
                "POST /orders", "ProductCatalogue/Find", "Inventory/Reserve", "COMMIT inventory", "COMMIT orders",
            })
            {
                await page.GetByText(span).First.WaitForAsync();
            }

            await page.GotoAsync($"{dashboard.Addresses["Dashboard"]}/structuredlogs");
            await page.GetByText("no_such_product").First.WaitForAsync();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>The dashboard, started as monitoring/README.md says, on free ports.</summary>
    private sealed partial class Dashboard : IDisposable
    {
        private readonly Process _process;
        private readonly ConcurrentQueue<string> _lines = new();
        private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Dashboard()
        {
            var start = new ProcessStartInfo(Repository.PathOf("monitoring", "dashboard", "start"))
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            const string Free = "http://127.0.0.1:0";
            foreach (string variable in new[]
            {
                "ASPNETCORE_URLS", "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL",
            })
            {
                start.Environment[variable] = Free;
            }

            _process = Process.Start(start)!;
            _process.OutputDataReceived += (_, line) => Read(line.Data);
            _process.ErrorDataReceived += (_, line) => Read(line.Data);
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public ConcurrentDictionary<string, string> Addresses { get; } = new(StringComparer.Ordinal);

        public async Task HasStartedAsync()
        {
            Task ended = _process.WaitForExitAsync();
            if (await Task.WhenAny(_ready.Task, ended, Task.Delay(MaxWait)) != _ready.Task)
                Assert.Fail($"It does not start: {string.Join('\n', _lines)}");
        }

        public void Dispose()
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
            _process.Dispose();
        }

        private void Read(string? line)
        {
            if (line is null) return;
            _lines.Enqueue(line);
            if (Announcement().Match(line) is not { Success: true } match) return;
            Addresses[match.Groups["what"].Value] = match.Groups["address"].Value;
            if (Addresses.Count == 3) _ready.TrySetResult();
        }

        [GeneratedRegex(@"- +(?<what>Dashboard|OTLP/gRPC|OTLP/HTTP): +(?<address>http://\S+:[1-9]\d*)",
            RegexOptions.ExplicitCapture, 60_000)]
        private static partial Regex Announcement();
    }
}
