using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Shop.Platform.Http;

/// <summary>The <c>Accept</c> of a request: which kind of answer its client wants.</summary>
internal static class AcceptHeader
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly MediaTypeHeaderValue Html = new("text/html");

    /// <summary>Whether a client accepts JSON.</summary>
    public static bool AllowsJson(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || (accept.Count == 1 && accept[0] is "*/*" or "application/json" or "")) return true;
        // A header that can't be read is ignored.
        if (!MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? ranges)) return true;
        return Match(ranges, Json).Quality > 0;
    }

    /// <summary>
    /// Whether a client prefers a page: it accepts HTML no less than JSON, and names it more closely than by
    /// <c>*/*</c>.
    /// </summary>
    public static bool PrefersHtml(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? ranges))
            return false;
        (double Quality, int Closeness) html = Match(ranges, Html), json = Match(ranges, Json);
        if (html.Quality != json.Quality) return html.Quality > json.Quality;
        return html.Quality > 0 && html.Closeness > 0 && html.Closeness >= json.Closeness;
    }

    /// <summary>Whether a client names a coding in <c>Accept-Encoding</c>.</summary>
    public static bool NamesEncoding(IHeaderDictionary headers, string coding) =>
        headers.AcceptEncoding.ToString().Split(',').Any(named => named.Trim() == coding);

    /// <summary>Adds to <c>Vary</c> that the answer depends on <c>Accept</c>.</summary>
    public static void Vary(IHeaderDictionary headers)
    {
        string known = headers.Vary.ToString();
        if (!known.Split(',', StringSplitOptions.TrimEntries).Contains("Accept"))
            headers.Vary = known.Length == 0 ? "Accept" : $"{known}, Accept";
    }

    // The closest range that covers a type decides: "application/json;q=0, */*" refuses JSON.
    private static (double Quality, int Closeness) Match(IList<MediaTypeHeaderValue> ranges, MediaTypeHeaderValue type)
    {
        MediaTypeHeaderValue? best = ranges.Where(range => type.IsSubsetOf(new MediaTypeHeaderValue(range.MediaType)))
            .MaxBy(Closeness);
        return best is null ? (0, 0) : (best.Quality ?? 1, Closeness(best));
    }

    private static int Closeness(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2;
}
