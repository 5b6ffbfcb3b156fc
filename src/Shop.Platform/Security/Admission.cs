using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.Security;

/// <summary>
/// Who gets in, where the settings restrict it: hosts, origins, the rate of one client, keys. There is none where nothing is restricted, so it
/// costs nothing then.
/// </summary>
internal sealed class Admission
{
    private readonly ShopSettings _settings;
    private readonly string _realm;
    private readonly RequestMetrics _metrics;
    private readonly PartitionedRateLimiter<string>? _rate;
    private readonly ICorsService? _cors;
    private readonly CorsPolicy? _corsPolicy;

    private Admission(ModuleListener listener, IServiceProvider services)
    {
        ShopSettings settings = _settings = listener.Module.Settings;
        _realm = listener.Module.Identity.Service;
        _metrics = listener.Metrics;
        if (settings.ClientRateLimit > 0) _rate = PartitionedRateLimiter.Create<string, string>(client => RateLimitPartition.GetTokenBucketLimiter(client, Bucket));
        if (settings.CorsOrigins.Count == 0) return;
        _cors = services.GetRequiredService<ICorsService>();
        _corsPolicy = new CorsPolicyBuilder([.. settings.CorsOrigins]).AllowAnyMethod().AllowAnyHeader()
            .WithExposedHeaders("ETag", "Link", "Location", "Retry-After", "X-Total-Count", IdempotencyKey.ReplayedHeader).Build();
    }

    /// <summary>What the settings ask for; null where they restrict nothing.</summary>
    public static Admission? Of(ModuleListener listener, IServiceProvider services)
    {
        ShopSettings settings = listener.Module.Settings;
        bool isRestricted = settings.ApiKeys.Any || settings.MetricsKey is not null || settings.ClientRateLimit > 0
            || settings.AllowedHosts.Count > 0 || settings.CorsOrigins.Count > 0;
        return isRestricted ? new Admission(listener, services) : null;
    }

    /// <summary>Adds what allows other origins to read the answer.</summary>
    public void AddHeaders(HttpContext http)
    {
        if (_cors is null) return;
        _cors.ApplyResult(_cors.EvaluatePolicy(http, _corsPolicy!), http.Response);
    }

    /// <summary>The answer to a request that does not get in, or that asks only whether it would; null for one that may go on.</summary>
    public IResult? Answer(HttpContext http, Endpoint? endpoint)
    {
        if (_settings.AllowedHosts.Count > 0 && !_settings.AllowedHosts.Contains(http.Request.Host.Host))
            return new Problem(StatusCodes.Status400BadRequest, "The Host header names none of the hosts of this shop.", "unknown-host");

        AddHeaders(http);
        if (_cors is not null && IsPreflight(http.Request)) return NoContent.Done;

        string? shown = ApiKeys.Shown(http.Request.Headers);
        if (endpoint?.Metadata.GetMetadata<Uncounted>() is { } watching)
            return watching.NeedsMetricsKey && _settings.MetricsKey is { } hash && (shown is null || !ApiKeys.Matches(shown, hash)) ? Unauthorized(http, shown) : null;

        ApiKey? key = shown is null ? null : _settings.ApiKeys.Find(shown);
        if (key is not null) http.Features.Set(key); // its idempotency keys are its own
        if (_rate is not null && !IsWithinRate(http, key)) return TooOften();
        return _settings.ApiKeys.Any ? RefusalByKey(http, shown, key) : null;
    }

    private static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count > 0 && request.Headers.AccessControlRequestMethod.Count > 0;

    private Problem? RefusalByKey(HttpContext http, string? shown, ApiKey? key)
    {
        bool isRead = HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method) || HttpMethods.IsOptions(http.Request.Method);
        // A key that is shown must be right, even where none is needed: its owner wants to know.
        if (key is null) return shown is not null || !isRead || _settings.ReadsNeedKey ? Unauthorized(http, shown) : null;
        if (isRead || key.MayWrite) return null;
        Challenge(http, "insufficient_scope");
        return new Problem(StatusCodes.Status403Forbidden, "This API key may read, but not write.", "read-only-key");
    }

    private Problem Unauthorized(HttpContext http, string? shown)
    {
        Challenge(http, shown is null ? null : "invalid_token");
        return new Problem(StatusCodes.Status401Unauthorized,
            shown is null ? "This takes a key: send it as Authorization: Bearer <key>." : "The key is not known here.", "key-needed");
    }

    private void Challenge(HttpContext http, string? error) =>
        http.Response.Headers.WWWAuthenticate = error is null ? $"Bearer realm=\"{_realm}\"" : $"Bearer realm=\"{_realm}\", error=\"{error}\"";

    private bool IsWithinRate(HttpContext http, ApiKey? key)
    {
        string client = key is null ? $"address {http.Connection.RemoteIpAddress}" : $"key {key.Name}";
        using RateLimitLease lease = _rate!.AttemptAcquire(client);
        return lease.IsAcquired;
    }

    private Problem TooOften()
    {
        _metrics.CountClientTooFast();
        return Problem.TooMany($"More than {_settings.ClientRateLimit} requests a second from one client; try again in a second.", "client-rate-limit");
    }

    private TokenBucketRateLimiterOptions Bucket(string client) => new()
    {
        TokenLimit = _settings.ClientRateLimit,
        TokensPerPeriod = _settings.ClientRateLimit,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        AutoReplenishment = true,
        QueueLimit = 0,
    };
}
