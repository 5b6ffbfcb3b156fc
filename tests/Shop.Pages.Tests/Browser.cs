using Microsoft.Playwright;

namespace Shop.Pages.Tests;

/// <summary>The machine's Chromium, one for all tests. Where there is none the tests say so and are skipped.</summary>
[SetUpFixture]
internal sealed class Browser
{
    private static IPlaywright? _playwright;
    private static IBrowser? _chromium;

    /// <summary>A window of its own: no cookie of another test, and no error that goes unnoticed.</summary>
    public static async Task<Window> OpenAsync(
        bool withScript = true, bool isDark = false, int width = 1280, int height = 900)
    {
        IBrowserContext context = await _chromium!.NewContextAsync(new BrowserNewContextOptions
        {
            JavaScriptEnabled = withScript,
            ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ReducedMotion = ReducedMotion.Reduce,
        });
        return new Window(context, await context.NewPageAsync());
    }

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        string? path = new[]
        {
            "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
        }.FirstOrDefault(File.Exists);
        if (path is null && Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail("There is no Chromium on this machine, and CI skips nothing.");
        if (path is null) Assert.Ignore("There is no Chromium on this machine.");
        // The library's own five seconds may be over before a busy machine has drawn the page.
        Assertions.SetDefaultExpectTimeout(30_000);
        _playwright = await Playwright.CreateAsync();
        _chromium = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = path, Args = ["--no-sandbox"] });
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_chromium is not null) await _chromium.DisposeAsync();
        _playwright?.Dispose();
    }
}

/// <summary>A window of the browser, and what went wrong in it.</summary>
internal sealed class Window : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _errors = [];
    private bool _toleratesNoAnswer;

    public Window(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, page);
        // A breach of the content security policy is an error on the console too. A 409 is one by
        // Chromium's view, but not by ours.
        page.Console += (_, message) =>
        {
            bool isExpected = message.Text.Contains("409", StringComparison.Ordinal)
                || (_toleratesNoAnswer && message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal));
            if (message.Type == "error" && !isExpected) _errors.Add(message.Text);
        };
        page.PageError += (_, error) => _errors.Add(error);
    }

    public IPage Page { get; }

    public IReadOnlyList<string> Errors => _errors;

    /// <summary>The shop goes away in this test, or refuses: Chromium notes each request that fails.</summary>
    public void ToleratesNoAnswer() => _toleratesNoAnswer = true;

    /// <summary>Opens the board of orders, and waits until it is live.</summary>
    public async Task OpenBoardAsync(ShopUnderTest shop, string query = "")
    {
        await Page.GotoAsync($"{shop.Orders.BaseAddress}{query}");
        await Assertions.Expect(Page.Locator("[data-board-state]")).ToContainTextAsync("Live");
    }

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        Assert.That(_errors, Is.Empty, "errors on the browser's console");
    }
}
