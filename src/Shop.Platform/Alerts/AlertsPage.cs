using System.Text.Json;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Alerts;

/// <summary>
/// A page for alerts: Alertmanager posts notifications, and a browser shows them. It is a separate process, so that it
/// works while the shop is down.
/// </summary>
public static class AlertsPage
{
    /// <summary>
    /// The most bytes of a notification. Alertmanager is configured to send few enough alerts at a time.
    /// </summary>
    public const int MaxBody = 256 * 1024;

    private const int MaxConnections = 64;

    /// <summary>Adds what the page needs, and its port.</summary>
    public static void AddAlertsPage(this WebApplicationBuilder builder, ShopSettings settings)
    {
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<Assets>();
        builder.Services.AddSingleton<NotificationLog>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            kestrel.Limits.RequestHeadersTimeout = settings.RequestTimeout;
            kestrel.Limits.MinRequestBodyDataRate = ServerLimits.SlowestClient;
            ModuleListener.Listen(kestrel, settings.BindAddress, settings.AlertsPort,
                static listening => listening.Protocols = HttpProtocols.Http1);
        });
    }

    /// <summary>Adds its routes.</summary>
    /// <param name="app">The process.</param>
    /// <param name="modules">The services that its navigation leads to.</param>
    public static void UseAlertsPage(this WebApplication app, IReadOnlyList<ModuleIdentity> modules)
    {
        IServiceProvider services = app.Services;
        (NotificationLog log, Assets assets) =
            (services.GetRequiredService<NotificationLog>(), services.GetRequiredService<Assets>());
        ShopSettings settings = services.GetRequiredService<ShopSettings>();
        TimeProvider clock = services.GetRequiredService<TimeProvider>();
        app.Use((http, next) =>
        {
            SecurityHeaders.AddTo(http.Response.Headers);
            Caching.NoStore.AddTo(http.Response.Headers);
            // Against DNS rebinding: a page of a host name that was pointed at this address sends that name.
            return IsOurs(http.Request.Host.Host, settings)
                ? next(http)
                : RefuseAsync(http, StatusCodes.Status400BadRequest,
                    "The Host header names none of the hosts of this page.");
        });
        app.UseRouting();
        app.MapGet("/", http => ShowAsync(http, log, assets, settings, modules));
        app.MapGet("/events", new EventStream(log.Events).AnswerAsync);
        app.MapGet("/assets/{file}", http => SendAsync(http, assets));
        app.MapGet("/health/ready", static http => http.Response.WriteAsync("ready"));
        app.MapPost("/notifications", http => ReceiveAsync(http, log, clock));
    }

    // A name can be pointed at this address, but an IP address can't; "alerts" is the name of this container, for
    // Alertmanager.
    private static bool IsOurs(string host, ShopSettings settings) =>
        host is "localhost" or "alerts" || HostName.Address(host) is not null
            || settings.AllowedHosts.Contains(host) || settings.AllowedHosts.Contains("*");

    private static async Task ReceiveAsync(HttpContext http, NotificationLog log, TimeProvider clock)
    {
        // Browsers send these headers, and no page may post here, whatever its origin.
        IHeaderDictionary headers = http.Request.Headers;
        if (headers.Origin.Count > 0 || headers["Sec-Fetch-Site"].Count > 0)
        {
            await RefuseAsync(http, StatusCodes.Status403Forbidden,
                "Only Alertmanager may post here, not a page in a browser.");
            return;
        }

        if (!http.Request.HasJsonContentType())
        {
            await RefuseAsync(http, StatusCodes.Status415UnsupportedMediaType, "A notification must be JSON.");
            return;
        }

        try
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            Notification notification = JsonSerializer.Deserialize(body.GetBuffer().AsSpan(0, (int)body.Length),
                NotificationJson.Default.Notification)
                ?? throw new JsonException("It is null.");
            log.Add(new ReceivedNotification(clock.GetUtcNow(), notification, (int)body.Length));
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException tooMuch)
        {
            await RefuseAsync(http, tooMuch.StatusCode, tooMuch.Message);
        }
        catch (JsonException wrong)
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest,
                $"This is no notification of Alertmanager: {wrong.Message}");
        }
    }

    private static Task ShowAsync(HttpContext http, NotificationLog log, Assets assets, ShopSettings settings,
        IReadOnlyList<ModuleIdentity> modules)
    {
        (long count, IReadOnlyList<ReceivedNotification> newestFirst) = log.Read();
        string Url(string module) =>
            settings.PublicUrls[module] ?? $"{http.Request.Scheme}://{http.Request.Host.Host}:{settings.Ports[module]}";
        var site =
            new Site([.. modules.OrderBy(module => module.DefaultPort).Select(module => (module, Url(module.Name)))],
            AcceptsForms: true);
        var alerts = new Pages_Alerts { Model = new AlertsModel(count, newestFirst) };
        Page.Write(http, new Frame("Alerts", alerts, null, site, assets), StatusCodes.Status200OK);
        return Task.CompletedTask;
    }

    private static async Task SendAsync(HttpContext http, Assets assets)
    {
        IResult found = await assets.Find(http);
        // A problem is logged by its module, and this page has none.
        if (found is Problem problem)
        {
            await RefuseAsync(http, problem.Status, problem.Error);
            return;
        }

        Caching.Immutable.AddTo(http.Response.Headers);
        await found.ExecuteAsync(http);
    }

    private static Task RefuseAsync(HttpContext http, int status, string why)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(why);
    }
}

/// <summary>What the page shows.</summary>
internal sealed record AlertsModel(long Count, IReadOnlyList<ReceivedNotification> NewestFirst)
{
    /// <summary>The last notification of each group to each receiver: first those that fire.</summary>
    public IEnumerable<ReceivedNotification> Groups =>
        NewestFirst.DistinctBy(received => (received.Notification.Receiver, received.Notification.GroupKey))
        .OrderBy(received => received.Notification.Status == "resolved");

    /// <summary>The address of Alertmanager's own page, from its notifications.</summary>
    public string? Alertmanager =>
        NewestFirst.Select(received => Link(received.Notification.ExternalUrl))
            .FirstOrDefault(url => url is not null)?.TrimEnd('/');

    /// <summary>
    /// An address that may stand in a link: a notification is input, and "javascript:" is an address too.
    /// </summary>
    public static string? Link(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri.AbsoluteUri : null;

    /// <summary>Labels in Prometheus' notation, without those that are shown elsewhere.</summary>
    public static string Text(IEnumerable<KeyValuePair<string, string>> labels, params string[] without) =>
        string.Join(", ",
            labels.Where(label => !without.Contains(label.Key)).Select(label => $"{label.Key}=\"{label.Value}\""));

    /// <summary>A time, to the second.</summary>
    public static string Time(DateTimeOffset? at) =>
        at is { } time ? Timestamp.Text(time.ToUnixTimeMilliseconds()) : "";
}
