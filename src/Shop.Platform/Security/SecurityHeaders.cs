using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Shop.Platform.Security;

/// <summary>Headers of every answer that tell browsers what they must not do.</summary>
internal static class SecurityHeaders
{
    /// <summary>
    /// For a page of the shop's own: its script, style and pictures come from this port alone, none inline.
    /// </summary>
    /// <param name="formTargets">The other origins that its forms may be posted to.</param>
    /// <param name="watched">The other origins that its script may ask.</param>
    public static string PagePolicy(IEnumerable<string> formTargets, IEnumerable<string> watched) =>
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        + $"connect-src {string.Join(' ', watched.Prepend("'self'"))}; "
        + $"form-action {string.Join(' ', formTargets.Prepend("'self'"))}; base-uri 'none'; frame-ancestors 'none'";

    /// <summary>For <c>/docs</c>, whose script makes style elements, which can't be told from injected ones.</summary>
    public const string DocsPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        + "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly StringValues NoSniff = "nosniff";
    private static readonly StringValues NoReferrer = "no-referrer";
    private static readonly StringValues DataPolicy = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>The same as lines of a head, for an answer that no request was parsed for.</summary>
    public static readonly string Lines = AsLines();

    /// <summary>Adds them. A page replaces the policy by its own.</summary>
    public static void AddTo(IHeaderDictionary headers)
    {
        headers.XContentTypeOptions = NoSniff;
        headers.ContentSecurityPolicy = DataPolicy;
        headers["Referrer-Policy"] = NoReferrer;
    }

    private static string AsLines()
    {
        var headers = new HeaderDictionary();
        AddTo(headers);
        return string.Concat(headers.Select(header => $"{header.Key}: {header.Value}\r\n"));
    }
}
