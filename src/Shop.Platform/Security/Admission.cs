using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;
using Shop.Platform.Pages;
using Shop.Platform.Requests;

namespace Shop.Platform.Security;

/// <summary>
/// Decides whether a request is admitted: by its host, the page that sent it and, if configured, its client's rate and
/// key.
/// </summary>
internal sealed class Admission
{
    private readonly ShopSettings _settings;
    private readonly string _realm;
    private readonly AllowedHosts _hosts;
    private readonly bool _identifiesClients;
    /// <summary>
    /// Scrapes a second of one client, apart from its other requests: so a client that sends too many requests can
    /// still scrape, but not without limit.
    /// </summary>
    private const int ScrapeRate = 20;

    private readonly PartitionedRateLimiter<string>? _rate;
    private readonly PartitionedRateLimiter<string>? _scrapeRate;
    private readonly ICorsService? _cors;
    private readonly CorsPolicy? _corsPolicy;

    public Admission(ModuleListener listener, IServiceProvider services)
    {
        ShopSettings settings = _settings = listener.Module.Settings;
        _realm = listener.Module.Identity.Service;
        _hosts = new AllowedHosts(settings);
        _identifiesClients = settings.ApiKeys.Any || settings.MetricsKey is not null || settings.ClientRateLimit > 0;
        if (settings.ClientRateLimit > 0)
            (_rate, _scrapeRate) = (Limiter(settings.ClientRateLimit), Limiter(ScrapeRate));
        if (settings.CorsOrigins.Count == 0) return;
        _cors = services.GetRequiredService<ICorsService>();
        _corsPolicy = new CorsPolicyBuilder([.. settings.CorsOrigins]).AllowAnyMethod().AllowAnyHeader()
            .WithExposedHeaders("ETag", "Link", "Location", "Retry-After", Paging.TotalHeader,
                Paging.TotalRelationHeader, IdempotencyKey.ReplayedHeader).Build();
    }

    /// <summary>Adds the CORS headers.</summary>
    public void AddHeaders(HttpContext http)
    {
        if (_cors is null) return;
        CorsResult result = _cors.EvaluatePolicy(http, _corsPolicy!);
        // Also for a request without Origin: a cache must not give its answer to a page of another origin.
        result.VaryByOrigin = false;
        http.Response.Headers.Append("Vary", "Origin");
        _cors.ApplyResult(result, http.Response);
    }

    /// <summary>The answer to a refused request, or to a CORS preflight; null if the request is admitted.</summary>
    public IResult? Answer(HttpContext http, Endpoint? endpoint)
    {
        string host = http.Request.Headers.Host.ToString();
        if (!_hosts.Include(host) && !IsWatched(endpoint, host)) return UnknownHost();
        AddHeaders(http);
        if (_cors is not null && IsPreflight(http.Request)) return NoContent.Done;
        if (!IsRead(http.Request) && IsForeign(http))
            return new Problem(StatusCodes.Status403Forbidden,
                "A page of another origin may not change anything here; Shop:CorsOrigins lists the origins that may.",
                "foreign-origin");
        return _identifiesClients ? RefusalByClient(http, endpoint) : null;
    }

    private static Problem UnknownHost() => new(StatusCodes.Status400BadRequest,
        "The Host header names no host that this shop knows; add it to Shop:AllowedHosts, or set the PublicUrls.",
            "unknown-host");

    // Scrapes and probes may use names that the settings do not list.
    private static bool IsWatched(Endpoint? endpoint, string host)
    {
        Access? access = endpoint?.Metadata.GetMetadata<Access>();
        return access == Access.Health || (access == Access.Metrics && AllowedHosts.IsLocalName(host));
    }

    // Case-sensitive: get is no method of HTTP, and an unknown method must not pass for a read.
    private static bool IsRead(HttpRequest request) =>
        request.Method is "GET" or "HEAD" or "OPTIONS";

    // Browsers name the page's origin in one or both of these headers, and pages can't change them. A request with
    // neither is from no browser.
    private bool IsForeign(HttpContext http)
    {
        IHeaderDictionary headers = http.Request.Headers;
        StringValues origin = headers.Origin, site = headers["Sec-Fetch-Site"];
        if (origin.Count == 0) return site.Count > 0 && site.ToString() is not ("same-origin" or "none");
        if (_cors is not null && _cors.EvaluatePolicy(http, _corsPolicy!).IsOriginAllowed) return false;
        if (!Site.IsOwnOrigin(http, origin)) return true;
        // Services with public URLs may be on different sites; without, they share a host.
        return site.Count > 0 && site.ToString() is not ("same-origin" or "same-site" or "none")
            && _settings.PublicUrls.Values.All(static url => url is null);
    }

    private Problem? RefusalByClient(HttpContext http, Endpoint? endpoint)
    {
        string? shown = ApiKeys.BearerToken(http.Request.Headers);
        ApiKey? key = shown is null ? null : _settings.ApiKeys.Find(shown);
        if (key is not null) http.Features.Set(key); // its idempotency keys are its own
        Access access = AccessOf(http, endpoint);
        if (_rate is not null && access != Access.Health && !IsWithinRate(http, key, access)) return TooOften(access);
        if (access == Access.Open || access == Access.Health) return null;
        if (access == Access.Metrics || (access == Access.Figures && _settings.MetricsKey is not null))
            return _settings.MetricsKey is { } hash && (shown is null || !ApiKeys.Matches(shown, hash))
                ? Unauthorized(http, shown) : null;
        return _settings.ApiKeys.Any ? RefusalByKey(http, access, shown, key) : null;
    }

    private static Access AccessOf(HttpContext http, Endpoint? endpoint)
    {
        // Without a route the answer is 404 or 405.
        if (endpoint is not RouteEndpoint) return IsRead(http.Request) ? Access.Read : Access.Write;
        Access access = endpoint.Metadata.GetMetadata<Access>() ?? Access.Write;
        if (access != Access.InfoOrPage) return access;
        return AcceptHeader.PrefersHtml(http.Request.Headers) ? Access.Read : Access.Open;
    }

    private static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count > 0
            && request.Headers.AccessControlRequestMethod.Count > 0;

    private Problem? RefusalByKey(HttpContext http, Access access, string? shown, ApiKey? key)
    {
        bool isRead = access != Access.Write;
        // A key that is sent must be right, even if none is needed: its owner wants to know.
        if (key is null)
            return shown is not null || !isRead || _settings.ReadsNeedKey ? Unauthorized(http, shown) : null;
        if (isRead || key.MayWrite) return null;
        Challenge(http, "insufficient_scope");
        return new Problem(StatusCodes.Status403Forbidden, "This API key may read, but not write.", "read-only-key");
    }

    private Problem Unauthorized(HttpContext http, string? shown)
    {
        Challenge(http, shown is null ? null : "invalid_token");
        return new Problem(StatusCodes.Status401Unauthorized,
            shown is null ? "This needs a key: send it as Authorization: Bearer <key>." : "The key is not known here.",
                "key-needed");
    }

    private void Challenge(HttpContext http, string? error) =>
        http.Response.Headers.WWWAuthenticate = error is null ? $"Bearer realm=\"{_realm}\""
            : $"Bearer realm=\"{_realm}\", error=\"{error}\"";

    private bool IsWithinRate(HttpContext http, ApiKey? key, Access access)
    {
        string client = key is null ? $"address {ClientAddress.Of(http)}" : $"key {key.Name}";
        using RateLimitLease lease = (access == Access.Metrics ? _scrapeRate! : _rate!).AttemptAcquire(client);
        return lease.IsAcquired;
    }

    private Problem TooOften(Access access)
    {
        string limit = access == Access.Metrics ? $"{ScrapeRate} scrapes" : $"{_settings.ClientRateLimit} requests";
        return LimitRefusals.ClientRate(limit);
    }

    private static PartitionedRateLimiter<string> Limiter(int rate) =>
        PartitionedRateLimiter.Create<string, string>(client =>
        RateLimitPartition.GetTokenBucketLimiter(client, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = rate,
            TokensPerPeriod = rate,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            AutoReplenishment = true,
            QueueLimit = 0,
        }));
}
