using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.Testing;

/// <summary>What SECURITY.md promises of every answer, whatever its status. None of it is read from the shop.</summary>
internal static class AnswerPromises
{
    public const string Exposed =
        "ETag, Idempotency-Replayed, Link, Location, Retry-After, X-Total-Count, X-Total-Count-Relation";

    private const string DataPolicy = "default-src 'none'; frame-ancestors 'none'";

    private const string DocsPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        + "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    // Of what is inside. "   at " begins a line of a stack trace.
    private static readonly string[] Inside =
        ["Exception", "   at ", ".cs:line", "SQLite", "Shop.Platform", "Shop.Orders", "Npgsql", "orders.db"];

    private static readonly Dictionary<int, string> Titles = new()
    {
        [400] = "Bad Request",
        [401] = "Unauthorized",
        [403] = "Forbidden",
        [404] = "Not Found",
        [405] = "Method Not Allowed",
        [406] = "Not Acceptable",
        [408] = "Request Timeout",
        [409] = "Conflict",
        [412] = "Precondition Failed",
        [413] = "Payload Too Large",
        [415] = "Unsupported Media Type",
        [422] = "Unprocessable Entity",
        [429] = "Too Many Requests",
        [500] = "Internal Server Error",
        [503] = "Service Unavailable",
    };

    /// <summary>What is wrong with an answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="body">Its body; empty if it was not read.</param>
    /// <param name="orders">The orders service, to which the forms of pages may go.</param>
    /// <param name="corsOrigin">The one origin that CORS allows; null if there is none.</param>
    public static string[] Faults(HttpResponseMessage answer, string body, Uri orders, string? corsOrigin)
    {
        HttpRequestMessage request = answer.RequestMessage!;
        int status = (int)answer.StatusCode;
        string path = request.RequestUri!.AbsolutePath;
        if (path.StartsWith("/api/", StringComparison.Ordinal)) path = path[4..];
        bool isPage = answer.Content.Headers.ContentType?.MediaType == "text/html";
        bool isDocs = path == "/docs" && status == 200, isFailure = status >= 400;
        bool isAsset = path.StartsWith("/assets/", StringComparison.Ordinal) && !isFailure;
        var faults = new List<string>();
        void Must(string what, string? found, string? expected)
        {
            if (found != expected) faults.Add($"{what}: {found ?? "none"}, and not {expected ?? "none"}");
        }

        string pages = $"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            + $"form-action 'self' {orders.GetLeftPart(UriPartial.Authority)}; base-uri 'none'; frame-ancestors 'none'";
        Must("X-Content-Type-Options", answer.Header("X-Content-Type-Options"), "nosniff");
        Must("Content-Security-Policy", WithoutServices(path, answer.Header("Content-Security-Policy")),
            isDocs ? DocsPolicy : isPage ? pages : DataPolicy);
        Must("Referrer-Policy", answer.Header("Referrer-Policy"), isPage && !isDocs ? "strict-origin" : "no-referrer");
        Must("Server", answer.Header("Server") ?? answer.Header("X-Powered-By"), null);
        Must("Cache-Control", answer.Header("Cache-Control"), Kept(request.Method.Method, path, status));

        string[] vary = answer.Header("Vary")?.Split(", ") ?? [];
        string[] depends = [.. isAsset ? [] : new[] { "Accept" },
            .. answer.Content.Headers.ContentEncoding.Count > 0 ? new[] { "Accept-Encoding" } : [],
            .. corsOrigin is null ? [] : new[] { "Origin" }];
        if (depends.Except(vary).Any())
            faults.Add($"Vary: {string.Join(", ", vary)} lacks one of {string.Join(", ", depends)}");

        string? origin = request.Headers.TryGetValues("Origin", out IEnumerable<string>? sent)
            ? string.Join(", ", sent)
            : null;
        bool isAllowed = origin is not null && origin == corsOrigin;
        Must("Access-Control-Allow-Origin", answer.Header("Access-Control-Allow-Origin"), isAllowed ? origin : null);
        Must("Access-Control-Allow-Credentials", answer.Header("Access-Control-Allow-Credentials"), null);
        bool isPreflight = request.Method == HttpMethod.Options
            && request.Headers.Contains("Access-Control-Request-Method");
        string? exposed = answer.Header("Access-Control-Expose-Headers") is { } names
            ? string.Join(", ", names.Split(',', StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal)) : null;
        Must("Access-Control-Expose-Headers", exposed, isAllowed && !isPreflight ? Exposed : null);

        string wait = body.Contains("books-disagree", StringComparison.Ordinal) ? "60" : "1";
        bool isHealth = path.StartsWith("/health/", StringComparison.Ordinal);
        Must("Retry-After", answer.Header("Retry-After"), status is 429 or 503 && !isHealth ? wait : null);
        string? challenge = answer.Header("WWW-Authenticate");
        if (status == 401 && challenge?.StartsWith("Bearer realm=\"", StringComparison.Ordinal) != true)
            faults.Add("401 without a challenge");
        if (status is not (401 or 403)) Must("WWW-Authenticate", challenge, null);
        if (answer.Header("Allow") is null == (status == 405)) faults.Add($"Allow: {answer.Header("Allow") ?? "none"}");
        if (answer.Header("Location") is null == status is 201 or 303)
            faults.Add($"Location: {answer.Header("Location") ?? "none"}");
        faults.AddRange((answer.Header("Set-Cookie") ?? "").Split("basket=").Skip(1)
            .Where(cookie => !cookie.Contains("expires=Thu, 01 Jan 1970", StringComparison.Ordinal)
                && !(cookie.Contains("; samesite=lax", StringComparison.Ordinal)
                    && cookie.Contains("; httponly", StringComparison.Ordinal)))
            .Select(cookie => $"a cookie that others can read or send: {cookie}"));
        if (isFailure && !isHealth)
            faults.AddRange(OfError(status, isPage, answer.Content.Headers.ContentType?.MediaType, body));
        return [.. faults.Select(fault =>
            $"{request.Method} {request.RequestUri} ({origin ?? "no origin"}) answered {status}, {fault}")];
    }

    // The page of the whole shop, and no other, asks all three services.
    private static string? WithoutServices(string path, string? policy) =>
        path != "/live/shop" || policy is null ? policy
            : Regex.Replace(policy, "connect-src 'self'( http://127[.]0[.]0[.]1:[0-9]+){3};", "connect-src 'self';",
                RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1));

    private static string Kept(string method, string path, int status)
    {
        bool isRead = method is "GET" or "HEAD" && status is 200 or 304;
        if (!isRead) return "no-store";
        if (path.StartsWith("/assets/", StringComparison.Ordinal)) return "public, max-age=31536000, immutable";
        if (path is "/live/events" or "/board/events") return "no-store, no-transform";
        return path.StartsWith("/products/", StringComparison.Ordinal) ? "no-cache" : "no-store";
    }

    private static IEnumerable<string> OfError(int status, bool isPage, string? type, string body)
    {
        foreach (string part in Inside.Where(part => body.Contains(part, StringComparison.Ordinal)))
            yield return $"it tells of the inside: {part}";
        if (!isPage && type != "application/problem+json") yield return $"its type is {type}";
        if (body.Length == 0) yield break;
        if (isPage)
        {
            if (!body.Contains("role=\"alert\"", StringComparison.Ordinal)
                || !body.Contains($"Status {status}.", StringComparison.Ordinal))
                yield return "its page does not say what is wrong";
            if (body.Contains("Try again in a second.", StringComparison.Ordinal) != status is 429 or 503)
                yield return "its page and its Retry-After differ";
            yield break;
        }

        JsonNode problem = JsonNode.Parse(body)!;
        (int, string, string) said = ((int)problem["status"]!, (string)problem["title"]!, (string)problem["detail"]!);
        if (said != (status, Titles[status], (string)problem["error"]!)) yield return $"its body says {said}";
        string kind = (string)problem["type"]!;
        if (kind != "about:blank" && !kind.StartsWith("urn:shop:problem:", StringComparison.Ordinal))
            yield return $"its kind is {kind}";
        if (((string)problem["trace_id"]!).Length != 32) yield return "it has no trace_id";
        if (problem["errors"] is JsonObject { Count: 0 }) yield return "its errors are empty";
    }
}
