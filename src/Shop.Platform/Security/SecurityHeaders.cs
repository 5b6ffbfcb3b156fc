using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Shop.Platform.Security;

/// <summary>Headers of every answer that tell browsers what they must not do.</summary>
internal static class SecurityHeaders
{
    /// <summary>For the shop's own pages: scripts, styles and pictures only come from this port, none inline.</summary>
    /// <param name="formTargets">The other origins that its forms may be posted to.</param>
    /// <param name="watched">The other origins that its script may connect to.</param>
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

    /// <summary>The same as header lines, for an answer to a connection whose request was not parsed.</summary>
    public static readonly string Lines = AsLines();

    /// <summary>Adds the headers. A page replaces the policy with its own.</summary>
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
